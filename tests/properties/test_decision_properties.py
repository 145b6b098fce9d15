"""Laws of the decision core over random evidence: the promises, monotonicity, determinism, replayability."""

import json
from dataclasses import replace

import numpy as np
from given import NOW, evidence, forecast, history, pool
from hypothesis import assume, given
from hypothesis import strategies as st

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.decide import guard, plan, relieve
from foretide.policies.flow import (
    Act,
    Approval,
    Backlog,
    Behavior,
    CapacityTable,
    Costs,
    Evidence,
    Memory,
    Mode,
    Order,
    Pending,
    Pool,
    Reason,
    ReasonCode,
    Recommendation,
    Rest,
    ScaleEvent,
    Trust,
)
from foretide.policies.guardrails import PLAN, only_recommend
from foretide.policies.journal import decode_evidence, encode
from foretide.policies.propose import propose

rates = st.floats(min_value=0.0, max_value=500.0, allow_nan=False)
counts = st.integers(min_value=1, max_value=60)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    low = draw(st.integers(min_value=0, max_value=20))
    return pool(
        draw(st.integers(min_value=0, max_value=80)),
        min_replicas=low,
        max_replicas=draw(st.integers(min_value=max(1, low), max_value=80)),
        unschedulable=draw(st.integers(min_value=0, max_value=2)),
        conflict=draw(st.sampled_from(["", "", "", "an HPA"])),
    )


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    ages = st.floats(min_value=0.0, max_value=900.0)
    return Memory(
        watching_since=NOW - draw(st.floats(min_value=0.0, max_value=2000.0)),
        recommendations=tuple(
            Recommendation(NOW - age, n) for age, n in draw(st.lists(st.tuples(ages, counts), max_size=6))
        ),
        events=tuple(
            ScaleEvent(NOW - age, a, b) for age, a, b in draw(st.lists(st.tuples(ages, counts, counts), max_size=4))
        ),
    )


approvals = st.none() | st.builds(
    lambda count, name: Approval(f"{count}@{name}", count, name),
    st.integers(-1, 80),
    st.sampled_from(["right", "wrong"]),
)


def pendings(desired: int) -> st.SearchStrategy[Pending | None]:
    """Mostly what a status could have published for this count lately."""
    before = st.just(desired) | counts
    expires = st.sampled_from([NOW - 1.0, NOW, NOW + 1.0, NOW + 900.0, NOW + 901.0])
    return st.none() | st.builds(Pending, st.just("right"), before, counts, expires)


@st.composite
def anything(draw: st.DrawFn) -> Evidence:
    gap = st.one_of(rates, st.just(float("nan")))
    seen = history(*draw(st.lists(gap, min_size=1, max_size=20)), trust=draw(st.sampled_from(list(Trust))))
    ahead = forecast(
        *draw(st.lists(rates, min_size=1, max_size=40)), flagged=draw(st.sampled_from(["", "", "fallback"]))
    )
    each = sorted(draw(st.lists(st.floats(min_value=0.0, max_value=30.0), min_size=3, max_size=3)))
    capacity = CapacityTable((1, 4, 16), tuple(each), ("ttft", "tpot", "tpot"))
    waiting = draw(st.one_of(st.none(), st.floats(min_value=0.0, max_value=1e5)))
    prices = st.floats(min_value=1e-6, max_value=1e3)
    costs = draw(st.one_of(st.none(), st.builds(Costs, prices, prices)))
    found = draw(pools())
    return evidence(
        mode=draw(st.sampled_from(list(Mode))),
        pending=draw(pendings(found.desired)),
        approval=draw(approvals),
        objective=replace(evidence().objective, costs=costs),
        behavior=draw(st.sampled_from([Behavior(), HPA_DEFAULT])),
        pool=found,
        history=seen,
        forecast=draw(st.sampled_from([ahead, ahead, ahead, None])),
        backlog=Backlog(NOW, waiting, 1.0, draw(st.sampled_from(list(Trust)))),
        service=replace(evidence().service, capacity=capacity, log_speed_sd=draw(st.sampled_from([0.0, 0.1]))),
        memory=draw(memories()),
        rest=draw(st.sampled_from([None, None, Rest(), Rest(600.0)])),
    )


@given(anything())
def test_nothing_is_lowered_on_anything_but_fresh_evidence(seen: Evidence) -> None:
    assume(seen.history.trust is not Trust.FRESH)
    for decision in (plan(seen), relieve(seen)):
        assert decision.desired >= seen.pool.desired


