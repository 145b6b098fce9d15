"""Starts the fleet twin as a process of its own, and asks it what really happened.

NOT promised: that the twin is scraped the moment it is there; Prometheus discovers its pods within some seconds.
"""

import http.client
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretide.cli.bed.processes import LOOPBACK, BedFailed, Process, free_port, start, stop, wait_for

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of which pods, and what the pods are."""

    trace: Path
    """Requests in any format that `foretide replay` reads."""
    namespace: str
    selector: str
    model: str = "meta-llama/Llama-3.1-8B"
    gpu: str = "H100"
    tp: int = 1
    compress: float = 1.0
    """How many seconds of the trace pass in one second. The engines keep real time."""
    scale: float = 1.0
    """How many requests arrive for each one in the trace."""
    repeat: int = 1
    """How many times the trace is played, one time after the other."""
    max_num_seqs: int = 256
    seed: int = 0
    ttft_s: float = 0.5
    tpot_s: float = 0.025
    gateway: str = ""
    """Workload name of a gateway in front, whose page is served too; empty for none."""
    wake_s: float = 2.0
    """How long an engine takes to wake that was put to sleep."""
    old_names: bool = False
    """Whether to expose the metric names of engines before vLLM 0.10."""

    @property
    def flags(self) -> list[str]:
        named = {name: getattr(self, name) for name in self.__slots__ if name != "old_names"}
        return [f"--{name.replace('_', '-')}={value}" for name, value in named.items()] + (
            ["--old-names"] if self.old_names else []
        )


@dataclass(frozen=True, slots=True)
class Twin:
    """A running fleet twin."""

    process: Process
    port: int
    job: str
    record: Path
    """One JSON object per second: what arrived, waited and was kept."""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def targets_url(self) -> str:
        return f"{self.url}/targets"

    def truth(self) -> dict[str, Any]:
        """What really happened so far. Raises BedFailed when the twin does not answer."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request("GET", "/truth")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, ValueError, http.client.HTTPException) as problem:
            raise BedFailed(f"{self.process.name} does not answer ({problem}): {self.process.last_words}") from problem
        finally:
            connection.close()
        return found

    def stop(self) -> None:
        stop([self.process])


def start_twin(load: Load, *, name: str, folder: Path, kubeconfig: Path, attached: bool) -> Twin:
    """A twin that answers. Raises BedFailed with its last words when it does not come up."""
    port = free_port()
    record = folder / f"{name}.jsonl"
    command = [sys.executable, "-m", "foretide.cli.main", "dev", "twin", *load.flags]
    command += [f"--kubeconfig={kubeconfig}", f"--listen={LOOPBACK}:{port}", f"--record={record}"]
    process = start(name, command, log=folder / "logs" / f"{name}.log", attached=attached)
    twin = Twin(process=process, port=port, job=name, record=record)
    try:
        wait_for(lambda: _answers(twin), what=name, by=[process], patience_s=PATIENCE_S)
    except BaseException:
        twin.stop()
        raise
    return twin


def _answers(twin: Twin) -> bool:
    try:
        return bool(twin.truth())
    except BedFailed:
        return False
