"""How long starts take: drawn by their ordinal, lognormal around the median."""

import numpy as np
import pytest

from foretide.simulator.starts import StartTier


def test_a_tier_without_spread_always_takes_its_median() -> None:
    assert [StartTier(30.0, 0.0).start_s(ordinal=n, seed=3) for n in range(3)] == pytest.approx([30.0] * 3)


def test_the_nth_start_of_a_seed_is_always_the_same_and_others_differ() -> None:
    tier = StartTier(30.0, 0.4)
    drawn = [tier.start_s(ordinal=n, seed=seed) for seed in (1, 2) for n in range(5)]
    assert drawn == [tier.start_s(ordinal=n, seed=seed) for seed in (1, 2) for n in range(5)]
    assert len(set(drawn)) == 10


def test_starts_are_lognormal_with_the_tiers_median_and_sigma() -> None:
    logs = np.log([StartTier(60.0, 0.3).start_s(ordinal=n, seed=0) for n in range(4000)])
    assert np.median(logs) == pytest.approx(np.log(60.0), abs=4 * 1.25 * 0.3 / np.sqrt(4000))
    assert logs.std() == pytest.approx(0.3, rel=0.05)
