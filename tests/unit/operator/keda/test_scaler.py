"""The external scaler over loopback, behind the shipped loop on twins: each answer, each refusal, each push."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
from asking import LLAMA, Keda, keda, ref
from shell import World, world
from twins import resource

from foretide.operator.keda.answer import Standing
from foretide.operator.keda.ledger import Ledger
from foretide.operator.keda.scaler import METRIC, Scaler
from foretide.operator.keda.serving import ended, started

STALE_S = 180.0
Code = grpc.StatusCode


@dataclass
class Served:
    """A world whose decisions are served; `counted` is what the operator's own metrics are told."""

    world: World
    ledger: Ledger
    keda: Keda
    counted: list[str] = field(default_factory=list)

    def stand(self, replicas: int, *, meant: bool = False) -> None:
        """Puts a standing in place of what a turn would leave."""
        at = self.world.clock.monotonic()
        standing = Standing("uid-llama", at, replicas, meant, float("-inf"))
        self.ledger._standings[self.world.registry.entries()[0].key] = standing
        self.ledger._wake(self.world.registry.entries()[0].key)

    async def refused(self, call: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call
        return refusal.value.code(), str(refusal.value.details())


@asynccontextmanager
async def served(*, rate: float = 45.0, replicas: int = 3, **spec: Any) -> AsyncIterator[Served]:
    found = world()
    found.deploy(replicas=replicas, **{"actuation": "keda"} | spec)
    found.serve(rate, pods=replicas)
    ledger = Ledger(found.registry, clock=found.clock, leads=lambda: found.leads, stale_s=STALE_S)
    found.decided = ledger.take
    found.begin_a_life()
    counted: list[str] = []
    server, port = await started("127.0.0.1:0", Scaler(ledger, count=counted.append))
    try:
        async with keda(port) as client:
            yield Served(found, ledger, client, counted)
    finally:
        await ended(server, ledger)


async def test_the_decided_count_is_the_metric_in_both_forms_and_nothing_is_written() -> None:
    async with served() as told:
        await told.world.plan()
        (value,) = (await told.keda.metrics()).metricValues
        assert (value.metricName, value.metricValue, value.metricValueFloat) == (METRIC, 5, 5.0)
        assert await told.keda.active()
        assert told.world.cluster.writes == []
        assert told.counted == ["ok", "ok"]


async def test_the_target_is_one_per_replica_and_told_before_anything_was_decided() -> None:
    async with served() as told:
        (spec,) = (await told.keda.spec()).metricSpecs
        assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == (METRIC, 1, 1.0)


async def test_before_the_first_decision_there_is_an_error_and_no_count() -> None:
    async with served() as told:
        for call in (told.keda.metrics(), told.keda.active()):
            code, line = await told.refused(call)
            assert (code, line) == (
                Code.UNAVAILABLE,
                "prod/llama: nothing was decided yet; see `foretide explain prod/llama`",
            )
        assert told.counted == ["unavailable", "unavailable"]


async def test_a_stale_decision_is_an_error() -> None:
    async with served() as told:
        await told.world.plan()
        told.world.clock.time += STALE_S
        assert await told.keda.active()
        told.world.clock.time += 1
        code, line = await told.refused(told.keda.metrics())
        assert (code, line) == (Code.UNAVAILABLE, "prod/llama: the last decision is 181 s old, 180 s are allowed")


async def test_a_wall_clock_that_jumps_makes_no_old_decision_young() -> None:
    async with served() as told:
        await told.world.plan()
        told.world.clock.time += STALE_S + 1
        told.world.clock.skew -= 3600
        assert (await told.refused(told.keda.active()))[0] is Code.UNAVAILABLE


async def test_an_operator_that_does_not_lead_says_so() -> None:
    async with served() as told:
        await told.world.plan()
        told.world.leads = False
        code, line = await told.refused(told.keda.metrics())
        assert (code, line) == (
            Code.UNAVAILABLE,
            "this operator does not lead; ask the one that holds the Lease",
        )
        stream = told.keda.stream()
        assert (await told.refused(stream.read()))[0] is Code.UNAVAILABLE


async def test_who_takes_the_lead_over_has_an_answer_at_once() -> None:
    async with served() as told:
        told.world.leads = False
        await told.world.plan()
        told.world.leads = True
        assert (await told.keda.metrics()).metricValues[0].metricValue == 5


async def test_zero_that_was_decided_is_inactive_and_zero() -> None:
    async with served() as told:
        told.stand(0, meant=True)
        assert not await told.keda.active()
        (value,) = (await told.keda.metrics()).metricValues
        assert (value.metricValue, value.metricValueFloat) == (0, 0.0)


async def test_zero_that_was_only_found_is_an_error() -> None:
    async with served() as told:
        told.stand(0)
        code, line = await told.refused(told.keda.active())
        assert code is Code.UNAVAILABLE
        assert "found at 0 replicas, which nobody decided" in line


async def test_a_target_that_somebody_put_to_zero_is_brought_back_and_never_answered_as_zero() -> None:
    async with served(replicas=0) as told:
        await told.world.plan()
        assert (await told.keda.metrics()).metricValues[0].metricValue == 1


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
async def test_in_a_mode_that_does_not_act_the_answer_is_what_is_there(mode: str) -> None:
    async with served(mode=mode) as told:
        await told.world.plan()
        assert told.world.status()["pools"][0]["desired"] == (5 if mode == "Recommend" else 3)
        assert (await told.keda.metrics()).metricValues[0].metricValue == 3


async def test_a_resource_that_writes_by_itself_is_not_answered_for() -> None:
    async with served(actuation="scale") as told:
        await told.world.plan()
        code, line = await told.refused(told.keda.metrics())
        assert code is Code.FAILED_PRECONDITION
        assert line == "spec.actuation: scale: set `actuation: keda` in prod/llama"


async def test_another_writer_of_the_target_is_named() -> None:
    async with served() as told:
        hpa = {"metadata": {"name": "other"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "llama"}}}
        told.world.cluster.other_scalers.append(hpa)
        await told.world.plan()
        code, line = await told.refused(told.keda.metrics())
        assert code is Code.FAILED_PRECONDITION
        assert "HorizontalPodAutoscaler other scales Deployment llama too" in line


