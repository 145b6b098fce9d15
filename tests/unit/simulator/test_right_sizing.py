from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.flow import Floats
from foretide.simulator.right_sizing import cheapest, cost_of

COSTS = st.integers(0, 20).map(float) | st.just(np.inf)


@st.composite
def stages(draw: st.DrawFn) -> Floats:
    bins, counts = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rows = [[*draw(st.lists(COSTS, min_size=counts - 1, max_size=counts - 1)), 9.0] for _ in range(bins)]
    return np.array(rows)


@settings(max_examples=200, deadline=None)
@given(stage=stages(), rise=st.integers(0, 12).map(float), first=st.integers(0, 5))
def test_no_other_sequence_is_cheaper(stage: Floats, rise: float, first: int) -> None:
    every = product(range(stage.shape[1]), repeat=len(stage))
    least = min(cost_of(np.array(counts, dtype=float), stage, rise=rise, first=first) for counts in every)
    assert cost_of(cheapest(stage, rise=rise, first=first), stage, rise=rise, first=first) == pytest.approx(least)


def needing(*counts: int) -> Floats:
    """A replica costs 1 per bin, and fewer than are needed are not allowed."""
    each = np.arange(max(counts) + 2)
    return np.array([np.where(each >= needed, each, np.inf) for needed in counts], dtype=np.float64)


def test_a_valley_shorter_than_a_start_is_kept_through_and_a_longer_one_is_not() -> None:
    short, long = needing(3, 1, 1, 3), needing(3, 1, 1, 1, 1, 1, 3)
    assert cheapest(short, rise=4.0, first=3).tolist() == [3, 3, 3, 3]
    assert cheapest(long, rise=4.0, first=3).tolist() == [3, 1, 1, 1, 1, 1, 3]


def test_what_may_be_missed_for_less_than_it_costs_is_missed() -> None:
    each = np.arange(3.0)
    stage = np.array([each, each + 5 * np.array([1, 1, 0]), each])
    assert cheapest(stage, rise=6.0, first=0).tolist() == [0, 0, 0]
    assert cheapest(stage, rise=1.0, first=0).tolist() == [0, 2, 0]
