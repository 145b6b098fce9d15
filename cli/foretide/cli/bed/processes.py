"""Child processes of the bed: each in its own group, with its own log file, and gone when the bed is.

Promised: nothing is waited for by sleeping a fixed time; a process that ends early is reported with the last line of
its log; `stop` never signals a process that merely inherited the number. NOT promised: restarts.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

LOOPBACK = "127.0.0.1"
# Below the range from which outgoing connections take theirs, so that nobody takes a port between choice and use.
PORTS = range(18000, 32000)
POLL_S = 0.05
PATIENCE_S = 10.0
LEASH = "setpriv"
SHOWN_OF_A_LOG = 300


class BedFailed(Exception):
    """A part of the bed did not come up or went away, in one line."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that we started: enough to find it again, from another process too."""

    name: str
    pid: int
    born: int
    """Its start time in clock ticks since boot: tells it from a later owner of the same number."""
    log: Path

    @property
    def alive(self) -> bool:
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _born(self.pid) == self.born

    @property
    def last_words(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1][-SHOWN_OF_A_LOG:] if lines else "it said nothing"
        return "it left no log"


def start(
    name: str, command: Sequence[str | Path], *, log: Path, attached: bool, environment: Mapping[str, str] | None = None
) -> Process:
    """Starts it in the background. An `attached` one is ended by the kernel when the thread that started it ends.

    It returns once that promise holds: the leash asks the kernel for it after it has started.
    """
    leash = [LEASH, "--pdeathsig", "KILL"] if attached and shutil.which(LEASH) else []
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [*leash, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=_without_proxies(os.environ) | dict(environment or {}),
            start_new_session=True,
        )
    born = _born(child.pid)
    # We reap by number, in `alive`: the object would warn at its end that the child still runs.
    child.returncode = 0
    process = Process(name=name, pid=child.pid, born=born or 0, log=log)
    if leash:
        wait_for(lambda: _leashed(process), what=f"{name}'s leash", patience_s=PATIENCE_S)
    return process


def stop(processes: Sequence[Process], *, patience_s: float = PATIENCE_S, kindly: bool = True) -> None:
    """Ends them and their groups, all at once; kills what does not end within `patience_s`."""
    for process in processes:
        _signal(process, signal.SIGTERM if kindly else signal.SIGKILL)
    deadline = time.monotonic() + patience_s
    while any(process.alive for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for process in processes:
        _signal(process, signal.SIGKILL)
    while any(process.alive for process in processes):
        time.sleep(POLL_S)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment."""
    for _ in range(200):
        port = SystemRandom().choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise BedFailed(f"no free port between {PORTS.start} and {PORTS.stop} on {LOOPBACK}")


def wait_for(ready: Callable[[], bool], *, what: str, by: Sequence[Process] = (), patience_s: float = 60.0) -> None:
    """Polls until `ready`. Raises BedFailed when a process it depends on has ended, or after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not ready():
        for process in by:
            if not process.alive:
                raise BedFailed(
                    f"{process.name} ended while we waited for {what}: {process.last_words} ({process.log})"
                )
        if time.monotonic() > deadline:
            logs = ", ".join(str(process.log) for process in by)
            raise BedFailed(f"{what}: not there after {patience_s:.0f} s{f'; see {logs}' if logs else ''}")
        time.sleep(POLL_S)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _signal(process: Process, number: signal.Signals) -> None:
    if process.alive:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _leashed(process: Process) -> bool:
    """Whether the leash has done its work and become the program itself, or is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8").strip() != LEASH
    return True


def _born(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; None for a process that is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
