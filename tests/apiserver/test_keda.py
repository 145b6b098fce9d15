"""Real KEDA 2.16, its HPA and the real controllers do what Foretide decides, and nothing where it says nothing.

Skipped where nobody has built it (`foretide dev build --with keda`).
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import deployment, engines
from installed import autoscaler
from keda_bed import RealKeda, built, real_keda
from typer.testing import CliRunner

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import Process, free_port, listening, start, stop
from foretide.cli.main import app
from foretide.operator.keda.answer import Answer, Refusal, Why
from foretide.operator.keda.scaler import Scaler
from foretide.operator.keda.serving import started
from foretide.operator.seams import Key

pytestmark = pytest.mark.bed
PATIENCE_S = 90.0
SILENT = Refusal(Why.STALE, "the test says nothing")
QUICK = ("plan-interval=2s", "relief-interval=1s", "step=2s", "first-life=10s", "backfill=2m", "relist-interval=5s",
         "status-interval=2s", "cold-start=2s", "cold-start-sigma=0.1")  # fmt: skip


@pytest.fixture(scope="module")
def keda(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKeda]:
    built()
    bed: Bed = request.getfixturevalue("with_crd")
    if not bed.get("nodes")["items"]:
        bed.add_gpu_nodes(4)
    with real_keda(bed, tmp_path_factory.mktemp("keda")) as running:
        yield running


@dataclass
class Told:
    """Decisions that a test makes."""

    found: Answer | Refusal = SILENT
    watchers: list[asyncio.Event] = field(default_factory=list)
    stopping: bool = False
    asked: int = 0

    def answer(self, key: Key, *, pool: str) -> Answer | Refusal:
        self.asked += 1
        return self.found

    @contextmanager
    def watching(self, key: Key) -> Iterator[asyncio.Event]:
        self.watchers.append(asyncio.Event())
        yield self.watchers[-1]

    def say(self, found: Answer | Refusal) -> None:
        self.found = found
        for news in self.watchers:
            news.set()


@dataclass
class Stage:
    """A Deployment in a namespace of its own, which KEDA scales as `told` says."""

    keda: RealKeda
    namespace: str
    told: Told
    port: int

    def apply(self, *, replicas: int, **changes: Any) -> None:
        self.keda.bed.apply(deployment(replicas=replicas), namespace=self.namespace)
        body = autoscaler(actuation="keda")
        body["metadata"]["namespace"] = self.namespace
        body["spec"]["pools"][0]["maxReplicas"] = 40
        manifest = printed(body, self.port, folder=self.keda.operator.log.parent)
        manifest["spec"] |= changes
        self.keda.bed.apply(manifest, namespace=self.namespace)

    def replicas(self) -> int:
        return int(self.keda.bed.get("-n", self.namespace, "deployment", "llama")["spec"]["replicas"])

    async def until(self, what: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
        """Waits until it holds; for how many seconds."""
        began = time.monotonic()
        while not await asyncio.to_thread(what):
            assert time.monotonic() - began < patience_s, f"{self.replicas()} replicas\n{self.keda.said()}"
            await asyncio.sleep(0.2)
        return time.monotonic() - began

    async def polled(self, times: int) -> None:
        """Waits until it was asked so often."""
        since = self.told.asked
        await self.until(lambda: self.told.asked >= since + times)


def printed(body: dict[str, Any], port: int, *, folder: Path) -> dict[str, Any]:
    """What `foretide keda` prints for KEDA 2.16."""
    file = folder / f"{body['metadata']['namespace']}.yaml"
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    options = ["--address", f"127.0.0.1:{port}", "--keda-version", "2.16"]
    done = CliRunner().invoke(app, ["keda", str(file), *options], catch_exceptions=False)
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


@pytest.fixture
async def stage(keda: RealKeda, namespace: str) -> AsyncIterator[Stage]:
    async with staged(keda, namespace) as found:
        yield found


@asynccontextmanager
async def staged(keda: RealKeda, namespace: str) -> AsyncIterator[Stage]:
    told = Told()
    server, port = await started("127.0.0.1:0", Scaler(told, count=lambda _: None))
    try:
        yield Stage(keda, namespace, told, port)
    finally:
        await asyncio.to_thread(
            keda.bed.kubectl, "delete", "-n", namespace, "scaledobject", "llama", "--ignore-not-found"
        )
        told.stopping = True
        told.say(SILENT)
        await server.stop(1)


async def test_the_count_is_carried_out_as_it_is_said_in_both_directions(stage: Stage) -> None:
    stage.told.say(Answer(2))
    stage.apply(replicas=2)
    for count in (6, 17, 3):
        stage.told.say(Answer(count))
        await stage.until(lambda count=count: stage.replicas() == count)


async def test_a_tenth_more_is_left_alone_by_the_hpa_as_the_page_says(stage: Stage) -> None:
    stage.told.say(Answer(20))
    stage.apply(replicas=20)
    await stage.polled(10)
    stage.told.say(Answer(21))
    await stage.polled(20)
    assert stage.replicas() == 20
    stage.told.say(Answer(23))
    await stage.until(lambda: stage.replicas() == 23)


async def test_a_push_takes_a_target_from_zero_at_once_and_a_decided_zero_takes_it_back(stage: Stage) -> None:
    stage.told.say(Answer(0))
    stage.apply(replicas=0, minReplicaCount=0, pollingInterval=5, cooldownPeriod=1)
    await stage.polled(3)
    assert stage.replicas() == 0
    streams = len(stage.told.watchers)
    stage.keda.bed.kubectl(
        "patch", "-n", stage.namespace, "scaledobject", "llama", "--type=merge", '-p={"spec":{"pollingInterval":3600}}'
    )
    await stage.until(lambda: len(stage.told.watchers) > streams)
    await asyncio.sleep(2)
    stage.told.say(Answer(1))
    assert await stage.until(lambda: stage.replicas() == 1, 10.0) < 5.0
    stage.keda.bed.kubectl(
        "patch", "-n", stage.namespace, "scaledobject", "llama", "--type=merge", '-p={"spec":{"pollingInterval":2}}'
    )
    stage.told.say(Answer(0))
    await stage.until(lambda: stage.replicas() == 0)


async def test_while_nothing_is_said_nothing_moves_not_even_where_zero_is_allowed(stage: Stage) -> None:
    stage.told.say(Answer(4))
    stage.apply(replicas=2, minReplicaCount=0, pollingInterval=1, cooldownPeriod=1)
    await stage.until(lambda: stage.replicas() == 4)
    stage.told.say(SILENT)
    await stage.polled(20)
    assert stage.replicas() == 4
    stage.told.say(Answer(5))
    await stage.until(lambda: stage.replicas() == 5)


async def test_this_keda_writes_a_fallback_at_the_first_error_which_is_why_it_gets_none(stage: Stage) -> None:
    stage.told.say(Answer(6))
    stage.apply(replicas=2, pollingInterval=1, fallback={"failureThreshold": 1000, "replicas": 3})
    await stage.until(lambda: stage.replicas() == 6)
    stage.told.say(SILENT)
    await stage.until(lambda: stage.replicas() == 3, 20.0)


def test_the_whole_way_from_demand_to_replicas_and_holding_when_the_operator_is_gone(
    keda: RealKeda, namespace: str, tmp_path: Path
) -> None:
    bed, port = keda.bed, free_port()
    body = autoscaler(actuation="keda")
    body["metadata"]["namespace"] = namespace
    bed.apply(deployment(replicas=2), body, namespace=namespace)

    def replicas() -> int:
        return int(bed.get("-n", namespace, "deployment", "llama")["spec"]["replicas"])

    operator = operating(bed, namespace, tmp_path, port)
    try:
        with engines(bed, namespace, rate=1.0) as farm:
            until(lambda: condition(bed, namespace, "AbleToScale").get("reason") == "NoScaledObject", operator)
            until(lambda: listening(port), operator)
            bed.apply(printed(body, port, folder=tmp_path), namespace=namespace)
            farm.rate = 4.0
            until(lambda: replicas() >= 6, operator)
            high = replicas()
            assert condition(bed, namespace, "Conflict")["status"] == "False"
            assert condition(bed, namespace, "AbleToScale")["status"] == "True"
            farm.rate = 0.5
            until(lambda: replicas() < high, operator)
    finally:
        stop([operator])
    said = operator.log.read_text()
    assert "is told to scale Deployment llama" in said
    assert "Traceback" not in said
    writers = bed.get("-n", namespace, "deployment", "llama", "--show-managed-fields")["metadata"]["managedFields"]
    assert "foretide" not in {one["manager"] for one in writers}
    left = replicas()
    time.sleep(20)
    assert replicas() == left
    bed.kubectl("delete", "-n", namespace, "scaledobject", "llama")


def operating(bed: Bed, namespace: str, folder: Path, port: int) -> Process:
    program = Path(sys.executable).with_name("foretide")
    flags = [
        f"--kubeconfig={bed.kubeconfig}",
        f"--source=default={bed.prometheus.url}",
        f"--scrape-interval={bed.prometheus.scrape_s:g}s",
        f"--namespace={namespace}",
        f"--lease-namespace={namespace}",
        f"--cache={folder / 'cache'}",
        f"--health=127.0.0.1:{free_port()}",
        f"--metrics=127.0.0.1:{free_port()}",
        f"--keda=127.0.0.1:{port}",
        *(f"--{setting}" for setting in QUICK),
    ]
    return start("foretide", [program, "operator", *flags], log=folder / "operator.log", attached=True)


def until(what: Callable[[], bool], operator: Process) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert operator.alive, operator.last_words
        assert time.monotonic() < end, operator.log.read_text()[-4000:]
        time.sleep(0.3)


def condition(bed: Bed, namespace: str, kind: str) -> dict[str, Any]:
    status = bed.get("-n", namespace, "infa", "llama").get("status") or {}
    return next((item for item in status.get("conditions", ()) if item["type"] == kind), {})
