"""Turns behind a gateway: it tells the demand of all replicas together and nothing of each."""

import numpy as np
from shell import World, world

from foretide.policies.flow import Trust

QUERIES = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "finished": "vllm:request_success_total",
    "promptTokens": "vllm:request_prompt_tokens_sum",
    "outputTokens": "vllm:request_generation_tokens_sum",
    "tokenGapSeconds": "vllm:inter_token_latency_seconds_sum",
    "tokenGaps": "vllm:inter_token_latency_seconds_count",
}


def behind_a_gateway(rate: float, *, replicas: int, waiting: float = 0.0) -> World:
    """Two pods of a gateway that tell the demand of a target whose own pods tell nothing."""
    found = world()
    found.deploy(replicas=replicas, engine="custom", metrics={"gateway": "gate", "queries": QUERIES})
    found.serve(rate, name="gate", pods=2, waiting=waiting)
    return found


async def test_demand_at_a_gateway_is_met_by_replicas_that_say_nothing_themselves() -> None:
    found = behind_a_gateway(45.0, replicas=3)
    turn = await found.plan()
    assert turn.evidence is not None
    assert turn.evidence.history.trust is Trust.FRESH
    assert found.cluster.writes == [("llama", 5)]


async def test_which_replicas_go_is_left_to_kubernetes_where_nobody_tells_how_busy_they_are() -> None:
    found = behind_a_gateway(12.0, replicas=5)
    await found.live(30)
    assert [count for _, count in found.cluster.writes] == [4, 3, 2]
    assert found.cluster.annotations == {}


async def test_a_queue_at_a_gateway_brings_relief_between_two_plans() -> None:
    found = behind_a_gateway(25.0, replicas=3)
    await found.plan()
    for table in found.metrics.engines.values():
        table["waiting"] = np.where(table["at"] > found.clock.time, 450.0, 0.0)
    found.clock.time += 30.0
    await found.loop.relief_pass()
    assert found.cluster.writes[-1][1] > 3
    assert found.status()["lastDecision"]["reason"] == "Backlog"


async def test_a_gateway_that_falls_silent_lowers_nothing() -> None:
    found = behind_a_gateway(12.0, replicas=5)
    found.metrics.engines.clear()
    await found.live(30)
    assert found.cluster.writes == []
    assert found.condition("MetricsAvailable")["status"] == "False"
