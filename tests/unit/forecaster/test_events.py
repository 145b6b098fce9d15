"""Announced demand is in the paths as far as it is believed, and what happened corrects the next announcement."""

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest
from scipy import stats

from foretide.forecaster.events import (
    BIN_SD,
    EVENT_SD,
    MEASURED_SD,
    PRIOR_SD,
    QUIET_SD,
    Belief,
    Experience,
    announced_factor,
    believed,
    covered,
    measure,
    recent_lengths,
    with_events,
    without_events,
)
from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import DemandForecast, DemandHistory, Floats, Trust, frozen

STEP = 60.0
LENGTHS = np.array([1000.0, 200.0])
EVENT = ScheduledEvent(start_s=120 * STEP, end_s=180 * STEP, expected=3.0, relative=True, confidence=0.9)


def history(rates: Floats | list[float]) -> DemandHistory:
    values = np.asarray(rates, dtype=np.float64)[:, None] * np.array([1.0, 1000.0, 200.0])
    return DemandHistory(0.0, STEP, frozen(values), Trust.FRESH)


def lived(factor: float, *, rows: int = 180, level: float = 10.0) -> DemandHistory:
    """`level` requests/s, times `factor` from minute 120 on."""
    return history(np.where(np.arange(rows) < 120, level, level * factor))


def ahead(level: float = 10.0, *, made_at: float = 100 * STEP, steps: int = 60, count: int = 400) -> DemandForecast:
    paths = np.full((count, steps, 3), level) * np.array([1.0, 1000.0, 200.0])
    return DemandForecast(made_at, STEP, frozen(paths), {"given": 1.0})


def test_a_factor_is_in_as_many_paths_as_it_is_believed() -> None:
    made = with_events(ahead(), [Belief(EVENT, 0.3, 0.0, 1e-9)], lengths=LENGTHS, seed=1)
    assert (np.isclose(made.paths[:, 30, 0], 30.0)).mean() == pytest.approx(0.3, abs=0.005)
    assert (np.isclose(made.paths[:, 30, 0], 10.0)).mean() == pytest.approx(0.7, abs=0.005)
    np.testing.assert_array_equal(made.paths[:, :20], ahead().paths[:, :20])


def test_an_announced_rate_becomes_the_mean_of_the_event_and_keeps_the_paths_shape() -> None:
    event = replace(EVENT, expected=50.0, relative=False)
    wavy = ahead()
    wave = 1 + 0.5 * np.sin(np.arange(60))
    wavy = replace(wavy, paths=frozen(wavy.paths * wave[:, None]))
    made = with_events(wavy, [Belief(event, 1.0, 0.0, 1e-9)], lengths=LENGTHS, seed=1)
    assert made.paths[:, 20:, 0].mean() == pytest.approx(50.0)
    np.testing.assert_allclose(made.paths[0, 20:, 0] / made.paths[0, 20, 0], wave[20:] / wave[20])
    np.testing.assert_allclose(made.paths[..., 1], 1000 * made.paths[..., 0])


def test_a_rate_announced_for_an_idle_target_comes_with_its_recent_lengths() -> None:
    event = replace(EVENT, expected=50.0, relative=False)
    made = with_events(ahead(0.0), [Belief(event, 1.0, 0.0, 1e-9)], lengths=LENGTHS, seed=1)
    np.testing.assert_allclose(made.paths[:, 30], np.tile([50.0, 50_000.0, 10_000.0], (400, 1)), rtol=1e-6)
    assert made.paths[:, :20].max() == 0


def test_factors_over_the_paths_are_lognormal() -> None:
    made = with_events(ahead(count=4000), [Belief(EVENT, 1.0, log(1.2), 0.3)], lengths=LENGTHS, seed=3)
    logs = np.log(made.paths[:, 30, 0] / 10.0)
    assert stats.kstest(logs, stats.norm(log(3.0) + log(1.2), 0.3).cdf).pvalue > 0.001


def test_a_bin_that_the_event_touches_in_part_moves_in_part() -> None:
    starts = np.array([0.0, 60.0, 120.0])
    event = replace(EVENT, start_s=30.0, end_s=75.0)
    np.testing.assert_allclose(covered(starts, 60.0, event), [0.5, 0.25, 0.0])


