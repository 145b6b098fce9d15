"""A dozing forecaster says what a wakeful one said a little while ago, and wakes for anything that happens."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from given import history

from foretide.forecaster.dozing import Dozing
from foretide.forecaster.ladder import Ladder
from foretide.policies.flow import DemandForecast, DemandHistory, Trust, frozen

STEP, DOZE_S = 60.0, 300.0
IDLE = (3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass
class Asked:
    """Paths that say at which minute they are meant to come true; keeps how far ahead it was asked."""

    horizons: list[int] = field(default_factory=list)
    flagged: str = ""

    def forecast(self, *, history: DemandHistory, horizon: int, paths: int, seed: int) -> DemandForecast | None:
        self.horizons.append(horizon)
        minutes = history.end / STEP + np.arange(1, horizon + 1)
        drawn = np.repeat(np.repeat(minutes[None, :, None], paths, axis=0), 3, axis=2)
        return DemandForecast(history.end, history.step, frozen(drawn), {"asked": 1.0}, flagged=self.flagged)


def told(found: Dozing, seen: DemandHistory, *, horizon: int = 4) -> list[float]:
    made = found.forecast(history=seen, horizon=horizon, paths=2, seed=1)
    assert made is not None
    assert made.made_at == seen.end
    assert made.paths.shape == (2, horizon, 3)
    return [float(minute) for minute in made.paths[0, :, 0]]


def ahead(seen: DemandHistory, horizon: int = 4) -> list[float]:
    return [seen.end / STEP + step for step in range(1, horizon + 1)]


def test_an_idle_target_is_looked_at_once_in_five_minutes_and_every_answer_reaches_as_far_as_asked() -> None:
    asked = Asked()
    found = Dozing(asked, name="prod/llama")
    for minute in range(20):
        seen = history(*IDLE, now=6000.0 + 60.0 * minute)
        assert told(found, seen) == ahead(seen)
    assert asked.horizons == [9] * len(asked.horizons)
    assert 4 <= len(asked.horizons) <= 5


@pytest.mark.parametrize(
    "seen",
    [
        history(3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1),
        history(3.0, 0.0, 0.1, 0.0, 0.0, 0.0),
        history(3.0, 0.0, 0.0, float("nan"), 0.0, 0.0),
        history(0.0, 0.0),
        replace(history(*IDLE), trust=Trust.PARTIAL),
        history(*IDLE, step=30.0),
    ],
)
def test_whatever_is_not_a_measured_idle_time_is_looked_at_anew(seen: DemandHistory) -> None:
    asked = Asked()
    found = Dozing(asked, name="prod/llama", doze_s=DOZE_S)
    for _ in range(2):
        found.forecast(history=history(*IDLE), horizon=4, paths=2, seed=1)
        found.forecast(history=seen, horizon=4, paths=2, seed=1)
    assert len(asked.horizons) >= 3
    assert 4 in asked.horizons


def test_a_horizon_that_grew_beyond_what_stands_is_asked_for_anew() -> None:
    asked = Asked()
    found = Dozing(asked, name="prod/llama")
    told(found, history(*IDLE))
    told(found, history(*IDLE), horizon=10)
    assert asked.horizons == [9, 15]


def test_a_fallback_is_never_kept() -> None:
    asked = Asked(flagged="a fallback")
    found = Dozing(asked, name="prod/llama")
    told(found, history(*IDLE))
    told(found, history(*IDLE))
    assert len(asked.horizons) == 2


def test_targets_do_not_all_look_in_the_same_minute() -> None:
    looks = np.zeros(10)
    for name in (f"team/llm-{i}" for i in range(100)):
        asked = Asked()
        found = Dozing(asked, name=name)
        for minute in range(15):
            before = len(asked.horizons)
            told(found, history(*IDLE, now=6000.0 + 60.0 * minute))
            if minute >= 5:
                looks[minute - 5] += len(asked.horizons) - before
    assert looks.sum() == 200
    assert looks.max() <= 35


def test_the_ladder_serves_it_and_goes_on_learning_from_what_was_said() -> None:
    found = Dozing(Ladder(season_s=7200.0), name="prod/llama")
    rates = [*([2.0] * 30 + [0.0] * 30) * 6]
    for minute in range(len(rates) - 30, len(rates) + 1):
        made = found.forecast(history=history(*rates[:minute], now=60.0 * minute), horizon=6, paths=64, seed=minute)
        assert made is not None
        assert made.paths.shape == (64, 6, 3)
        assert made.made_at == 60.0 * minute
        assert (made.paths >= 0).all()
