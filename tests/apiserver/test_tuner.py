"""The tuner as a process on a real control plane with a real Prometheus: what it sets, and what it takes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import deployment
from operating import Running
from tuned_engines import BEST, TunedEngines, tuned_engines, tuner

from foretide.cli.bed.bed import Bed
from foretide.cli.main import run

pytestmark = pytest.mark.bed
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "inferenceautoscaler.yaml"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "name": "llama-settings"}
LIVE = {"objectRef": MAP, "fieldPath": "data['max-num-seqs']"}
ARGUMENT = {
    "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
    "fieldPath": "spec.template.spec.containers[engine].args[--max-num-seqs]",
}


@pytest.fixture
def world(with_crd: Bed, namespace: str) -> Iterator[TunedEngines]:
    """Three ready replicas that end 40 requests/s together, nine of ten in time, with room for 100 at once."""
    if not with_crd.get("nodes")["items"]:
        with_crd.add_gpu_nodes(2)
    body = deployment(replicas=3)
    body["spec"]["template"]["spec"]["containers"][0]["args"] = ["serve", "--max-num-seqs=100"]
    settings = MAP | {"metadata": {"name": "llama-settings"}, "data": {"max-num-seqs": "100", "other": "kept"}}
    del settings["name"]
    with_crd.apply(body, settings, namespace=namespace)
    with tuned_engines(with_crd, namespace, rate=40.0) as farm:
        yield farm


def apply(farm: TunedEngines, knob: dict[str, Any], *, mode: str = "Auto") -> None:
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    objective = {"ttft": {"threshold": "250ms"}, "tpot": {"threshold": "50ms"}}
    body["spec"] |= {
        "mode": mode,
        "model": "Llama-3.1-8B",
        "objective": objective,
        "concurrency": {"knob": knob, "min": 8, "max": 256},
    }
    farm.bed.apply(body, namespace=farm.namespace)


def told(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = running.status().get("concurrency", {})
    return found


def setting(farm: TunedEngines) -> str:
    return str(farm.bed.get("-n", farm.namespace, "configmap", "llama-settings")["data"]["max-num-seqs"])


def argument(farm: TunedEngines) -> str:
    pod = farm.bed.get("-n", farm.namespace, "deployment", "llama")["spec"]["template"]["spec"]
    return str(pod["containers"][0]["args"][1])


def events(farm: TunedEngines) -> dict[str, str]:
    return {event["reason"]: event["message"] for event in farm.bed.get("-n", farm.namespace, "events")["items"]}


def explained(farm: TunedEngines, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        run(["explain", f"{farm.namespace}/llama", f"--kubeconfig={farm.bed.kubeconfig}"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_a_setting_is_tuned_and_a_slow_down_brings_the_old_one_back_even_after_a_crash(
    world: TunedEngines, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tuner(world.bed, world.namespace, tmp_path) as first:
        apply(world, LIVE)
        first.until(lambda: setting(world) == str(BEST))
        first.until(lambda: told(first).get("lastChange") is not None)
        assert first.page(first.health, "/healthz")[0] == 200
        assert 'reason="Changed"' in first.page(first.health, "/metrics")[1]
        assert f"{BEST} requests at once on each replica, n* is {BEST}; OnTrial" in explained(world, capsys)
        first.process.kill()
        first.process.wait()
    world.share = 0.4
    with tuner(world.bed, world.namespace, tmp_path) as second:
        second.until(lambda: setting(world) == "100")
        second.until(lambda: told(second).get("lastChange", {}).get("reason") == "RolledBack")
    found = events(world)
    assert f"100 -> {BEST}: n* is {BEST}, not 100" in found["LimitChanged"]
    assert f"{BEST} -> 100: 100 -> {BEST} kept" in found["LimitRolledBack"]
    story = explained(world, capsys)
    assert "concurrency: 100 requests at once on each replica" in story
    assert f"{BEST} -> 100  RolledBack" in story
    stored = world.bed.get("-n", world.namespace, "configmap", "llama-settings", "--show-managed-fields")
    assert stored["data"]["other"] == "kept"
    ours = [entry for entry in stored["metadata"]["managedFields"] if entry["manager"] == "foretide-tuner"]
    assert [json.dumps(entry["fieldsV1"]) for entry in ours] == ['{"f:data": {"f:max-num-seqs": {}}}']


def test_an_argument_is_tuned_once_and_judged_by_its_new_pods(world: TunedEngines, tmp_path: Path) -> None:
    before = {pod["metadata"]["name"] for pod in world.bed.get("-n", world.namespace, "pods")["items"]}
    with tuner(world.bed, world.namespace, tmp_path) as running:
        apply(world, ARGUMENT)
        running.until(lambda: argument(world) == f"--max-num-seqs={BEST}")
        running.until(lambda: told(running).get("reason") == "OnTrial")
        after = {pod["metadata"]["name"] for pod in world.bed.get("-n", world.namespace, "pods")["items"]}
        assert not before & after
        running.until(lambda: told(running).get("reason") == "Steady")
    assert told(running)["limit"] == BEST
    assert world.bed.get("-n", world.namespace, "deployment", "llama")["spec"]["replicas"] == 3


def test_another_writer_is_told_apart_and_left_alone(world: TunedEngines, tmp_path: Path) -> None:
    with tuner(world.bed, world.namespace, tmp_path) as running:
        apply(world, LIVE)
        running.until(lambda: told(running).get("reason") == "OnTrial")
        world.bed.kubectl(
            "patch", "-n", world.namespace, "configmap", "llama-settings", "-p", '{"data":{"max-num-seqs":"128"}}'
        )
        running.until(lambda: told(running).get("reason") == "Conflict")
        running.until(lambda: "LimitConflict" in events(world))
    assert setting(world) == "128"


def test_in_mode_recommend_it_only_publishes(world: TunedEngines, tmp_path: Path) -> None:
    with tuner(world.bed, world.namespace, tmp_path) as running:
        apply(world, LIVE, mode="Recommend")
        running.until(lambda: told(running).get("reason") == "Recommending")
        assert (told(running)["limit"], told(running)["baseline"]) == (100, BEST)
    assert setting(world) == "100"
    assert "LimitChanged" not in events(world)