def test_experience_is_the_conjugate_posterior_of_a_normal_mean() -> None:
    errors, noise = [0.4, 0.1, 0.6], 0.2
    learned = Experience()
    for error in errors:
        learned = learned.learned(error, noise_sd=noise, weight=1.0)
    grid = np.linspace(-4, 4, 200_001)
    density = stats.norm(0, PRIOR_SD).pdf(grid)
    for error in errors:
        density *= stats.norm(grid, sqrt(EVENT_SD**2 + noise**2)).pdf(error)
    density /= np.trapezoid(density, grid)
    mean = np.trapezoid(grid * density, grid)
    variance = np.trapezoid((grid - mean) ** 2 * density, grid)
    assert learned.mean == pytest.approx(mean, abs=1e-6)
    assert learned.predictive[1] == pytest.approx(sqrt(variance + EVENT_SD**2), abs=1e-6)


def test_before_it_begins_an_event_is_as_sure_as_its_owner_says() -> None:
    found = believed(EVENT, history=lived(1.0, rows=100), experience=Experience(), season_s=86400.0)
    assert found.weight == 0.9
    assert found.measured is None


def test_an_event_that_does_not_come_fades_and_one_that_comes_is_sure() -> None:
    huge = replace(EVENT, expected=6.0)

    def weight(factor: float, rows: int) -> float:
        return believed(huge, history=lived(factor, rows=rows), experience=Experience(), season_s=86400.0).weight

    assert 0.9 > weight(1.0, 122) > weight(1.0, 130) > weight(1.0, 180)
    assert weight(1.0, 180) < 0.2
    assert weight(5.0, 130) > 0.99


def test_the_weight_of_an_event_under_way_is_bayes_rule() -> None:
    told = lived(2.0, rows=124)
    found = believed(EVENT, history=told, experience=Experience(), season_s=86400.0)
    noise = sqrt(MEASURED_SD**2 + BIN_SD**2 / 4)
    prior = sqrt(PRIOR_SD**2 + EVENT_SD**2)
    happened = 0.9 * stats.norm(log(3.0), sqrt(prior**2 + noise**2)).pdf(log(2.0))
    quiet = 0.1 * stats.norm(0.0, sqrt(QUIET_SD**2 + noise**2)).pdf(log(2.0))
    assert found.weight == pytest.approx(happened / (happened + quiet))
    assert log(2.0 / 3.0) < found.mean < 0
    assert found.sd < prior


def test_the_level_without_an_event_moves_with_the_season() -> None:
    day = 600 * STEP
    event = replace(EVENT, start_s=day + 300 * STEP, end_s=day + 360 * STEP)
    rates = np.tile(np.where(np.arange(600) < 300, 10.0, 20.0), 2)[:960].copy()
    rates[900:960] *= 3.0
    seasonal = measure(event, history=history(rates), season_s=day)
    assert seasonal is not None
    assert seasonal.level == pytest.approx(20.0)
    assert exp(seasonal.factor) == pytest.approx(3.0)


def test_history_without_an_event_is_what_would_have_come() -> None:
    told = lived(3.0)
    belief = believed(EVENT, history=told, experience=Experience(), season_s=86400.0)
    plain = without_events(told, [belief])
    np.testing.assert_allclose(plain.values[:, 0], 10.0, rtol=0.1)
    np.testing.assert_array_equal(plain.values[:120], told.values[:120])


def test_history_keeps_an_event_that_did_not_take_place() -> None:
    told = lived(1.0)
    belief = believed(EVENT, history=told, experience=Experience(), season_s=86400.0)
    np.testing.assert_array_equal(without_events(told, [belief]).values, told.values)


@pytest.mark.parametrize("spoilt", [slice(0, 120), slice(120, 180), slice(0, 180)])
def test_an_event_without_measured_demand_or_level_is_not_measured(spoilt: slice) -> None:
    told = lived(3.0)
    values = told.values.copy()
    values[spoilt] = np.nan
    assert measure(EVENT, history=replace(told, values=frozen(values)), season_s=86400.0) is None


def test_a_rate_is_a_factor_of_the_level() -> None:
    assert announced_factor(replace(EVENT, expected=50.0, relative=False), 10.0) == 5.0
    assert announced_factor(EVENT, 10.0) == 3.0


def test_lengths_are_those_of_sound_busy_rows() -> None:
    told = history([0.0, np.nan, 5.0, 5.0])
    np.testing.assert_allclose(recent_lengths(told), LENGTHS)
    np.testing.assert_array_equal(recent_lengths(history([0.0, np.nan])), [0.0, 0.0])
