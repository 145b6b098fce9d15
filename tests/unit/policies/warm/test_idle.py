"""Idle-gap hazards: counted as statsmodels' survival function counts, borrowed where a model has little to say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from foretide.policies.warm.idle import Gaps, bins, hazard, survived

AGES = 60


def gaps(*models: list[int], ages: int = AGES) -> Gaps:
    return Gaps.of([np.array(one, dtype=np.int64) for one in models], ages=ages)


def test_many_idle_periods_give_the_survival_function_of_statsmodels() -> None:
    lengths = np.random.default_rng(1).geometric(0.05, size=200_000)
    ended = lengths <= AGES
    reference = SurvfuncRight(np.minimum(lengths, AGES), ended.astype(int))
    ours = gaps(lengths.tolist())
    found = survived(hazard(ours, fleet=ours))[0]
    assert found == pytest.approx(reference.surv_prob, abs=2e-4)


def test_an_idle_period_counts_at_every_age_that_it_reached() -> None:
    found = gaps([1, 3, 100], [])
    assert found.ended[0, :3].tolist() == [1, 0, 1]
    assert found.reached[0, :5].tolist() == [3, 2, 2, 1, 1]
    assert found.reached[0, -1] == 1  # the one of 100 minutes is still under way at the last age
    assert not found.reached[1].any()


def test_a_timer_is_a_peak_at_its_period() -> None:
    fleet = gaps(np.random.default_rng(2).geometric(0.02, size=1000).tolist())
    found = hazard(gaps([30] * 48), fleet=fleet)[0]
    assert found.argmax() == 29
    assert found[29] > 0.5
    assert found[:29].max() < 0.05


def test_a_model_without_a_past_is_like_the_fleet_and_a_long_past_speaks_for_itself() -> None:
    fleet = gaps(np.random.default_rng(3).geometric(0.2, size=5000).tolist())
    found = hazard(gaps([], [50] * 2000), fleet=fleet)
    assert found[0, :8] == pytest.approx(np.full(8, 0.2), abs=0.03)
    assert found[1, :8].max() < 0.02


def test_nothing_known_at_all_is_a_hazard_that_falls_with_age() -> None:
    found = hazard(gaps([]), fleet=gaps([]))[0]
    assert (np.diff(found) <= 0).all()
    assert found[0] == pytest.approx(0.5)
    assert found[-1] > 0


@given(st.lists(st.integers(1, 2000), max_size=30), st.lists(st.integers(1, 2000), max_size=30))
def test_a_hazard_is_always_a_probability_that_leaves_room(own: list[int], others: list[int]) -> None:
    found = hazard(gaps(own), fleet=gaps(own + others))
    assert ((found > 0) & (found < 1)).all()


@given(st.integers(1, 3000))
def test_bins_cover_every_age_once_and_grow(ages: int) -> None:
    starts = bins(ages)
    assert starts[0] == 0
    assert starts[-1] < ages
    assert (np.diff(np.diff(starts)) >= 0).all()