async def test_a_resource_made_anew_under_its_old_name_has_decided_nothing_yet() -> None:
    async with served() as told:
        await told.world.plan()
        body = resource(actuation="keda")
        body["metadata"]["uid"] = "another"
        told.world.registry.see(body)
        assert (await told.refused(told.keda.active()))[0] is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("metadata", "code", "words"),
    [
        ({}, Code.INVALID_ARGUMENT, "autoscaler: missing from the trigger's metadata: add the name"),
        ({"autoScaler": "llama"}, Code.INVALID_ARGUMENT, "write it instead of autoScaler"),
        ({"autoscaler": ""}, Code.INVALID_ARGUMENT, "autoscaler: (empty): write the name"),
        ({"autoscaler": "prod/llama"}, Code.INVALID_ARGUMENT, "autoscaler: prod/llama: write the name"),
        ({"autoscaler": "x" * 300}, Code.INVALID_ARGUMENT, f"autoscaler: {'x' * 80}: write"),
        ({"autoscaler": "a\nb"}, Code.INVALID_ARGUMENT, "autoscaler: a b: write"),
        (LLAMA | {"pool": ""}, Code.INVALID_ARGUMENT, "pool: (empty): write the name of one of its pools"),
        (LLAMA | {"pool": "decode"}, Code.INVALID_ARGUMENT, "pool: decode: prod/llama has main"),
        ({"autoscaler": "lama"}, Code.NOT_FOUND, "autoscaler: prod/lama: no such InferenceAutoscaler; correct"),
    ],
)
async def test_bad_metadata_is_one_line_with_field_value_and_fix(
    metadata: dict[str, str], code: grpc.StatusCode, words: str
) -> None:
    async with served() as told:
        await told.world.plan()
        found, line = await told.refused(told.keda.metrics(metadata))
        assert found is code
        assert words in line
        assert "\n" not in line


async def test_another_metric_than_ours_is_refused_by_name() -> None:
    async with served() as told:
        await told.world.plan()
        code, line = await told.refused(told.keda.metrics(name="queue"))
        assert (code, line) == (Code.INVALID_ARGUMENT, "metricName: queue: only desired-replicas is known here")


async def test_a_push_tells_the_first_state_and_then_only_changes() -> None:
    async with served() as told:
        told.stand(0, meant=True)
        stream = told.keda.stream()
        assert (await stream.read()).result is False
        told.stand(0, meant=True)
        told.stand(4)
        async with asyncio.timeout(1):
            assert (await stream.read()).result is True
        told.stand(6)
        told.stand(0, meant=True)
        assert (await stream.read()).result is False
        stream.cancel()


async def test_what_changes_while_a_push_is_being_sent_is_pushed_next() -> None:
    async with served() as told:
        told.stand(4)
        pushes = Scaler(told.ledger, count=told.counted.append).stream_is_active(ref(LLAMA), None)
        assert (await anext(pushes)).result is True
        told.stand(0, meant=True)
        async with asyncio.timeout(1):
            assert (await anext(pushes)).result is False
        await pushes.aclose()


async def test_a_stream_opened_before_the_first_decision_is_told_as_soon_as_there_is_one() -> None:
    async with served() as told:
        stream = told.keda.stream()
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0.05)
        assert not reading.done()
        await told.world.plan()
        async with asyncio.timeout(1):
            assert (await reading).result is True
        stream.cancel()


async def test_a_stream_ends_cleanly_when_the_operator_stops() -> None:
    async with served() as told:
        await told.world.plan()
        stream = told.keda.stream()
        assert (await stream.read()).result is True
        told.ledger.stop()
        async with asyncio.timeout(1):
            assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is Code.OK


async def test_whoever_hangs_up_leaves_nothing_behind() -> None:
    async with served() as told:
        streams = [told.keda.stream({"autoscaler": f"unknown-{number}"}) for number in range(20)]
        reading = [asyncio.create_task(stream.read()) for stream in streams]
        while len(told.ledger._watching) < 20:  # noqa: ASYNC110 (the ledger tells nobody)
            await asyncio.sleep(0.01)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        async with asyncio.timeout(2):
            while told.ledger._watching:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_keda_that_starts_anew_may_open_all_its_streams_at_once() -> None:
    """More than the 3000 that gRPC by itself lets wait, on the one connection that KEDA has."""
    async with served() as told:
        await told.world.plan()
        streams = [told.keda.stream() for _ in range(3500)]
        first = await asyncio.gather(*(stream.read() for stream in streams), return_exceptions=True)
        assert [one for one in first if not getattr(one, "result", False)] == []
        assert await told.keda.active()
        for stream in streams:
            stream.cancel()


async def test_a_raise_for_a_queue_outlives_the_plan_that_holds_before_kedas_hpa_has_asked() -> None:
    async with served() as told:
        await told.world.plan()
        (key,) = told.ledger._standings
        raised = replace(told.ledger._standings[key], replicas=9)
        told.ledger._standings[key] = raised
        await told.world.plan(after=15.0)
        assert (await told.keda.metrics()).metricValues[0].metricValue == 9
        await told.world.plan(after=60.0)
        assert (await told.keda.metrics()).metricValues[0].metricValue == 5
