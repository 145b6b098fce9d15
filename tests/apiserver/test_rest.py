"""A model rests at zero behind a gateway that holds requests, and comes back for the first one; blind, it stays."""

import time
from pathlib import Path

import pytest
from engines import deployment
from operating import Running, operator
from resting import gateway, resource

from foretide.cli.bed.bed import Bed

pytestmark = [pytest.mark.bed, pytest.mark.timeout(600)]
KEEP_ALIVE_S = 60.0


def never_zero(running: Running, *, for_s: float) -> None:
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert running.replicas() > 0
        time.sleep(1.0)


def reasons(running: Running) -> set[str]:
    return {change["reason"] for change in running.status().get("history", ())}


def test_a_model_rests_at_zero_and_comes_back_on_the_first_held_request(
    with_crd: Bed, namespace: str, tmp_path: Path
) -> None:
    if not with_crd.get("nodes")["items"]:
        with_crd.add_gpu_nodes(2)
    with_crd.apply(deployment(replicas=1), namespace=namespace)
    with gateway(with_crd, namespace) as front, operator(with_crd, namespace, tmp_path) as running:
        with_crd.apply(resource(), namespace=namespace)
        running.until(lambda: running.status().get("lastDecision", {}).get("forecast") is not None)
        running.until(lambda: front.done > 6)

        front.rate = 0.0
        never_zero(running, for_s=0.4 * KEEP_ALIVE_S)
        front.up = False  # nobody tells any more: idle for longer than keepAlive, and it stays
        never_zero(running, for_s=0.8 * KEEP_ALIVE_S)
        front.up = True
        running.until(lambda: running.replicas() == 0)
        running.until(lambda: "Idle" in reasons(running))

        front.ask(3.0)
        assert front.held == pytest.approx(3.0)
        running.until(lambda: running.replicas() >= 1)
        running.until(lambda: front.held == 0.0)
        assert front.done == front.asked
        running.until(lambda: any(change["from"] == 0 for change in running.status().get("history", ())))
