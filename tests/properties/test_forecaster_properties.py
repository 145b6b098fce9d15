"""Whatever is measured, the ladder answers with finite, non-negative joint paths, or says nothing.

Calibrated or not, and whatever a learned tier answers.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.random import Generator

from foretide.forecaster.announced import Announced, Notebook
from foretide.forecaster.calibrator import Calibration
from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Past, past_of
from foretide.forecaster.scoring import crps
from foretide.policies.declared import ScheduledEvent
from foretide.policies.flow import DemandForecast, DemandHistory, Floats, Trust, frozen

ODD = st.sampled_from([0.0, float("nan"), float("inf"), -1.0, 1e12, 1e11, 1e300, 5e-324, 1e-9])
USUAL = st.floats(min_value=0.0, max_value=1e4)
STEPS = st.sampled_from([1.0, 15.0, 60.0, 600.0])


@st.composite
def demands(draw: st.DrawFn) -> Floats:
    """Rates from calm to absurd: constants, noise, gaps, spikes and single odd entries; any length from none."""
    rows = draw(st.integers(0, 160))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = draw(USUAL)
    kind = draw(st.sampled_from(["constant", "noise", "walk", "bursts"]))
    rates = {
        "constant": np.full(rows, level),
        "noise": rng.gamma(2.0, level / 2 + 1e-12, size=rows),
        "walk": level * np.exp(np.cumsum(rng.normal(0, 0.3, size=rows))),
        "bursts": np.where(rng.random(rows) < 0.1, level, 0.0),
    }[kind]
    values = np.column_stack([rates, rates * rng.uniform(10, 2000, rows), rates * rng.uniform(1, 500, rows)])
    values[rng.random(rows) < draw(st.sampled_from([0.0, 0.05, 0.5]))] = np.nan
    for _ in range(draw(st.integers(0, 3)) if rows else 0):
        values[draw(st.integers(0, rows - 1)), draw(st.integers(0, 2))] = draw(ODD)
    return np.asarray(values, dtype=np.float64)


def history(values: Floats, *, step: float, trust: Trust = Trust.FRESH) -> DemandHistory:
    return DemandHistory(start=0.0, step=step, values=frozen(values), trust=trust)


@settings(max_examples=150, deadline=None)
@given(
    values=demands(),
    step=STEPS,
    trust=st.sampled_from(list(Trust)),
    horizon=st.integers(1, 60),
    paths=st.integers(1, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_history_gives_sane_paths_or_none(
    *, values: Floats, step: float, trust: Trust, horizon: int, paths: int, seed: int
) -> None:
    told = history(values, step=step, trust=trust)
    made = Ladder(season_s=40 * step).forecast(history=told, horizon=horizon, paths=paths, seed=seed)
    if made is None:
        assert past_of(told).count == 0
        return
    assert made.paths.shape == (paths, horizon, 3)
    assert np.isfinite(made.paths).all()
    assert made.paths.min() >= 0
    assert abs(sum(made.weights.values()) - 1.0) < 1e-9
    assert made.flagged or trust in {Trust.FRESH, Trust.PARTIAL}
    assert made.paths.max() <= 10 * np.nanmax(past_of(told).known, initial=0.0) + 1e-300


@st.composite
def schedules(draw: st.DrawFn, step: float) -> tuple[ScheduledEvent, ...]:
    """Events before, across and after a history of up to 160 steps: overlapping, contradicting, tiny and huge."""
    times = st.floats(-50 * step, 230 * step)
    events = []
    for _ in range(draw(st.integers(1, 4))):
        start, length = draw(times), draw(st.floats(0.01 * step, 200 * step))
        relative = draw(st.booleans())
        size = draw(st.floats(0.01, 100.0) if relative else st.floats(0.001, 1e6))
        confidence, name = draw(st.floats(0.01, 1.0)), draw(st.sampled_from(["", "launch"]))
        events.append(ScheduledEvent(start, start + length, size, relative, confidence, name))
    return tuple(events)


@settings(max_examples=60, deadline=None)
@given(values=demands(), data=st.data(), step=STEPS, horizon=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_any_schedule_on_any_history_gives_sane_and_repeatable_paths(
    *, values: Floats, data: st.DataObject, step: float, horizon: int, seed: int
) -> None:
    told, events = history(values, step=step), data.draw(schedules(step))

    def asked() -> DemandForecast | None:
        inner = Ladder(season_s=40 * step)
        announced = Announced(inner, events, Notebook(season_s=40 * step))
        return announced.forecast(history=told, horizon=horizon, paths=32, seed=seed)

    made, again = asked(), asked()
    if made is None or again is None:
        assert made is again
        return
    assert made.paths.shape == (32, horizon, 3)
    assert np.isfinite(made.paths).all()
    assert made.paths.min() >= 0
    np.testing.assert_array_equal(made.paths, again.paths)


@settings(max_examples=25, deadline=None)
@given(values=demands(), seed=st.integers(0, 1000), horizon=st.integers(1, 12))
def test_the_same_calls_give_the_same_paths(values: Floats, seed: int, horizon: int) -> None:
    def lived() -> list[Floats]:
        ladder = Ladder(season_s=2400.0)
        ends = range(len(values) // 2, len(values) + 1, 7)
        made = [
            ladder.forecast(history=history(values[:end], step=60.0), horizon=horizon, paths=32, seed=seed)
            for end in ends
        ]
        return [each.paths for each in made if each is not None]

    for left, right in zip(lived(), lived(), strict=True):
        np.testing.assert_array_equal(left, right)


@settings(max_examples=40, deadline=None)
@given(
    samples=arrays(np.float64, (9, 3), elements=st.floats(-1e6, 1e6)),
    actual=arrays(np.float64, 3, elements=st.floats(-1e6, 1e6)),
)
def test_crps_does_not_depend_on_the_order_of_samples_and_is_at_most_the_error(samples: Floats, actual: Floats) -> None:
    scored = crps(samples, actual)
    np.testing.assert_allclose(scored, crps(samples[::-1], actual), rtol=1e-9, atol=1e-6)
    assert (scored <= np.abs(samples - actual).mean(axis=0) + 1e-6).all()


@dataclass
class Hostile:
    """A learned tier that answers in every wrong way there is, one after another."""

    turn: int = 0
    name: str = "hostile"

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        del past, rng
        self.turn += 1
        usual = np.ones((count, horizon, 3))
        wrong = [np.nan * usual, 1e300 * usual, -usual, usual[:, :, :2], usual[:1], usual[0], np.array("no"), None]
        if self.turn % 9 == 0:
            raise RuntimeError("hostile")
        return wrong[self.turn % 9 - 1]


SECOND = np.resize([3.0, 4.0, 5.0, 4.0, 6.0], 40)
WRONG = {
    "constant": np.full(40, 7.0),
    "all zero": np.zeros(40),
    "99 % missing": np.where(np.arange(200) % 100 == 50, 4.0, np.nan),
    "a spike of 1e12": np.concatenate([SECOND, [1e12], SECOND[:3]]),
    "a negative value": np.concatenate([SECOND, [-3.0], SECOND[:3]]),
    "not a number": np.concatenate([SECOND, [np.nan] * 8]),
    "one sample": np.array([4.0]),
    "nothing": np.empty(0),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_gives_a_flagged_fallback_or_nothing(name: str) -> None:
    rates = WRONG[name]
    told = history(np.column_stack([rates, 100 * rates, 10 * rates]), step=60.0)
    ladder = Ladder(calibration=True, learned=[Hostile()])
    made = ladder.forecast(history=told, horizon=5, paths=32, seed=1)
    if name == "nothing":
        assert made is None
        return
    assert made is not None
    assert made.flagged
    assert np.isfinite(made.paths).all()
    assert made.paths.min() >= 0


@settings(max_examples=25, deadline=None)
@given(
    values=demands(),
    step=STEPS,
    horizon=st.integers(1, 20),
    clock=st.lists(st.integers(-50, 20), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_calibration_and_a_hostile_tier_break_nothing_whatever_the_clock_does(
    *, values: Floats, step: float, horizon: int, clock: list[int], seed: int
) -> None:
    ladder = Ladder(season_s=40 * step, calibration=Calibration(remap=True, drift=True), learned=[Hostile()])
    end = max(1, len(values) // 2)
    for jump in clock:
        end = min(max(0, end + jump), len(values))
        told = history(values[:end], step=step)
        made = ladder.forecast(history=told, horizon=horizon, paths=32, seed=seed)
        if made is None:
            assert past_of(told).count == 0
            continue
        assert made.paths.shape == (32, horizon, 3)
        assert np.isfinite(made.paths).all()
        assert made.paths.min() >= 0
        assert made.weights.get("hostile", 0.0) == 0.0 or not made.flagged
        assert made.paths.max() <= 10 * np.nanmax(past_of(told).known, initial=0.0) + 1e-300
