"""Tiers through the whole loop: a gateway holds requests, the last replica sleeps, and no failure leaves them there."""

from typing import Any

import numpy as np
from shell import World, world
from sleepy import Engine
from twins import START, MetricsTwin

QUERIES = {
    "running": MetricsTwin.NAMES["running"],
    "waiting": MetricsTwin.NAMES["waiting"],
    "finished": MetricsTwin.NAMES["finished"],
    "promptTokens": MetricsTwin.NAMES["prompt_tokens"],
    "outputTokens": MetricsTwin.NAMES["output_tokens"],
}
SLEEPING = {"name": "sleeping", "wakeTime": "2s", "price": "0.1", "keepFor": "4h", "port": 8000}
POOL = {"targetRef": {"name": "llama"}, "accelerator": "H100", "minReplicas": 0, "maxReplicas": 4}


def resting(engine: Engine, *tiers: dict[str, Any], **warm: Any) -> World:
    """One replica behind a gateway that had requests until ten minutes ago."""
    found = world(first_life_s=60.0)
    found.engines = engine
    found.cluster.gated = True
    found.begin_a_life()
    found.deploy(
        replicas=1,
        engine="custom",
        metrics={"gateway": "front", "queries": QUERIES},
        pools=[POOL],
        warm={"scaleToZero": True, "keepAlive": "5m", "tiers": list(tiers or (SLEEPING,)), **warm},
        objective={"ttft": {"percentile": 99, "threshold": "500ms"}, "window": "60s"},
    )
    found.metrics.engines["prod", "front-0"] = gateway(held=0.0, since=START + 1e9)
    return found


def gateway(*, held: float, since: float) -> dict[str, Any]:
    """0.5 requests/s until ten minutes before START, and `held` of them that wait from a time on."""
    at = np.arange(START - 3600.0, START + 7200.0, 15.0)
    done = np.minimum(0.5 * (at - at[0]), 0.5 * 3000.0)
    flat = np.zeros(len(at))
    waiting = np.where(at >= since, held, 0.0)
    return {
        "at": at,
        "finished": done,
        "running": flat,
        "waiting": waiting,
        "prompt_tokens": 1000 * done,
        "output_tokens": 200 * done,
    }


async def asleep(found: World, *, minutes: int = 6) -> None:
    await found.live(minutes)
    assert found.cluster.naps == {"llama-0": "Asleep"}


async def fast_passes(found: World, count: int) -> None:
    for _ in range(count):
        found.clock.time += 5.0
        await found.loop.relief_pass()


def ask(found: World, requests: float) -> None:
    """Requests are held from now on, until somebody serves."""
    found.clock.time = np.ceil(found.clock.time / 15.0) * 15.0 + 1.0
    found.metrics.engines["prod", "front-0"] = gateway(held=requests, since=found.clock.time - 15.0)


async def test_an_idle_replica_sleeps_and_counts_neither_as_ready_nor_as_starting() -> None:
    found = resting(engine := Engine())
    await asleep(found)
    assert engine.asleep
    assert found.cluster.writes == []
    pool = found.status()["pools"][0]
    assert (pool["current"], pool["ready"], pool["starting"]) == (1, 0, 0)
    assert found.condition("TiersAvailable")["status"] == "True"
    assert found.status()["lastDecision"]["reason"] == "Asleep"


async def test_a_held_request_wakes_it_in_the_fast_pass_and_orders_nothing() -> None:
    found = resting(engine := Engine())
    await asleep(found)
    ask(found, 3.0)
    await fast_passes(found, 2)
    assert not engine.asleep
    assert found.cluster.naps == {"llama-0": "Awake"}
    assert found.cluster.writes == []
    await found.plan(after=5.0)
    assert float(found.status()["warm"]["idleGPUHours"]["sleeping"]) > 0.0
    assert [one["tier"] for one in found.status()["warm"]["wakes"]] == ["sleeping"]


async def test_a_sleep_endpoint_that_fails_leaves_the_replica_ready_and_is_told() -> None:
    found = resting(engine := Engine(refuses=("sleep",)))
    await found.live(8)
    assert engine.asked.count("sleep") == 3
    assert found.cluster.naps == {"llama-0": "Awake"}
    told = found.condition("TiersAvailable")
    assert (told["status"], told["reason"]) == ("False", "SleepFailed")
    assert [event["reason"] for event in found.cluster.events].count("SleepFailed") == 1
    await found.live(2)
    assert found.cluster.writes == [("llama", 0)], "without sleep, zero is the next tier"


async def test_a_replica_that_does_not_wake_is_replaced_and_no_request_is_left_without_a_path() -> None:
    found = resting(engine := Engine())
    await asleep(found)
    engine.wakes = False
    found.cluster.unready = {"llama-1"}
    ask(found, 3.0)
    await fast_passes(found, 9)
    assert found.cluster.naps["llama-0"] == "Lost"
    assert found.cluster.writes == [("llama", 2)]
    assert found.condition("TiersAvailable")["reason"] == "WakeFailed"
    await fast_passes(found, 3)
    assert found.cluster.writes == [("llama", 2)], "one fresh replica, not one each pass"
    found.cluster.unready.clear()
    await found.plan(after=10.0)
    assert found.cluster.naps["llama-1"] == "Awake"


async def test_blind_nobody_sleeps() -> None:
    found = resting(Engine())
    del found.metrics.engines["prod", "front-0"]
    await found.live(10)
    assert found.cluster.naps == {"llama-0": "Awake"}
    assert found.cluster.writes == []


async def test_a_mode_that_does_not_act_opens_gates_and_puts_nobody_to_sleep() -> None:
    found = resting(engine := Engine())
    found.deploy(
        replicas=1,
        mode="Recommend",
        engine="custom",
        metrics={"gateway": "front", "queries": QUERIES},
        pools=[POOL],
        warm={"scaleToZero": True, "keepAlive": "5m", "tiers": [SLEEPING]},
    )
    await found.live(6)
    assert engine.asked == []
    assert found.cluster.naps == {"llama-0": "Awake"}
    assert found.cluster.writes == []


async def test_a_start_from_a_held_node_is_told_as_one_however_long_it_takes() -> None:
    hold = {"name": "placeholder", "wakeTime": "20s", "price": "0.05", "deployment": "hold"}
    found = resting(Engine(), hold, placeholderPriorityClass="low")
    found.cluster.gated = False
    found.cluster.held_by = ("hold", -10, "low")
    found.cluster.replicas["hold"] = 0
    found.cluster.unready = {"llama-0"}
    await found.live(10)
    assert found.cluster.replicas == {"llama": 1, "hold": 0}, "a replica that still starts is not idle"
    found.cluster.unready.clear()
    await found.live(8)
    assert found.cluster.replicas == {"llama": 0, "hold": 1}
    await found.live(1)
    found.cluster.unready = {"llama-0"}
    ask(found, 3.0)
    await fast_passes(found, 1)
    await found.live(2)
    assert found.cluster.replicas == {"llama": 1, "hold": 0}
    found.cluster.unready.clear()
    found.metrics.engines["prod", "front-0"] = gateway(held=0.0, since=START + 1e9)
    await found.live(1)
    assert [one["tier"] for one in found.status()["warm"]["wakes"]][:1] == ["placeholder"]
    assert found.status()["warm"]["coldStartedRequests"] == 3
