"""A model sleeps at night, is woken before its morning, goes to zero over a long gap, and comes back on the first held
request: with the real scheduler's preemption and endpoints, simulated engines and a simulated gateway.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from napping import Watch, model, placeholder, priority_class, recorded, service, twin
from operating import Running, operator
from resting import Gateway, gateway, resource

from foretide.cli.bed.bed import Bed

pytestmark = [pytest.mark.bed, pytest.mark.timeout(1200)]
KEEP_ALIVE_S = 60.0
GAP_ROWS = 6
"""Looks that the gap lasts for, so that it is seen."""
PATIENCE_S = 400.0
"""Idle time is told by whole minutes, and the machine may be loaded."""
TIERS = [
    {"name": "sleeping", "wakeTime": "3s", "price": "0.1", "keepFor": "30s", "port": 8000},
    {"name": "placeholder", "wakeTime": "20s", "price": "0.05", "deployment": "hold"},
]
POOL = {"targetRef": {"name": "llama"}, "accelerator": "H100", "minReplicas": 0, "maxReplicas": 1}
OBJECTIVE = {"ttft": {"threshold": "500ms"}, "window": "20s"}
"""While requests were held within the window, replicas may only rise; five minutes of that would make a long test."""
WARM = {"scaleToZero": True, "keepAlive": "1m", "tiers": TIERS, "placeholderPriorityClass": "foretide-placeholder"}


@dataclass
class Night:
    """All that one test looks at."""

    bed: Bed
    namespace: str
    front: Gateway
    running: Running
    watch: Watch
    engines: str

    def until(self, what: Callable[[], bool]) -> None:
        self.running.until(what, patience_s=PATIENCE_S)

    def asleep(self) -> bool:
        return self.watch.naps() == ["Asleep"]

    def says_it_sleeps(self) -> bool:
        pod = self.watch.pods()[0]["metadata"]["name"]
        with urllib.request.urlopen(f"{self.engines}/pods/{pod}/is_sleeping", timeout=5) as answer:
            return bool(json.load(answer)["is_sleeping"])

    def known_beforehand(self, *, within_s: float) -> None:
        """The owner knows of demand that begins soon."""
        start = datetime.now(UTC) + timedelta(seconds=within_s)
        end = start + timedelta(seconds=20)
        written = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}", "expectedDemand": "2/s"}
        patch = json.dumps({"spec": {"schedule": [{"name": "morning", **written}]}})
        self.bed.kubectl("patch", "-n", self.namespace, "infa", "llama", "--type=merge", "-p", patch)


@contextmanager
def night(bed: Bed, namespace: str, folder: Path) -> Iterator[Night]:
    node = bed.add_gpu_nodes(1, gpus=1)[0]
    bed.apply(priority_class())
    bed.apply(model(node), service(), placeholder(node), namespace=namespace)
    engines = twin(bed, namespace, folder)
    address = f"{engines.url}/pods/{{pod}}"
    try:
        with (
            gateway(bed, namespace) as front,
            operator(bed, namespace, folder, engine_address=address, cold_start="4s") as running,
        ):
            watch = Watch(bed, namespace, front)
            with recorded(watch, folder / "run.csv"):
                bed.apply(resource(warm=WARM, pools=[POOL], objective=OBJECTIVE), namespace=namespace)
                running.until(lambda: running.status().get("lastDecision", {}).get("forecast") is not None)
                running.until(lambda: front.done > 6)
                yield Night(bed, namespace, front, running, watch, engines.url)
    finally:
        bed.stop_twin(engines)
        bed.kubectl("delete", "-n", namespace, "deployment", "llama", "hold")
        bed.remove_nodes([node])


def sleeps_at_night_and_is_woken_before_the_morning(found: Night) -> None:
    found.front.rate = 0.0
    found.until(found.asleep)
    found.until(lambda: found.watch.endpoints() == 0)
    assert found.says_it_sleeps()
    assert found.running.replicas() == 1
    asked = found.front.asked
    found.known_beforehand(within_s=40.0)
    found.until(lambda: found.watch.naps() == ["Awake"] and found.watch.endpoints() == 1)
    assert found.front.asked == asked, "it was woken by what was known, not by a request"
    assert not found.says_it_sleeps()
    found.front.ask(5.0)
    found.until(lambda: found.front.held == 0.0)


def goes_to_zero_over_a_gap_and_holds_its_node(found: Night) -> None:
    found.until(lambda: found.running.replicas() == 0)
    found.until(lambda: found.watch.placeholders() == 1)
    found.until(lambda: sum(row.placeholders for row in found.watch.rows) >= GAP_ROWS)


def comes_back_on_the_first_held_request(found: Night) -> None:
    found.front.ask(3.0)
    assert found.front.held == pytest.approx(3.0)
    found.until(lambda: found.running.replicas() >= 1)
    found.until(lambda: found.front.held == 0.0)
    assert found.front.done == found.front.asked
    events = found.bed.get("-n", found.namespace, "events", "--field-selector=reason=Preempted")["items"]
    assert [event["involvedObject"]["name"].startswith("hold-") for event in events] == [True]
    found.until(lambda: not found.watch.pods("hold"))


def stays_while_prometheus_is_down(found: Night) -> None:
    found.bed.prometheus.stop()
    try:
        end = time.monotonic() + 1.5 * KEEP_ALIVE_S
        while time.monotonic() < end:
            assert found.running.replicas() == 1
            assert found.watch.naps() == ["Awake"]
            time.sleep(1.0)
    finally:
        found.bed.prometheus.start()


def test_a_model_sleeps_is_woken_goes_to_zero_comes_back_and_stays_where_nothing_is_known(
    with_crd: Bed, namespace: str, tmp_path: Path
) -> None:
    with night(with_crd, namespace, tmp_path) as found:
        sleeps_at_night_and_is_woken_before_the_morning(found)
        goes_to_zero_over_a_gap_and_holds_its_node(found)
        comes_back_on_the_first_held_request(found)
        stays_while_prometheus_is_down(found)
        found.until(lambda: found.running.status().get("warm", {}).get("coldStartedRequests", 0) >= 3)
        wakes = {one["tier"] for one in found.running.status()["warm"]["wakes"]}
        assert {"sleeping", "placeholder"} <= wakes