@given(anything())
def test_a_plan_moves_nothing_on_metrics_that_have_stopped(seen: Evidence) -> None:
    assume(seen.history.trust in {Trust.STALE, Trust.ABSENT, Trust.INVALID})
    assert plan(seen).desired in {seen.pool.desired, seen.pool.min_replicas}


@given(anything())
def test_nothing_is_lowered_in_a_first_life(seen: Evidence) -> None:
    young = replace(seen, memory=replace(seen.memory, watching_since=NOW - 1.0))
    assert plan(young).desired >= young.pool.desired


@given(anything())
def test_nothing_is_raised_above_the_maximum_or_lowered_below_the_minimum(seen: Evidence) -> None:
    for decision in (plan(seen), relieve(seen)):
        if decision.desired > seen.pool.desired:
            assert decision.desired <= seen.pool.max_replicas
        if decision.desired < seen.pool.desired:
            assert decision.desired >= min(seen.pool.min_replicas, seen.pool.desired)


@given(anything())
def test_the_fast_pass_only_adds(seen: Evidence) -> None:
    assert relieve(seen).desired >= seen.pool.desired


@given(anything())
def test_another_writer_or_a_pause_means_no_order(seen: Evidence) -> None:
    for still in (replace(seen, mode=Mode.PAUSED), replace(seen, pool=replace(seen.pool, conflict="an HPA"))):
        assert not isinstance(plan(still).verdict, Act)
        assert not isinstance(relieve(still).verdict, Act)


@given(anything())
def test_only_modes_that_act_order_and_raise_only_never_lowers(seen: Evidence) -> None:
    verdict = plan(seen).verdict
    if isinstance(verdict, Act):
        assert seen.mode in {Mode.AUTO, Mode.RAISE_ONLY, Mode.APPROVE}
        assert seen.mode is not Mode.RAISE_ONLY or verdict.order.after > verdict.order.before


@given(anything())
def test_nothing_is_ordered_without_a_matching_and_unexpired_approval(seen: Evidence) -> None:
    waits = replace(seen, mode=Mode.APPROVE)
    for decision in (plan(waits), relieve(waits)):
        if isinstance(decision.verdict, Act):
            assert seen.approval is not None
            assert seen.pending is not None
            assert seen.approval.id == seen.pending.id
            assert seen.approval.replicas == decision.verdict.order.after == decision.desired
            assert NOW < seen.pending.expires <= NOW + 900.0
            assert seen.pending.before == decision.verdict.order.before == seen.pool.desired


@given(anything())
def test_an_approved_order_goes_no_further_than_the_one_of_mode_auto(seen: Evidence) -> None:
    approved, alone = plan(replace(seen, mode=Mode.APPROVE)).verdict, plan(replace(seen, mode=Mode.AUTO)).verdict
    if isinstance(approved, Act):
        assert isinstance(alone, Act)
        low, high = sorted((alone.order.before, alone.order.after))
        assert low <= approved.order.after <= high


@given(anything())
def test_an_approval_is_refused_once_and_a_refused_one_never_acts(seen: Evidence) -> None:
    waits = replace(seen, mode=Mode.APPROVE)
    decision = plan(waits)
    if any(reason.code is ReasonCode.APPROVAL_REFUSED for reason in decision.verdict.reasons):
        again = plan(replace(waits, memory=replace(waits.memory, answered=decision.memory.answered)))
        assert not isinstance(again.verdict, Act)
        assert all(reason.code is not ReasonCode.APPROVAL_REFUSED for reason in again.verdict.reasons)


@given(anything())
def test_raise_only_raises_exactly_what_auto_raises(seen: Evidence) -> None:
    for decide in (plan, relieve):
        both = decide(replace(seen, mode=Mode.AUTO)), decide(replace(seen, mode=Mode.RAISE_ONLY))
        assert both[1].desired == max(both[0].desired, seen.pool.desired)


@given(anything())
def test_every_verdict_names_its_reasons(seen: Evidence) -> None:
    for decision in (plan(seen), relieve(seen)):
        assert decision.verdict.reasons
        assert all(reason.text for reason in decision.verdict.reasons)


