"""A schedule changes a forecast where its events lie, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from math import exp

import numpy as np

from foretide.forecaster.announced import Announced, Notebook
from foretide.forecaster.ladder import Ladder
from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import DemandForecast, DemandHistory, Floats, frozen

Make = Callable[..., DemandHistory]
STEP = 60.0


def asked(
    told: DemandHistory, events: tuple[ScheduledEvent, ...], notebook: Notebook | None = None, *, horizon: int = 30
) -> DemandForecast:
    made = Announced(Ladder(), events, notebook or Notebook()).forecast(
        history=told, horizon=horizon, paths=256, seed=5
    )
    assert made is not None
    return made


def event(first: float, last: float, *, told: DemandHistory, factor: float = 4.0, **changes: object) -> ScheduledEvent:
    """From minute `first` to minute `last` of the history."""
    usual = ScheduledEvent(told.start + first * STEP, told.start + last * STEP, factor, relative=True)
    return replace(usual, **changes)


def test_without_a_schedule_nothing_changes(history: Make, days: Callable[..., Floats]) -> None:
    told = history(days(300))
    plain = Ladder().forecast(history=told, horizon=30, paths=256, seed=5)
    assert plain is not None
    gone = (event(-100, -50, told=told), event(400, 500, told=told))
    for schedule in ((), gone):
        np.testing.assert_array_equal(asked(told, schedule).paths, plain.paths)


def test_an_announced_event_is_seen_before_demand_moves(history: Make, days: Callable[..., Floats]) -> None:
    told = history(days(300))
    plain, made = asked(told, ()), asked(told, (event(310, 320, told=told, confidence=1.0),))
    ratio = made.paths[:, 10:20, 0].mean() / plain.paths[:, 10:20, 0].mean()
    assert 2.5 < ratio < 6.5
    np.testing.assert_array_equal(made.paths[:, 21:], plain.paths[:, 21:])


def test_an_unsure_event_leaves_most_paths_as_they_are(history: Make, days: Callable[..., Floats]) -> None:
    told = history(days(300))
    plain, made = asked(told, ()), asked(told, (event(310, 320, told=told, confidence=0.1),))
    moved = ~np.isclose(made.paths[:, 15, 0], plain.paths[:, 15, 0])
    assert 0.05 < moved.mean() < 0.15


def test_an_event_under_way_is_not_counted_twice_and_ends(history: Make) -> None:
    rng = np.random.default_rng(1)
    rates = rng.poisson(60 * np.where(np.arange(300) < 280, 10.0, 40.0)) / 60
    told = history(rates)
    made = asked(told, (event(280, 310, told=told, confidence=1.0),))
    middle = np.median(made.paths[:, :, 0], axis=0)
    assert 30 < middle[5] < 52
    assert 8 < middle[15] < 13


def test_every_past_event_of_a_name_teaches_once(history: Make) -> None:
    rates = np.full(600, 10.0) + 0.01 * np.arange(600)
    for first in (200, 400):
        rates[first : first + 30] *= 8.0
    told, notebook = history(rates), Notebook()
    schedule = tuple(event(first, first + 30, told=told, name="drop") for first in (200, 400, 610))
    asked(told, schedule, notebook)
    once = notebook.experience["drop"]
    asked(told, schedule, notebook)
    assert notebook.experience["drop"] == once
    assert 1.3 < exp(once.mean) < 2.0  # twice what was announced, drawn towards what owners usually know
    assert "other" not in notebook.experience


def test_nothing_measured_stays_nothing(history: Make) -> None:
    told = history([float("nan")] * 20)
    found = Announced(Ladder(), (event(25, 30, told=told),), Notebook()).forecast(
        history=told, horizon=30, paths=16, seed=1
    )
    assert found is None


def test_the_history_that_was_given_is_left_alone(history: Make, days: Callable[..., Floats]) -> None:
    values = days(300)
    told = history(values)
    before = frozen(told.values)
    asked(told, (event(250, 280, told=told, confidence=1.0),))
    np.testing.assert_array_equal(told.values, before)
