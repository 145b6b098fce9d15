"""Laws of deciding two pools over whole evidence, guardrails included."""

from dataclasses import replace

import pytest
from given import NOW, evidence, forecast, history, pool
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import (
    Act,
    Backlog,
    Behavior,
    Memory,
    Mode,
    ReasonCode,
    Recommendation,
    ScalingPolicy,
    ScalingRules,
    Trust,
    WorkPerUnit,
)
from foretide.policies.pair.advice import Advice
from foretide.policies.pair.decide import plan_pair
from foretide.policies.pair.setting import PairDecision, PairEvidence, Prices, Ratio, Transfer

AT_ONCE = ScalingRules(0.0, (ScalingPolicy("Pods", 100, 15.0),))
SLOWLY = ScalingRules(0.0, (ScalingPolicy("Pods", 1, 15.0),))
FREE = Behavior(up=AT_ONCE, down=AT_ONCE)
QUIET = Backlog(NOW, 0.0, 0.0, Trust.FRESH)
counts = st.integers(0, 12)
rates = st.floats(0.0, 120.0)
ratios = st.sampled_from([Ratio(), Ratio(0.5, 3.0)])


def asked(prefill: int, decode: int, *rates: float, least: int = 0, **changes: object) -> PairEvidence:
    """Prefill carries 10 requests/s a replica; decode 20, in 200 output tokens each."""
    found = {"behavior": FREE, "history": history(*[0.0] * 20), "backlog": QUIET} | changes
    first = evidence(
        forecast=forecast(*rates),
        pool=pool(prefill, name="prefill", min_replicas=least, max_replicas=20),
        **found,
    )
    work = WorkPerUnit(request=0.0, prompt_token=0.0, output_token=1 / 400)
    second = replace(
        first,
        pool=pool(decode, name="decode", min_replicas=least, max_replicas=20),
        service=replace(first.service, work=work),
    )
    return PairEvidence(first, second, Prices(1.0, 1.0))


def after(decision: PairDecision) -> tuple[int, int]:
    return decision.prefill.desired, decision.decode.desired


def test_each_pool_gets_what_its_own_work_needs() -> None:
    assert after(plan_pair(asked(1, 1, 60.0))) == (6, 3)


def test_a_link_that_is_full_asks_for_replicas_that_the_engines_do_not_need() -> None:
    limited = replace(asked(1, 1, 60.0), transfer=Transfer(fetched=12_000.0))  # of 60,000 prompt tokens/s
    assert after(plan_pair(limited)) == (6, 5)


def test_prefill_falls_first_and_decode_in_a_later_turn() -> None:
    first = plan_pair(asked(8, 8, 20.0))
    assert after(first) == (2, 8)
    assert after(plan_pair(asked(2, 8, 20.0))) == (2, 1)


def test_a_pair_without_demand_goes_to_zero_in_one_turn() -> None:
    assert after(plan_pair(asked(3, 2, 0.0))) == (0, 0)


def test_where_one_pool_may_not_fall_yet_the_other_is_not_left_alone() -> None:
    tall = Memory(watching_since=0.0, recommendations=(Recommendation(NOW - 60, 3),))
    both = asked(3, 2, 0.0)
    both = replace(
        both, prefill=replace(both.prefill, behavior=Behavior(up=AT_ONCE, down=HPA_DEFAULT.down), memory=tall)
    )
    decision = plan_pair(both)
    assert after(decision) == (3, 1)
    assert decision.decode.verdict.reasons[-1].code is ReasonCode.PAIR_ORDER


def test_a_replica_that_costs_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prices\.decode: 0"):
        Prices(1.0, 0.0)


def test_advice_names_the_cheaper_way() -> None:
    assert Advice(pair=8.0, aggregated=6.0).told() == (
        "two pools cost 8 an hour, one pool 6: one pool that does both is cheaper"
    )
    assert not Advice(pair=8.0, aggregated=None).aggregated_is_cheaper


@given(
    counts, counts, st.lists(rates, min_size=1, max_size=6), st.sampled_from([Ratio(), Ratio(0.5, 3.0)]), st.booleans()
)
def test_no_turn_lowers_both_but_to_zero_and_none_leaves_one_alone(
    prefill: int, decode: int, paths: list[float], ratio: Ratio, slowly: bool
) -> None:
    behavior = Behavior(up=AT_ONCE, down=SLOWLY) if slowly else FREE
    found = replace(asked(prefill, decode, *paths, behavior=behavior), ratio=ratio)
    decision = plan_pair(found)
    orders = [one.verdict.order for one in (decision.prefill, decision.decode) if isinstance(one.verdict, Act)]
    lowered = [order for order in orders if order.after < order.before]
    if len(lowered) == 2:
        assert after(decision) == (0, 0)
    assert not lowered or len(lowered) == len(orders)
    if (prefill == 0) == (decode == 0):
        assert (decision.prefill.desired == 0) == (decision.decode.desired == 0)


@given(counts, counts, rates, st.sampled_from([Trust.STALE, Trust.PARTIAL, Trust.ABSENT, Trust.INVALID]))
def test_nothing_is_lowered_blind(prefill: int, decode: int, rate: float, trust: Trust) -> None:
    decision = plan_pair(asked(prefill, decode, rate, history=history(*[rate] * 20, trust=trust)))
    assert decision.prefill.desired >= prefill
    assert decision.decode.desired >= decode


@given(counts, counts, rates)
def test_only_mode_auto_acts(prefill: int, decode: int, rate: float) -> None:
    for mode in (Mode.RECOMMEND, Mode.PAUSED):
        decision = plan_pair(asked(prefill, decode, rate, mode=mode))
        assert not isinstance(decision.prefill.verdict, Act)
        assert not isinstance(decision.decode.verdict, Act)


@pytest.mark.parametrize("backlog", [None, replace(QUIET, running=1.0), replace(QUIET, trust=Trust.PARTIAL)])
def test_a_pair_that_is_in_use_or_cannot_be_read_keeps_its_last_replicas(backlog: Backlog | None) -> None:
    assert after(plan_pair(asked(3, 2, 0.0))) == (0, 0)
    kept = plan_pair(asked(3, 2, 0.0, backlog=backlog))
    assert min(after(kept)) > 0
