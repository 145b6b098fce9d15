"""The law between load and promise: how far a path may exceed capacity, and for how long."""

from dataclasses import replace

import numpy as np
import pytest

from foretide.policies.accepted_risk import fewest, violation_probability
from foretide.policies.ahead import Ahead
from foretide.policies.flow import CapacityTable, frozen

SHARP = CapacityTable((1,), (10.0,), ("ttft",))
STEEP = CapacityTable((1,), (10.0,), ("ttft",), steepness=25.0)


def ahead(*work: float, window: int = 5) -> Ahead:
    row = frozen(np.array([work]))
    return Ahead(work=row, requests=row, window=window, step=60.0)


def test_without_a_steepness_any_overload_breaks_the_objective() -> None:
    assert violation_probability(ahead(5, 5, 10.1, 5, 5), SHARP, 1) == 1.0
    assert violation_probability(ahead(5, 5, 10.0, 5, 5), SHARP, 1) == 0.0


def test_a_short_small_overload_is_averaged_over_the_window() -> None:
    """exp(25 x 0.06) = 4.5 times the allowed misses in one bin of five: 0.9 of what the window allows."""
    assert violation_probability(ahead(5, 5, 10.6, 5, 5), STEEP, 1) == 0.0
    assert violation_probability(ahead(5, 5, 10.7, 5, 5), STEEP, 1) == 1.0
    assert violation_probability(ahead(5, 5, 10.6, 5, 5, window=1), STEEP, 1) == 1.0


def test_the_worst_window_counts() -> None:
    quiet_then_busy = ahead(1, 1, 1, 1, 1, 1, 10.5, 10.5, window=2)
    assert violation_probability(quiet_then_busy, STEEP, 1) == 1.0
    assert violation_probability(replace(quiet_then_busy, window=8), STEEP, 1) == 0.0


def test_no_replica_breaks_whatever_has_demand() -> None:
    assert violation_probability(ahead(0.1), STEEP, 0) == 1.0
    assert violation_probability(ahead(0.0), STEEP, 0) == 0.0


def test_an_absurd_demand_is_a_violation_and_not_an_overflow() -> None:
    assert violation_probability(ahead(1e300, window=1), STEEP, 1) == 1.0


@pytest.mark.parametrize(("needed", "found"), [(0, 0), (7, 7), (20, 20), (21, 21), (99, 21)])
def test_the_fewest_is_found_or_one_more_than_the_most(needed: int, found: int) -> None:
    assert fewest(lambda count: count >= needed, most=20) == found
