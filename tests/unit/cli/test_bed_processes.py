import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from foretide.cli.bed.processes import BedFailed, Process, free_port, listening, start, stop, wait_for


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = start("sleeper", ["sleep", "60"], log=tmp_path / "sleeper.log", attached=True)
    yield process
    stop([process])


def test_a_process_lives_until_it_is_stopped(sleeper: Process) -> None:
    assert sleeper.alive
    stop([sleeper])
    assert not sleeper.alive


def test_a_process_that_was_killed_from_outside_is_seen_to_be_gone(sleeper: Process) -> None:
    os.kill(sleeper.pid, signal.SIGKILL)
    wait_for(lambda: not sleeper.alive, what="its end", patience_s=10)


def test_a_process_that_does_not_want_to_end_is_killed_with_its_children(tmp_path: Path) -> None:
    # the shell waits for a child that ignores the signal, too
    stubborn = start(
        "stubborn", ["sh", "-c", "trap '' TERM; echo ready; sleep 60; sleep 60"], log=tmp_path / "log", attached=True
    )
    wait_for(lambda: "ready" in stubborn.log.read_text(), what="its word", by=[stubborn])
    stop([stubborn], patience_s=0.2)
    assert not stubborn.alive


def test_a_later_owner_of_the_same_number_is_left_alone(sleeper: Process) -> None:
    stranger = replace(sleeper, born=sleeper.born - 1)
    assert not stranger.alive
    stop([stranger])
    assert sleeper.alive


def test_an_early_end_is_reported_with_the_last_words(tmp_path: Path) -> None:
    process = start("etcd", ["sh", "-c", "echo no space left; exit 1"], log=tmp_path / "etcd.log", attached=True)
    with pytest.raises(BedFailed, match=r"etcd ended while we waited for etcd: no space left \(.*etcd\.log\)"):
        wait_for(lambda: False, what="etcd", by=[process])


def test_waiting_has_an_end() -> None:
    with pytest.raises(BedFailed, match="a miracle: not there after 0 s"):
        wait_for(lambda: False, what="a miracle", patience_s=0.0)


def test_proxies_of_the_user_do_not_reach_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    process = start("env", ["env"], log=tmp_path / "log", attached=False)
    wait_for(lambda: not process.alive, what="its end")
    said = process.log.read_text()
    assert "PATH=" in said
    assert "PROXY" not in said


def test_a_free_port_is_one_that_nobody_listens_on() -> None:
    assert not listening(free_port())


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_an_attached_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    owner = (
        "import os, signal, sys; from pathlib import Path; from foretide.cli.bed.processes import start\n"
        "process = start('sleeper', ['sleep', '60'], log=Path(sys.argv[1]), attached=True)\n"
        "print(process.pid, process.born, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    log = tmp_path / "log"
    said = subprocess.run([sys.executable, "-c", owner, str(log)], capture_output=True, text=True, check=False).stdout
    pid, born = (int(word) for word in said.split())
    orphan = Process("sleeper", pid, born, log)
    wait_for(lambda: not orphan.alive, what="its end", patience_s=10)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_leash_that_is_slow_to_hold_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "setpriv"
    slow.write_text(f'#!/bin/sh\nsleep 0.5\nexec {shutil.which("setpriv")} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    process = start("sleeper", ["sleep", "60"], log=tmp_path / "log", attached=True)
    assert Path(f"/proc/{process.pid}/comm").read_text().strip() == "sleep"
    stop([process])
