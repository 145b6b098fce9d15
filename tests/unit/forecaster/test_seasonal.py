from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.past import past_of
from foretide.forecaster.seasonal import SeasonalWindows
from foretide.policies.flow import DemandHistory, Floats

History = Callable[..., DemandHistory]
SEASON_ROWS = 200
TIER = SeasonalWindows(season_s=SEASON_ROWS * 60.0, width_s=120.0)


def season(at: Floats) -> Floats:
    """A quiet season with a ramp to ten times as much at two thirds of it."""
    phase = at % SEASON_ROWS
    return np.where(phase < 130, 10.0, np.where(phase < 170, 100.0, 10.0)) + 0.1 * np.sin(at)


def drawn(told: DemandHistory, *, horizon: int = 20, tier: SeasonalWindows = TIER) -> Floats | None:
    return tier.paths(past=past_of(told), horizon=horizon, count=60, rng=np.random.default_rng(0))


def test_the_ramp_is_seen_before_it_comes(history: History) -> None:
    now = 2 * SEASON_ROWS + 120
    paths = drawn(history(season(np.arange(now))))
    assert paths is not None
    median = np.median(paths[:, :, 0], axis=0)
    assert median[:7].max() < 12
    assert median[-5:].min() > 90


def test_stretches_come_to_the_level_of_today(history: History) -> None:
    rates = season(np.arange(2 * SEASON_ROWS + 100))
    rates[-60:] *= 2.0
    paths = drawn(history(rates), horizon=10)
    assert paths is not None
    assert np.median(paths[:, :, 0]) == pytest.approx(20.0, rel=0.1)


def test_the_level_ratio_is_limited(history: History) -> None:
    rates = season(np.arange(2 * SEASON_ROWS + 100))
    rates[-60:] *= 50.0
    paths = drawn(history(rates), horizon=10)
    assert paths is not None
    assert paths[:, :, 0].max() < TIER.limit * 10.2


def test_it_is_silent_before_a_season_and_a_tenth(history: History) -> None:
    rates = season(np.arange(2 * SEASON_ROWS))
    assert drawn(history(rates[: int(1.09 * SEASON_ROWS)])) is None
    assert drawn(history(rates[: int(1.11 * SEASON_ROWS)])) is not None


def test_it_is_silent_where_every_earlier_season_was_a_gap(history: History) -> None:
    rates = season(np.arange(SEASON_ROWS + 100))
    rates[80:140] = np.nan
    assert drawn(history(rates)) is None


def test_idle_seasons_stay_idle(history: History) -> None:
    rates = np.zeros(2 * SEASON_ROWS)
    rates[:3] = 5.0
    paths = drawn(history(rates), horizon=5, tier=SeasonalWindows(season_s=150 * 60.0, width_s=120.0))
    assert paths is not None
    assert paths.max() == 0.0
