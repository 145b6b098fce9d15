import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.coldstart import learned
from foretide.policies.flow import ColdStart

PRIOR = ColdStart(median_s=120.0, sigma=0.6)
starts = st.lists(st.floats(min_value=0.0, max_value=3600.0), max_size=40)


def test_without_a_start_the_prior_stands() -> None:
    assert learned(PRIOR, ()) == PRIOR


def test_three_starts_weigh_as_much_as_the_prior() -> None:
    assert learned(ColdStart(80.0, 0.3), (160.0,) * 3).median_s == pytest.approx((80.0 * 160.0) ** 0.5)


def test_many_starts_outweigh_the_prior() -> None:
    seen = 30.0 * np.exp(0.1 * np.random.default_rng(1).standard_normal(2000))
    found = learned(PRIOR, seen)
    assert found.median_s == pytest.approx(30.0, rel=0.02)
    assert found.sigma == pytest.approx(0.1, rel=0.3)
    assert found.observed == 2000


def test_a_prior_that_was_wrong_is_not_taken_for_spread() -> None:
    found = learned(ColdStart(300.0, 0.5), (90.0,) * 20)
    assert found.sigma < 0.25
    assert 90.0 < found.median_s < 120.0


@given(starts)
def test_the_posterior_lies_between_prior_and_observations(seen: list[float]) -> None:
    found = learned(PRIOR, seen)
    bounds = [PRIOR.median_s, *(max(second, 0.1) for second in seen)]
    assert min(bounds) * 0.999 <= found.median_s <= max(bounds) * 1.001
    assert np.isfinite(found.sigma)
    assert found.observed == len(seen)


@given(starts)
def test_the_order_of_starts_does_not_matter(seen: list[float]) -> None:
    one, other = learned(PRIOR, seen), learned(PRIOR, sorted(seen))
    assert (one.median_s, one.sigma) == pytest.approx((other.median_s, other.sigma), abs=1e-9)