@given(anything(), st.integers(min_value=0, max_value=80))
def test_a_guardrail_only_makes_an_action_smaller(seen: Evidence, after: int) -> None:
    before = seen.pool.desired
    assume(after != before)
    wanted = Act(Order("main", before, after, "7"), (Reason(ReasonCode.DEMAND_RISES, "asked"),))
    for guardrail in (*PLAN, only_recommend):
        verdict = guardrail(seen, wanted)
        if isinstance(verdict, Act):
            assert min(before, after) <= verdict.order.after <= max(before, after)
            assert verdict.order.after != before
        else:
            assert verdict.replicas == before


@given(anything(), st.integers(min_value=0, max_value=80))
def test_guarding_twice_is_guarding_once(seen: Evidence, after: int) -> None:
    assume(after != seen.pool.desired)
    wanted = Act(Order("main", seen.pool.desired, after, "7"), (Reason(ReasonCode.DEMAND_RISES, "asked"),))
    once = guard(seen, wanted)
    twice = guard(seen, once)
    assert isinstance(once, Act) == isinstance(twice, Act)
    if isinstance(once, Act) and isinstance(twice, Act):
        assert twice.order == once.order


@given(anything())
def test_a_journalled_decision_replays_to_the_same_decision(seen: Evidence) -> None:
    decision = plan(seen)
    record = json.loads(json.dumps(encode(seen, decision)))
    assert plan(decode_evidence(record)) == decision


@given(anything(), st.floats(min_value=1.0, max_value=5.0))
def test_more_demand_never_proposes_fewer_replicas(seen: Evidence, factor: float) -> None:
    assume(seen.forecast is not None)
    assert seen.forecast is not None
    more = replace(seen.forecast, paths=seen.forecast.paths * factor)
    less, greater = propose(seen), propose(replace(seen, forecast=more))
    assert less is not None
    assert greater is not None
    assert greater.replicas >= less.replicas


@given(anything(), st.floats(min_value=0.0, max_value=0.5), st.floats(min_value=0.0, max_value=0.5))
def test_a_smaller_accepted_risk_never_proposes_fewer_replicas(seen: Evidence, a: float, b: float) -> None:
    assume(seen.forecast is not None and seen.objective.costs is None)
    strict, loose = sorted((a, b))
    counts = []
    seen = replace(seen, pool=replace(seen.pool, desired=0))  # nothing to lower: the caution about lowering is off
    for accepted in (strict, loose):
        objective = replace(seen.objective, max_violation_probability=accepted)
        proposal = propose(replace(seen, objective=objective))
        assert proposal is not None
        counts.append(proposal.replicas)
    assert counts[0] >= counts[1]


@given(anything(), st.floats(min_value=1e-6, max_value=1e3), st.floats(min_value=1.0, max_value=1e6))
def test_a_dearer_miss_never_proposes_fewer_replicas(seen: Evidence, price: float, factor: float) -> None:
    assume(seen.forecast is not None)
    counts = []
    for violation in (price, price * factor):
        objective = replace(seen.objective, costs=Costs(1.0, violation))
        proposal = propose(replace(seen, objective=objective))
        assert proposal is not None
        counts.append(proposal.replicas)
    assert counts[0] <= counts[1]


@given(anything())
def test_risk_falls_with_replicas_and_the_choice_is_the_smallest_accepted(seen: Evidence) -> None:
    assume(seen.forecast is not None and not seen.forecast.flagged)
    proposal = propose(seen)
    assert proposal is not None
    risks = [risk.probability for risk in proposal.risks]
    assert risks == sorted(risks, reverse=True)
    assert all(0.0 <= risk <= 1.0 for risk in risks)
    chosen = proposal.risk_at(proposal.replicas)
    assert chosen is not None
    if seen.objective.costs is not None:
        return
    if proposal.replicas < seen.pool.max_replicas:
        assert chosen <= seen.objective.max_violation_probability + 1e-9
    fewer = proposal.risk_at(proposal.replicas - 1)
    if fewer is not None and proposal.binding not in {"minReplicas", "maxReplicas", "idle time"}:
        recent = seen.history.values[np.isfinite(seen.history.values).all(axis=1)][-2:]
        floor = seen.service.work.of(recent).mean() if len(recent) else 0.0
        needed_now = floor > seen.service.capacity.total(proposal.replicas - 1)
        enough = seen.objective.max_violation_probability * (0.5 if proposal.replicas <= seen.pool.desired else 1.0)
        assert fewer > enough or needed_now


@given(anything(), anything())
def test_a_decision_depends_on_nothing_but_its_evidence(seen: Evidence, other: Evidence) -> None:
    first = plan(seen)
    plan(other)
    assert plan(seen) == first
