"""Sweeps: only who leads looks, one failing resource is its own affair, and a process that stands still is not well."""

import asyncio
from typing import Any

import aiohttp
import pytest
from tuned_world import World, tuned
from twins import ClockTwin

from foretide.cli.bed.processes import free_port
from foretide.operator.seams import Body, ClusterError
from foretide.operator.tuner.memory import Memory
from foretide.operator.tuner.serve import LATE_S, Sweeps, page
from foretide.operator.tuner.telemetry import TunerTelemetry
from foretide.operator.tuner.told import Told


class Cluster:
    """Lists two resources, or fails."""

    def __init__(self) -> None:
        self.fails: ClusterError | None = None
        other = tuned()
        other["metadata"]["name"] = "broken"
        self.bodies = [other, World().body]

    async def autoscalers(self) -> list[Body]:
        if self.fails:
            raise self.fails
        return self.bodies


class Turner:
    def __init__(self) -> None:
        self.seen: list[str] = []

    async def turn(self, body: Body, *, now: float) -> Told | None:
        self.seen.append(body["metadata"]["name"])
        if body["metadata"]["name"] == "broken":
            raise RuntimeError("a turn that fails")
        return Told("Steady", "Steady", "", Memory(), limit=69, baseline=70)


def sweeps(**changes: Any) -> tuple[Sweeps, Turner, Cluster, TunerTelemetry]:
    turner, cluster, telemetry = Turner(), Cluster(), TunerTelemetry()
    parts: dict[str, Any] = {"cluster": cluster, "turner": turner, "leads": lambda: True, "clock": ClockTwin()}
    return Sweeps(**parts | {"telemetry": telemetry} | changes), turner, cluster, telemetry


async def test_a_resource_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    one, turner, _, telemetry = sweeps()
    await one.sweep()
    assert turner.seen == ["broken", "llama"]
    assert "prod/broken: turn failed" in caplog.text
    text = telemetry.page().decode()
    assert 'foretide_tuner_limit_requests{name="llama",namespace="prod"} 69.0' in text
    assert 'foretide_tuner_turns_total{reason="Steady"} 1.0' in text


async def test_a_list_that_fails_is_logged_with_the_fix_and_the_next_sweep_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, turner, cluster, _ = sweeps()
    cluster.fails = ClusterError("no", status=404)
    await one.sweep()
    assert turner.seen == []
    assert "foretide crd | kubectl apply -f -" in caplog.text


async def test_who_does_not_lead_looks_at_nothing_and_looks_again_soon() -> None:
    class Ended(Exception):
        pass

    class Clock(ClockTwin):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if self.time > start + 150.0:
                raise Ended

    clock = Clock()
    start = clock.time
    one, turner, _, _ = sweeps(clock=clock, leads=lambda: clock.time > start + 30.0)
    with pytest.raises(Ended):
        await one.run(60.0)
    assert turner.seen == ["broken", "llama"] * 2


async def test_the_page_says_when_sweeps_stand_still() -> None:
    one, _, _, telemetry = sweeps()
    port = free_port()
    runner = await page(f"127.0.0.1:{port}", one, telemetry, window_s=60.0)
    try:
        async with aiohttp.ClientSession() as session:
            for age, status in ((0.0, 200), (3 * 60.0 + LATE_S + 5.0, 503)):
                one.swept_at = asyncio.get_running_loop().time() - age
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    assert answer.status == status
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                assert "foretide_tuner_turns" in await answer.text()
    finally:
        await runner.cleanup()
