"""The operator as a process on a real control plane with a real Prometheus, in accelerated time."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import Engines, deployment, engines
from operating import FAST, operator

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

pytestmark = pytest.mark.bed
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "inferenceautoscaler.yaml"


@pytest.fixture
def world(with_crd: Bed, namespace: str) -> Iterator[Engines]:
    """Two ready replicas that serve 1 request/s together."""
    if not with_crd.get("nodes")["items"]:
        with_crd.add_gpu_nodes(2)
    with_crd.apply(deployment(replicas=2), namespace=namespace)
    with engines(with_crd, namespace, rate=1.0) as farm:
        yield farm


def apply(farm: Engines, **spec: Any) -> None:
    """The ten-line resource in mode Auto, for a model that nobody has profiled."""
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["spec"] |= {"mode": "Auto", "model": "acme/unknown", "behavior": FAST} | spec
    farm.bed.apply(body, namespace=farm.namespace)


def test_a_rising_demand_raises_replicas_and_a_falling_one_lowers_them(world: Engines, tmp_path: Path) -> None:
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        running.until(lambda: running.status().get("lastDecision", {}).get("forecast") is not None)
        world.rate = 4.0
        running.until(lambda: running.replicas() >= 6)
        high = running.replicas()
        running.until(lambda: running.status()["pools"][0]["ready"] == high)
        world.rate = 0.5
        running.until(lambda: running.replicas() < high)
        stored = world.bed.get("-n", world.namespace, "infa", "llama")
        described = world.bed.kubectl("describe", "-n", world.namespace, "infa", "llama")
    assert "finalizers" not in stored["metadata"]
    assert not [name for name in stored["metadata"]["annotations"] if "kopf" in name]
    assert {change["reason"] for change in stored["status"]["history"]} <= {"DemandRises", "DemandFalls", "Backlog"}
    for word in ("Violation Probability", "Lead Time", "Forecast", "Reason", "Scaled"):
        assert word in described


def test_a_killed_operator_comes_back_without_a_wrong_move(world: Engines, tmp_path: Path) -> None:
    world.rate = 4.0
    with operator(world.bed, world.namespace, tmp_path) as first:
        apply(world)
        first.until(lambda: first.replicas() >= 6)
        first.process.kill()
        first.process.wait()
    before = first.replicas()
    with operator(world.bed, world.namespace, tmp_path, first_life="10m") as second:
        second.until(lambda: "leads" in second.log.read_text().rpartition("Initial authentication")[2])
        at = second.status()["lastDecision"]["time"]
        second.until(lambda: second.status()["lastDecision"]["time"] > at)
        time.sleep(4)
        assert second.replicas() >= before


def test_without_prometheus_the_count_holds_and_the_status_says_why(world: Engines, tmp_path: Path) -> None:
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        running.until(lambda: running.status().get("lastDecision", {}).get("forecast") is not None)
        world.bed.prometheus.stop()
        try:
            running.until(lambda: running.reason() == "MetricsAbsent")
            held = running.replicas()
            time.sleep(12)
            assert running.replicas() == held
            message = next(item["message"] for item in running.status()["conditions"] if item["type"] == "Ready")
            assert "source default: unreachable" in message
            assert running.page(running.health, "/healthz")[0] == 200, "a source that is down is no fault of ours"
        finally:
            world.bed.prometheus.start()
        running.until(lambda: running.reason() not in ("MetricsAbsent", "MetricsStale"))


def test_impossible_metrics_hold_the_count(world: Engines, tmp_path: Path) -> None:
    world.running = "NaN"
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        running.until(lambda: running.reason() == "MetricsInvalid")
        time.sleep(11)
        assert running.replicas() == 2


def test_a_target_of_an_hpa_is_a_conflict_and_is_left_alone(world: Engines, tmp_path: Path) -> None:
    world.rate = 4.0
    world.bed.kubectl("autoscale", "-n", world.namespace, "deployment/llama", "--min=2", "--max=3")
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        running.until(lambda: running.reason() == "Conflict")
        time.sleep(6)
        assert running.replicas() <= 3
        assert running.status()["history"] == []


def test_whoever_keeps_writing_the_replicas_is_named_and_left_alone_until_the_owner_resumes(
    world: Engines, tmp_path: Path
) -> None:
    world.rate = 4.0
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        for _ in range(3):
            running.until(lambda: running.replicas() >= 6)
            manager = "--field-manager=argocd-controller"
            patch = ("--type=merge", "--subresource=scale", "-p", '{"spec":{"replicas":2}}')
            world.bed.kubectl("patch", "-n", world.namespace, "deployment/llama", manager, *patch)
        running.until(lambda: running.reason() == "ForeignWrites")
        conflict = next(one for one in running.status()["conditions"] if one["type"] == "Conflict")
        assert conflict["message"].startswith("argocd-controller changed the replicas that we wrote 3 times")
        planned = running.status()["lastDecision"]["time"]
        running.until(lambda: running.status()["lastDecision"]["time"] > planned)
        assert running.replicas() == 2
        world.bed.kubectl("annotate", "-n", world.namespace, "infa", "llama", "autoscaling.foretide.io/resume=now")
        running.until(lambda: running.replicas() >= 6)


@pytest.mark.parametrize(
    ("target", "reason"), [({"name": "nobody"}, "TargetNotFound"), ({"kind": "DaemonSet"}, "TargetNotScalable")]
)
def test_a_target_that_cannot_be_scaled_says_so(
    world: Engines, tmp_path: Path, target: dict[str, str], reason: str
) -> None:
    pool = {"targetRef": {"name": "llama"} | target, "accelerator": "H100", "maxReplicas": 4}
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world, pools=[pool])
        running.until(lambda: running.reason() == reason)
    events = world.bed.kubectl("get", "-n", world.namespace, "events", "-o", "json")
    assert reason in {event["reason"] for event in json.loads(events)["items"]}


def test_recommend_publishes_and_never_acts_and_a_pause_is_obeyed(world: Engines, tmp_path: Path) -> None:
    world.rate = 4.0
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world, mode="Recommend")
        running.until(lambda: running.status().get("pools", [{}])[0].get("desired", 0) >= 6)
        assert running.replicas() == 2
        annotation = "autoscaling.foretide.io/paused=true"
        world.bed.kubectl("annotate", "-n", world.namespace, "infa", "llama", annotation)
        running.until(lambda: running.reason() == "Paused")
        world.bed.kubectl(
            "patch", "-n", world.namespace, "infa", "llama", "--type=merge", "-p", '{"spec":{"mode":"Auto"}}'
        )
        time.sleep(5)
        assert running.replicas() == 2
        world.bed.kubectl("annotate", "-n", world.namespace, "infa", "llama", "autoscaling.foretide.io/paused-")
        running.until(lambda: running.replicas() >= 6)


def test_approve_waits_for_a_word_refuses_a_wrong_one_and_keeps_a_scorecard(world: Engines, tmp_path: Path) -> None:
    world.rate = 4.0

    def approve(written: str) -> None:
        annotation = f"autoscaling.foretide.io/approve={written}"
        world.bed.kubectl("annotate", "-n", world.namespace, "infa", "llama", "--overwrite", annotation)

    def refusals() -> list[str]:
        events = json.loads(world.bed.kubectl("get", "-n", world.namespace, "events", "-o", "json"))["items"]
        return [event["message"] for event in events if event["reason"] == "ApprovalRefused"]

    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world, mode="Approve", objective={"ttft": {"threshold": "500ms"}, "window": "10s"})
        running.until(lambda: running.status().get("pendingApproval", {}).get("to", 0) >= 6)
        waits = running.status()["pendingApproval"]
        assert waits["from"] == 2
        approve(f"{waits['to']}@00000000")
        running.until(lambda: bool(refusals()))
        assert running.replicas() == 2
        running.until(lambda: float(running.status().get("scorecard", {}).get("hours", "0")) > 0)
        told = []

        def carried_out() -> bool:
            """What waits may change while it is being approved: then the next one is."""
            if running.replicas() == 2 and (waits := running.status().get("pendingApproval")):
                told.append(waits)
                approve(f"{waits['to']}@{waits['id']}")
            return running.replicas() != 2

        running.until(carried_out)
        assert running.replicas() in {waits["to"] for waits in told}
        running.until(lambda: running.status().get("pendingApproval", {}).get("id") not in {one["id"] for one in told})
        assert "00000000" in refusals()[0]
        described = world.bed.kubectl("describe", "-n", world.namespace, "infa", "llama")
        metrics = running.page(running.metrics, "/metrics")[1]
    for word in ("Scorecard", "Gpu Hours", "Promise Kept", "Left Out", "Unwatched"):
        assert word in described
    assert f'foretide_scorecard_gpu_hours{{name="llama",namespace="{world.namespace}",who="foretide"}}' in metrics


def test_its_own_metrics_and_health_tell_how_it_is(world: Engines, tmp_path: Path) -> None:
    with operator(world.bed, world.namespace, tmp_path) as running:
        apply(world)
        running.until(lambda: bool(running.status()))
        code, health = running.page(running.health, "/healthz")
        assert (code, json.loads(health)) == (200, {"watchdog": "ok"})
        metrics = running.page(running.metrics, "/metrics")[1]
    for name in ("sweep_duration_seconds_count", "decision_total", "watch_divergence_total 0.0", "lease_is_leader 1.0"):
        assert f"foretide_{name}" in metrics


def test_its_page_shows_what_it_decided(world: Engines, tmp_path: Path) -> None:
    port = free_port()
    with operator(world.bed, world.namespace, tmp_path, page=f"127.0.0.1:{port}") as running:
        running.until(lambda: "leads" in running.log.read_text())
        assert "No InferenceAutoscaler exists yet" in running.page(port, "/")[1]
        apply(world, mode="Recommend")
        target = f"/target/{world.namespace}/llama"
        running.until(lambda: target in running.page(port, "/")[1])
        running.until(lambda: 'class="median"' in running.page(port, target)[1])
        told = json.loads(running.page(port, "/api/fleet")[1])
    assert told["operator"]["rounds"] >= 1
    assert told["rows"][0]["decided"]["counts"]["live"] == 2


def test_of_two_operators_one_acts_and_the_other_takes_over(world: Engines, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        operator(world.bed, world.namespace, tmp_path / "one") as one,
        operator(world.bed, world.namespace, tmp_path / "two") as two,
    ):
        apply(world)
        one.until(lambda: any(" leads" in each.log.read_text() for each in (one, two)))
        time.sleep(3)
        leading = [each for each in (one, two) if "lease_is_leader 1.0" in each.page(each.metrics, "/metrics")[1]]
        assert len(leading) == 1
        leading[0].process.send_signal(signal.SIGTERM)
        leading[0].process.wait(timeout=15)
        other = two if leading[0] is one else one
        other.until(lambda: "lease_is_leader 1.0" in other.page(other.metrics, "/metrics")[1])
