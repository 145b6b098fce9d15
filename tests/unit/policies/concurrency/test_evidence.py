"""The sequential test: its error over many looks, and what it needs to be sure."""

import numpy as np
import pytest

from foretide.policies.concurrency.evidence import Evidence


def test_wealth_by_hand() -> None:
    one = Evidence().after(goodput=0.3, attainment=0.01)
    assert one.value == pytest.approx((1.2 + 1.5 + 1.8) / 3)
    two = one.after(goodput=-0.1, attainment=-0.02)
    assert two.value == pytest.approx((1.2 * 0.8 + 1.5 * 0.5 + 1.8 * 0.2) / 3)
    assert (two.windows, two.goodput, two.attainment) == (2, pytest.approx(0.2), pytest.approx(-0.01))


def test_a_tie_speaks_against_the_first() -> None:
    assert Evidence().after(goodput=0.0, attainment=0.0).value < 1


def test_how_much_a_window_is_better_by_does_not_matter() -> None:
    little, much = (Evidence().after(goodput=size, attainment=0.0) for size in (1e-6, 1.0))
    assert little.value == much.value


def test_without_a_difference_it_is_ever_sure_no_more_often_than_its_error() -> None:
    """Looked at after each of 200 windows, 2000 times over; independent of how wealth is written."""
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(2000):
        one = Evidence()
        for difference in rng.standard_normal(200):
            one = one.after(goodput=float(difference), attainment=0.0)
            if one.proves(0.05):
                sure += 1
                break
    # three standard errors of 2000 draws above the stated error
    assert sure / 2000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_seven_wins_in_a_row_are_proof_at_one_in_twenty() -> None:
    one, needed = Evidence(), 0
    while not one.proves(0.05):
        one, needed = one.after(goodput=0.1, attainment=0.0), needed + 1
    assert needed == 7


def test_the_spread_of_attainment_is_that_of_a_sample() -> None:
    drops = np.array([0.1, -0.05, 0.3, 0.0])
    one = Evidence()
    for drop in drops:
        one = one.after(goodput=0.1, attainment=float(drop))
    mean, error = one.attained
    assert one.deviation == pytest.approx(drops.std(ddof=1))
    assert (mean, error) == pytest.approx((drops.mean(), drops.std(ddof=1) / 2))


def test_one_window_has_no_spread() -> None:
    assert Evidence().after(goodput=0.1, attainment=0.2).attained == (0.2, np.inf)
