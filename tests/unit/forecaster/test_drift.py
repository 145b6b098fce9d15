"""The alarm: rare while forecasts are right, soon when they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from foretide.forecaster.drift import ALARM, SHIFTS, SPREADS, SkillSum, Wager


def first_alarm(ranks: np.ndarray, wager: Wager | None = None) -> int | None:
    wager = wager or Wager(life=len(ranks) + 1)
    return next((at for at, rank in enumerate(ranks.tolist()) if wager.add(rank)), None)


@pytest.mark.parametrize("stake", SHIFTS)
def test_each_bet_on_a_shift_is_fair(stake: float) -> None:
    assert quad(lambda u: 1 + stake * (2 * u - 1), 0, 1)[0] == pytest.approx(1.0)
    assert 1 - abs(stake) > 0


@pytest.mark.parametrize("stake", SPREADS)
def test_each_bet_on_the_spread_is_fair(stake: float) -> None:
    assert quad(lambda u: 1 + stake * (3 * (2 * u - 1) ** 2 - 1), 0, 1)[0] == pytest.approx(1.0)
    assert min(1 - stake, 1 + 2 * stake) > 0


def test_under_uniform_ranks_the_capital_reaches_a_hundred_as_rarely_as_ville_says() -> None:
    """At most 1 %: of 400 lives, more than 10 alarms have a probability under 0.3 %."""
    rng = np.random.default_rng(0)
    assert sum(first_alarm(rng.random(400)) is not None for _ in range(400)) <= 10


@pytest.mark.parametrize(
    "ranks",
    [lambda rng: rng.beta(3, 1, 300), lambda rng: rng.beta(1, 3, 300), lambda rng: rng.beta(0.3, 0.3, 300)],
    ids=["too low", "too high", "too narrow"],
)
def test_wrong_forecasts_are_noticed_within_a_hundred_outcomes(ranks: object) -> None:
    found = [first_alarm(ranks(np.random.default_rng(seed))) for seed in range(20)]  # type: ignore[operator]
    assert all(at is not None and at < 100 for at in found)


def test_a_break_after_a_long_calm_is_noticed() -> None:
    rng = np.random.default_rng(1)
    at = first_alarm(np.concatenate([rng.random(600), rng.beta(4, 1, 200)]))
    assert at is not None
    assert 600 <= at < 700


def test_a_life_ends_and_begins_anew() -> None:
    wager = Wager(life=5)
    for _ in range(6):
        wager.add(0.9)
    assert wager.seen == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=300))
def test_no_ranks_break_the_wager(ranks: list[float]) -> None:
    wager = Wager()
    for rank in ranks:
        wager.add(rank)
        assert 0 < wager.capital < ALARM


def test_a_pool_that_loses_for_long_raises_the_alarm_and_one_that_wins_never_does() -> None:
    losing, winning, even = SkillSum(), SkillSum(), SkillSum()
    assert any(losing.add(pooled=1.5, reference=1.0) for _ in range(40))
    assert not any(winning.add(pooled=0.8, reference=1.0) for _ in range(2000))
    assert not any(even.add(pooled=1.05, reference=1.0) for _ in range(2000))


def test_overlapping_origins_count_for_their_share() -> None:
    whole, tenth = SkillSum(), SkillSum()
    soon = next(at for at in range(999) if whole.add(pooled=2.0, reference=1.0))
    late = next(at for at in range(9999) if tenth.add(pooled=2.0, reference=1.0, share=0.1))
    assert late == pytest.approx(10 * soon, abs=12)


def test_perfect_and_negative_scores_break_nothing() -> None:
    skill = SkillSum()
    for pooled, reference in ((0.0, 0.0), (-0.1, 0.0), (1e300, 0.0)):
        skill.add(pooled=pooled, reference=reference)
    assert np.isfinite(skill.total)
