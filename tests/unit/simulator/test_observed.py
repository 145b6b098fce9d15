"""What a fit sees: rows of one point are never on both sides of a split."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.observed import ALWAYS, FOLDS, Observed, bounds, folds, joined, only, repeats
from foretide.simulator.profiles import FitRanges, StepTimes

STEPS = StepTimes(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


def part(times: list[float], fold: list[int], ranges: FitRanges, name: str = "p") -> Observed:
    count = len(times)
    measured = np.array(times)
    return Observed(
        measured, np.array([name] * count), np.ones(count), np.array(fold), lambda steps: measured * 2, ranges, name
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=80))
def test_a_group_has_one_fold_and_folds_are_of_one_size(groups: list[int]) -> None:
    given_groups = np.array(groups)
    found = folds(given_groups)
    of = {group: set(found[given_groups == group]) for group in set(groups)}
    assert all(len(each) == 1 for each in of.values())
    sizes = np.bincount([next(iter(each)) for each in of.values()], minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_every_group_weighs_the_same(groups: list[int]) -> None:
    given_groups = np.array(groups)
    squares = repeats(given_groups) ** 2
    assert np.allclose([squares[given_groups == group].sum() for group in set(groups)], 1.0)


def test_rows_that_are_never_held_out_are_in_no_split() -> None:
    found = part([1.0, 2.0, 3.0], [ALWAYS, 0, 1], FitRanges())
    assert [split.tolist() for split in found.splits()] == [[False, True, False], [False, False, True]]


def test_parts_are_joined_in_order_with_their_widest_ranges() -> None:
    one = part([1.0], [0], FitRanges(batch=(1, 8)), "one")
    two = part([2.0, 3.0], [0, 1], FitRanges(batch=(4, 32), prompt=(5, 6)), "two")
    found = joined([one, two])
    assert found.predict(STEPS).tolist() == [2.0, 4.0, 6.0]
    assert found.metric.tolist() == ["one", "two", "two"]
    assert (found.ranges, found.described) == (FitRanges((1, 32), None, (5, 6)), "one, two")


def test_one_metric_can_be_looked_at_alone() -> None:
    both = joined([part([1.0], [0], FitRanges(), "one"), part([2.0, 3.0], [0, 1], FitRanges(), "two")])
    found = only(both, "two")
    assert (found.measured_ms.tolist(), found.fold.tolist()) == ([2.0, 3.0], [0, 1])
    assert found.predict(STEPS).tolist() == [4.0, 6.0]
    assert found.described == "two of one, two"


def test_bounds_of_nothing_are_not_known() -> None:
    assert bounds(np.array([np.nan])) is None
    assert bounds(np.array([3.0, np.nan, 1.0])) == (1.0, 3.0)
