"""A row that nobody held possible hands half of the paths to the tiers that start from it, for one horizon."""

from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.ladder import FOLLOWERS, Ladder, own_tiers
from foretide.forecaster.maturity import SAMPLES, Pending, pending
from foretide.forecaster.past import past_of
from foretide.forecaster.shock import FAR, FOLLOWING, shared, shocked
from foretide.policies.flow import DemandForecast, DemandHistory, Trust

History = Callable[..., DemandHistory]
HORIZON = 5
CALM = np.random.default_rng(4).poisson(600, 240) / 60


def told(history: History, *, rows: int, spread: float = 1.0) -> Pending:
    """A forecast made after so many rows: requests/s evenly from 10 - spread to 10 + spread at every step."""
    values = np.linspace(10 - spread, 10 + spread, SAMPLES)[:, None, None]
    paths = np.broadcast_to(values, (SAMPLES, HORIZON, 3)).copy()
    return pending(past_of(history([10.0] * rows)), {}, paths, season_s=86400.0, issued=None)


@pytest.mark.parametrize(
    ("came", "is_shock"), [(10.0, False), (11.4, False), (8.6, False), (11.6, True), (8.4, True), (10 + FAR, False)]
)
def test_a_row_far_beyond_the_outermost_path_is_a_shock(history: History, came: float, is_shock: bool) -> None:
    past = past_of(history([10.0] * 20 + [came]))
    assert shocked([told(history, rows=20)], past) is is_shock


def test_the_newest_forecast_that_spoke_of_the_row_is_asked(history: History) -> None:
    past = past_of(history([10.0] * 20 + [13.0]))
    assert shocked([told(history, rows=18), told(history, rows=20, spread=4.0)], past) is False
    assert shocked([told(history, rows=18, spread=4.0), told(history, rows=20)], past) is True


def test_no_forecast_and_no_measurement_is_no_shock(history: History) -> None:
    past = past_of(history([10.0] * 20 + [30.0]))
    assert shocked([], past) is False
    assert shocked([told(history, rows=21)], past) is False
    assert shocked([told(history, rows=20 - HORIZON)], past) is False
    assert shocked([told(history, rows=20)], past_of(history([10.0] * 20 + [float("nan")]))) is False


def test_shares_still_sum_to_one_and_no_tier_vanishes() -> None:
    weights = shared({"blind": 0.8, "half": 0.2, "near": 0.0}, {"near": 0.75, "half": 0.25})
    assert weights == pytest.approx({"blind": 0.4, "half": 0.225, "near": 0.375})


def test_followers_are_tiers_of_the_ladder() -> None:
    assert set(FOLLOWERS) < {tier.name for tier in own_tiers(season_s=86400.0)}


def after(ladder: Ladder, rates: np.ndarray, end: int) -> DemandForecast:
    rate = rates[:end]
    values = np.column_stack([rate, 1000 * rate, 200 * rate])
    made = ladder.forecast(history=DemandHistory(0.0, 60.0, values, Trust.FRESH), horizon=HORIZON, paths=400, seed=end)
    assert made is not None
    return made


def test_after_a_jump_the_forecast_knows_the_new_level_at_once_and_later_trusts_its_scores_again() -> None:
    rates = np.concatenate([CALM, 3 * CALM[:40]])
    ladder, first = Ladder(), len(CALM)
    before = after(ladder, rates, first)
    assert sum(before.weights.get(name, 0.0) for name in FOLLOWERS) < FOLLOWING
    jumped = after(ladder, rates, first + 1)
    assert sum(jumped.weights.get(name, 0.0) for name in FOLLOWERS) >= FOLLOWING - 0.01
    assert np.quantile(jumped.paths[:, -1, 0], 0.8) > 20
    for end in range(first + 2, first + 40):
        last = after(ladder, rates, end)
    assert abs(float(np.median(last.paths[:, -1, 0])) - 30) < 6


def test_calm_noise_is_hardly_ever_a_shock() -> None:
    rates = np.random.default_rng(9).poisson(600, 700) / 60
    ladder, shocks = Ladder(), 0
    for end in range(400, 700):
        followed = sum(after(ladder, rates, end).weights.get(name, 0.0) for name in FOLLOWERS)
        shocks += followed >= FOLLOWING
    assert shocks <= 0.05 * 300
