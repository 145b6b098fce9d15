"""Laws of sizing two pools together: exact, monotone, never dearer than apart, never out of order."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.pair.choose import Limits, cheapest, independent
from foretide.policies.pair.needs import Needs
from foretide.policies.pair.order import next_counts, together
from foretide.policies.pair.setting import Counts, Prices, Ratio

MOST = 7
LIMITS = Limits(Counts(0, 0), Counts(MOST, MOST))
FREE = Ratio()
prices = st.builds(Prices, st.sampled_from([0.5, 1.0, 2.0, 3.7]), st.sampled_from([0.5, 1.0, 2.0, 3.7]))
risks = st.sampled_from([0.0, 0.1, 0.25, 0.5])
ratios = st.sampled_from([FREE, Ratio(0.5, 2.0), Ratio(1.0, 1.0), Ratio(0.0, 0.75)])
pairs = st.builds(Counts, st.integers(0, MOST), st.integers(0, MOST))


@st.composite
def needs(draw: st.DrawFn) -> Needs:
    size = draw(st.integers(1, 12))
    one = st.lists(st.integers(0, MOST), min_size=size, max_size=size)
    return Needs(np.array(draw(one)), np.array(draw(one)))


def cost(found: Counts | None, of: Prices) -> float:
    return float("inf") if found is None else of.of(found)


@given(needs(), prices, risks, ratios)
def test_nothing_cheaper_keeps_the_risk(needed: Needs, of: Prices, accepted: float, ratio: Ratio) -> None:
    every = [Counts(*both) for both in product(range(MOST + 1), repeat=2)]
    held = [one for one in every if ratio.allows(one) and needed.probability(one) <= accepted + 1e-9]
    found = cheapest(needed, prices=of, accepted=accepted, limits=LIMITS, ratio=ratio)
    assert (found is None) == (not held)
    assert abs(cost(found, of) - min(of.of(one) for one in held)) < 1e-9 if held else found is None
    assert found is None or found in held


@given(needs(), prices, risks)
def test_together_is_never_dearer_than_apart_at_the_same_promise(needed: Needs, of: Prices, accepted: float) -> None:
    apart = independent(needed, accepted=accepted, limits=LIMITS)
    assert apart is None or needed.probability(apart) <= accepted + 1e-9
    joint = cheapest(needed, prices=of, accepted=accepted, limits=LIMITS, ratio=FREE)
    assert cost(joint, of) <= cost(apart, of) + 1e-9


@given(needs(), prices, risks, ratios, st.integers(1, 3))
def test_more_demand_never_costs_less(needed: Needs, of: Prices, accepted: float, ratio: Ratio, more: int) -> None:
    grown = Needs(needed.prefill + more, needed.decode)
    before, after = (cheapest(one, prices=of, accepted=accepted, limits=LIMITS, ratio=ratio) for one in (needed, grown))
    assert cost(after, of) >= cost(before, of) - 1e-9


@given(needs(), prices, ratios)
def test_more_accepted_risk_never_costs_more(needed: Needs, of: Prices, ratio: Ratio) -> None:
    costs = [
        cost(cheapest(needed, prices=of, accepted=risk, limits=LIMITS, ratio=ratio), of)
        for risk in (0.0, 0.1, 0.25, 0.5)
    ]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(costs))


@given(needs(), prices, risks, ratios, st.floats(1.01, 9.0))
def test_a_dearer_pool_never_grows(needed: Needs, of: Prices, accepted: float, ratio: Ratio, dearer: float) -> None:
    raised = Prices(of.prefill * dearer, of.decode)
    before, after = (
        cheapest(needed, prices=one, accepted=accepted, limits=LIMITS, ratio=ratio) for one in (of, raised)
    )
    assert (before is None) == (after is None)
    assert before is None or after is None or after.prefill <= before.prefill


@given(pairs, pairs, pairs, ratios)
def test_pools_never_fall_out_of_order(now: Counts, wanted: Counts, ready: Counts, ratio: Ratio) -> None:
    after = next_counts(now, wanted, ready=ready, ratio=ratio)
    assert min(now.prefill, wanted.prefill) <= after.prefill <= max(now.prefill, wanted.prefill)
    assert min(now.decode, wanted.decode) <= after.decode <= max(now.decode, wanted.decode)
    fell = [after.prefill < now.prefill, after.decode < now.decode]
    rose = after.prefill > now.prefill or after.decode > now.decode
    settled = ready.prefill >= now.prefill and ready.decode >= now.decode
    assert not any(fell) or (settled and not rose)
    if all(fell) and after != Counts(0, 0):
        steps = [Counts(one, now.decode) for one in range(wanted.prefill, now.prefill)]
        steps += [Counts(now.prefill, one) for one in range(wanted.decode, now.decode)]
        assert after == wanted
        assert not any(ratio.allows(one) for one in steps)


@given(pairs.filter(lambda one: (one.prefill == 0) == (one.decode == 0)), pairs)
def test_zero_is_for_both_pools(before: Counts, after: Counts) -> None:
    safe = together(before, after)
    assert (safe.prefill == 0) == (safe.decode == 0)
