"""The bed itself: what tests on it may rely on."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.nodes import GPU
from foretide.cli.bed.processes import BedFailed, wait_for
from foretide.cli.bed.traffic import Load, Twin
from foretide.cli.dev import deployment
from foretide.cli.problems import BadInput

pytestmark = pytest.mark.bed
PRODUCT, GPUS, COLD_START_S = "two-gpus-of-test-bed", 2, 2
REQUESTS = 60


@pytest.fixture(scope="module", autouse=True)
def node(bed: Bed) -> Iterator[None]:
    """A machine that only the pods of this file ask for."""
    names = bed.add_gpu_nodes(1, gpus=GPUS, product=PRODUCT)
    yield
    bed.remove_nodes(names)


@pytest.fixture
def twin(bed: Bed, namespace: str, tmp_path: Path) -> Iterator[Twin]:
    """Five small requests a second for twelve seconds, for the pods of `chat`."""
    trace = tmp_path / "requests.csv"
    rows = [f"{index / 5},200,20" for index in range(REQUESTS)]
    trace.write_text("\n".join(["arrival_s,prompt_tokens,output_tokens", *rows]) + "\n")
    running = bed.start_twin(Load(trace=trace, namespace=namespace, selector="app=chat"))
    yield running
    bed.stop_twin(running)


def chat(*, replicas: int) -> dict[str, Any]:
    labels = {"app": "chat"}
    container = {"name": "engine", "image": "vllm/vllm-openai", "resources": {"limits": {GPU: "1"}}}
    spec = {"containers": [container], "nodeSelector": {"nvidia.com/gpu.product": PRODUCT}}
    annotations = {"foretide.io/start-delay": f"{COLD_START_S}s"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec},
        },
    }


def pods(bed: Bed, namespace: str) -> list[dict[str, Any]]:
    return list(bed.get("-n", namespace, "pods", "-l", "app=chat")["items"])


def when(pod: dict[str, Any], condition: str) -> datetime | None:
    """Since when the condition of a pod is true."""
    found = [one for one in pod["status"].get("conditions", []) if (one["type"], one["status"]) == (condition, "True")]
    return datetime.fromisoformat(found[0]["lastTransitionTime"]) if found else None


def ready(bed: Bed, namespace: str) -> int:
    return sum(when(pod, "Ready") is not None for pod in pods(bed, namespace))


def soon(condition: Callable[[], bool], what: str) -> None:
    wait_for(condition, what=what, patience_s=30)


def test_pods_become_ready_after_their_cold_start_and_room_for_more_is_not_invented(bed: Bed, namespace: str) -> None:
    bed.apply(chat(replicas=GPUS + 1), namespace=namespace)
    soon(lambda: ready(bed, namespace) == GPUS, "ready pods")

    placed = [pod for pod in pods(bed, namespace) if when(pod, "Ready")]
    for pod in placed:
        scheduled, became_ready = when(pod, "PodScheduled"), when(pod, "Ready")
        assert scheduled
        assert became_ready
        # both are whole seconds
        assert (became_ready - scheduled).total_seconds() >= COLD_START_S - 1
        assert pod["status"]["phase"] == "Running"
    (left_over,) = [pod for pod in pods(bed, namespace) if not when(pod, "Ready")]
    assert left_over["status"]["phase"] == "Pending"
    assert [one["reason"] for one in left_over["status"]["conditions"]] == ["Unschedulable"]


def test_scale_is_a_subresource_and_pods_that_are_scaled_away_end(bed: Bed, namespace: str) -> None:
    bed.apply(chat(replicas=2), namespace=namespace)
    soon(lambda: ready(bed, namespace) == 2, "ready pods")

    bed.kubectl("scale", "-n", namespace, "deployment/chat", "--replicas=1")

    soon(lambda: len(pods(bed, namespace)) == 1, "the end of a pod")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/chat/scale"
    assert '"replicas":1' in bed.kubectl("get", "--raw", path)


def test_every_ready_pod_is_scraped_and_counts_every_request_it_served(bed: Bed, namespace: str, twin: Twin) -> None:
    bed.apply(chat(replicas=2), namespace=namespace)
    ours = f'{{namespace="{namespace}"}}'
    soon(lambda: len(bed.prometheus.query(f"vllm:num_requests_running{ours}")) == 2, "a sample of each ready pod")

    scraped = {sample.labels["pod"] for sample in bed.prometheus.query(f"vllm:num_requests_waiting{ours}")}
    assert scraped == {pod["metadata"]["name"] for pod in pods(bed, namespace)}
    soon(lambda: twin.truth()["finished"] == REQUESTS, "the end of the trace")
    counted = f"sum(vllm:request_success_total{ours})"
    soon(lambda: bed.prometheus.query(counted)[0].value == REQUESTS, "each request counted once")
    # those of the first seconds waited for a pod, longer than was promised
    assert 0 < twin.truth()["all"]["joint"] < 1


def test_a_vanished_pod_is_scraped_no_more(bed: Bed, namespace: str, twin: Twin) -> None:
    bed.apply(chat(replicas=1), namespace=namespace)
    running = f'vllm:num_requests_running{{namespace="{namespace}"}}'
    soon(lambda: len(bed.prometheus.query(running)) == 1, "a sample")

    bed.kubectl("scale", "-n", namespace, "deployment/chat", "--replicas=0")

    soon(lambda: bed.prometheus.query(running) == [], "stale series")
    assert twin.truth()["ready"] == 0


def test_prometheus_can_be_taken_away_and_comes_back_where_it_was(bed: Bed) -> None:
    before = bed.prometheus.url
    bed.prometheus.stop()
    with pytest.raises(BedFailed, match="does not answer"):
        bed.prometheus.query("up")

    bed.prometheus.wipe()
    bed.prometheus.start()

    assert bed.prometheus.url == before
    assert bed.prometheus.query("vector(1)")[0].value == 1.0


def test_what_kubectl_complains_about_is_said(bed: Bed) -> None:
    with pytest.raises(BedFailed, match="nothing-of-this-name"):
        bed.kubectl("get", "namespace", "nothing-of-this-name")


def test_traffic_for_a_deployment_that_is_not_there_names_it(bed: Bed, namespace: str) -> None:
    with pytest.raises(BadInput, match=f"target: {namespace}/nobody: no such Deployment; create it"):
        deployment(bed, namespace, "nobody")
