"""Two pools through the whole loop, from engine counters to writes and status."""

import pytest
from paired import serve, two_pools
from shell import World

from foretide.operator.actuate import Outcome
from foretide.operator.seams import ClusterError
from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, Trust


def counts(made: World) -> tuple[int, int]:
    return made.cluster.replicas["llama-prefill"], made.cluster.replicas["llama-decode"]


async def test_every_request_is_counted_once_with_the_prompt_of_the_one_pool_and_the_output_of_the_other() -> None:
    made = two_pools()
    serve(made, (-60.0, 10.0))
    turn = await made.plan()
    assert turn.evidence is not None
    newest = turn.evidence.history.values[-1]
    assert newest[REQUESTS] == 10.0
    assert newest[PROMPT_TOKENS] == 10_000.0
    assert newest[OUTPUT_TOKENS] == pytest.approx(2000.0)


async def test_rising_demand_raises_both_pools_as_far_as_each_needs() -> None:
    made = two_pools()
    serve(made, (-60.0, 10.0), (5.0, 40.0))
    await made.live(9)
    assert counts(made) == (4, 8)


async def test_falling_demand_lowers_prefill_first_and_decode_in_a_later_turn() -> None:
    made = two_pools(prefill=4, decode=8, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    serve(made, (-60.0, 40.0), (30.0, 10.0))
    await made.live(60)
    lowered = [name for name, _ in made.cluster.writes]
    assert counts(made) == (1, 2)
    assert lowered[0] == "llama-prefill"
    assert lowered[-1] == "llama-decode"


async def test_recommend_publishes_both_counts_and_writes_neither() -> None:
    made = two_pools(decode=4, mode="Recommend")
    serve(made, (-60.0, 40.0))
    await made.plan()
    told = made.status()
    assert made.cluster.writes == []
    assert [(pool["name"], pool["current"], pool["desired"]) for pool in told["pools"]] == [
        ("prefill", 1, 4),
        ("decode", 4, 8),
    ]
    assert set(told["lastDecision"]["violationProbability"]) == {"atDesired"}
    for part in ("prefill: ", "decode: ", "P(TTFT or TPOT breaks)"):
        assert part in told["lastDecision"]["message"]


async def test_raise_only_raises_and_never_lowers() -> None:
    made = two_pools(mode="RaiseOnly")
    serve(made, (-60.0, 40.0), (5.0, 1.0))
    await made.live(60)
    assert counts(made) == (4, 8)


async def test_paused_holds_both_and_says_so() -> None:
    made = two_pools(mode="Paused")
    serve(made, (-60.0, 40.0))
    await made.live(3)
    assert counts(made) == (1, 2)
    assert made.condition("ScalingActive")["reason"] == "Paused"


async def test_the_fast_pass_leaves_a_pair_alone() -> None:
    made = two_pools()
    serve(made, (-60.0, 10.0))
    await made.plan()
    for table in made.metrics.engines.values():
        table["waiting"] = table["waiting"] + 500.0
    assert await made.loop.relief_pass() == ()


async def test_without_the_metrics_of_one_pool_neither_is_lowered() -> None:
    made = two_pools(prefill=4, decode=8)
    serve(made, (-60.0, 1.0))
    for name in [name for _, name in made.metrics.engines if name.startswith("llama-decode")]:
        del made.metrics.engines["prod", name]
    await made.live(60)
    assert counts(made) == (4, 8)
    assert made.condition("MetricsAvailable")["message"].startswith("decode pool: ")


async def test_a_write_that_fails_is_made_up_for_by_the_next_turn() -> None:
    made = two_pools(decode=4)
    serve(made, (-60.0, 40.0))
    made.cluster.meddle = {"llama-decode": 5}
    turn = await made.plan()
    assert turn.partner is not None
    assert turn.actuation is not None
    assert turn.partner.actuation is not None
    assert (turn.actuation.outcome, turn.partner.actuation.outcome) == (Outcome.DONE, Outcome.MOVED)
    assert counts(made) == (4, 5)
    await made.plan(after=60.0)
    assert counts(made) == (4, 8)


async def test_a_refused_write_shows_in_the_status_whichever_pool_it_was_of() -> None:
    made = two_pools()
    serve(made, (-60.0, 40.0))
    made.cluster.failing["write_scale"] = ClusterError("no", status=500)
    await made.plan()
    assert made.condition("AbleToScale")["reason"] == "WriteFailed"
    assert made.condition("Ready")["status"] == "False"


async def test_a_missing_decode_target_is_named_by_its_own_field() -> None:
    made = two_pools()
    del made.cluster.replicas["llama-decode"]
    await made.plan()
    assert made.condition("TargetResolved")["message"].startswith("pools[1].targetRef: Deployment llama-decode")


async def test_another_autoscaler_on_either_target_stops_the_pool_it_scales_and_is_told() -> None:
    made = two_pools()
    serve(made, (-60.0, 40.0))
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama-decode"}
    made.cluster.other_scalers = [
        {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "other"}, "spec": {"scaleTargetRef": ref}}
    ]
    await made.live(3)
    assert made.cluster.replicas["llama-decode"] == 2
    assert "llama-decode" in made.condition("Conflict")["message"]


async def test_events_history_metrics_and_the_journal_tell_of_both_pools() -> None:
    made = two_pools(decode=4)
    serve(made, (-60.0, 40.0))
    await made.plan()
    told = [event["message"] for event in made.cluster.events if event["reason"] == "Scaled"]
    assert [message.split(":")[0] for message in told] == ["prefill", "decode"]
    assert [(change["pool"], change["from"], change["to"]) for change in made.status()["history"]] == [
        ("prefill", 1, 4),
        ("decode", 4, 8),
    ]
    page = made.telemetry.page().decode()
    for pool, desired in (("prefill", 4.0), ("decode", 8.0)):
        labels = f'kind="desired",name="llama",namespace="prod",pool="{pool}"'
        assert f"foretide_replicas{{{labels}}} {desired}" in page
    assert [record["role"] for record in made.journal.records] == ["prefill", "decode"]


async def test_a_source_that_fails_holds_both() -> None:
    made = two_pools(prefill=4, decode=8)
    serve(made, (-60.0, 1.0))
    made.metrics.trust = Trust.ABSENT
    await made.live(30)
    assert counts(made) == (4, 8)


async def test_more_than_both_pools_may_have_raises_them_to_their_limits() -> None:
    made = two_pools(prefill=15, decode=18)
    serve(made, (-60.0, 1000.0))
    turn = await made.plan()
    assert counts(made) == (20, 20)
    assert turn.pair is not None
    assert not turn.pair.held
