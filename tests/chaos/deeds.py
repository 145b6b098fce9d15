"""Faults that are done to processes, clocks and tokens."""

import os
import signal
from collections.abc import Callable

from chaos.behaviours import answers
from chaos.rig import Operator, Rig
from chaos.shim import Behaviour, Request


def nothing(rig: Rig) -> None:
    """No fault."""


def kill(rig: Rig) -> None:
    rig.operator.send(signal.SIGKILL)


def leader(rig: Rig) -> Operator:
    """A second one joins when the first has led for long (judge.py)."""
    return rig.operators[0]


def kill_for_good(rig: Rig) -> None:
    leader(rig).kept_alive = False
    leader(rig).send(signal.SIGKILL)


def sleep(rig: Rig) -> None:
    leader(rig).kept_alive = False
    leader(rig).send(signal.SIGSTOP)


def wake(rig: Rig) -> None:
    leader(rig).send(signal.SIGCONT)


def hour(hours: float) -> Callable[[Rig], None]:
    def set_clock(rig: Rig) -> None:
        rig.operator.clock.write_text(str(3600.0 * hours), encoding="utf-8")

    return set_clock


def expire(rig: Rig) -> None:
    old = "Bearer " + rig.tokens[0].read_text(encoding="utf-8").strip()

    def refuses(request: Request) -> Behaviour | None:
        return answers(401) if request.headers.get("authorization") == old else None

    rig.operator.api.be(refuses)


def renew(rig: Rig) -> None:
    """The old one stays refused."""
    new = rig.bed.kubectl("create", "token", "-n", rig.namespace, "foretide", "--duration=2h")
    rig.tokens[0].write_text(new, encoding="utf-8")


def _signal(name: str, number: signal.Signals) -> Callable[[Rig], None]:
    def send(rig: Rig) -> None:
        (process,) = (process for process in rig.bed.plane.processes if process.name == name)
        os.kill(process.pid, number)

    return send


stop_api, continue_api = _signal("kube-apiserver", signal.SIGSTOP), _signal("kube-apiserver", signal.SIGCONT)
stop_etcd, continue_etcd = _signal("etcd", signal.SIGSTOP), _signal("etcd", signal.SIGCONT)


def stop_prometheus(rig: Rig) -> None:
    rig.bed.prometheus.stop()


def wipe_prometheus(rig: Rig) -> None:
    rig.bed.prometheus.stop()
    rig.bed.prometheus.wipe()


def start_prometheus(rig: Rig) -> None:
    rig.bed.prometheus.start()
