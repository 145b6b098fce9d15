"""Two counts on the same measured demand: what each costs and keeps, and what is not known."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from given import NOW, OBJECTIVE, ONE_WORK_PER_REQUEST, evidence, forecast, pool
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.flow import DemandHistory, Evidence, Mode, Trust, frozen
from foretide.policies.scorecard import DAYS, Scorecard, advanced, interrupted
from foretide.policies.shadow import Fleet
from foretide.policies.tally import Account, Tally

STEP = 60.0
STEEP = replace(ONE_WORK_PER_REQUEST, capacity=replace(ONE_WORK_PER_REQUEST.capacity, steepness=4.0))


def seen_at(now: float, *rates: float, **changes: Any) -> Evidence:
    """A plan at `now` with these requests/s in the newest whole minutes, in mode Recommend."""
    end = now // STEP * STEP
    values = np.array([[rate, rate * 1000, rate * 200] for rate in rates]).reshape(-1, 3)
    trust = changes.pop("trust", Trust.FRESH)
    known = DemandHistory(end - STEP * len(rates), STEP, frozen(values), trust, censored=changes.pop("censored", None))
    usual: dict[str, Any] = {"mode": Mode.RECOMMEND, "now": now, "history": known}
    ahead = forecast(*[rates[-1] if rates and np.isfinite(rates[-1]) else 25.0] * 100, now=now)
    return evidence(**usual | {"forecast": ahead} | changes)


def lived(
    minutes: int, *, rate: float = 25.0, begin: float = NOW, card: Scorecard | None = None, **changes: Any
) -> Any:
    for minute in range(minutes + 1):
        card = advanced(card, seen_at(begin + STEP * minute, *[rate] * 30, **changes))
    return card


def test_what_stands_and_what_would_have_stood_are_counted_in_gpu_seconds_and_kept_windows() -> None:
    card = lived(60, pool=pool(6, gpus_per_replica=2))
    total = card.total
    assert (card.since, card.until, total.judged_s) == (NOW, NOW + 3600, 3600.0)
    assert total.present.gpu_s == 6 * 2 * 3600
    assert 3 * 2 * 3600 < total.foretide.gpu_s < 4 * 2 * 3600, "it comes down from 6 to 3 by steps"
    assert total.kept(total.present) == total.kept(total.foretide) == 1.0


def test_too_few_replicas_break_the_promise_of_whoever_has_them() -> None:
    card = lived(60, rate=45.0, pool=pool(3))
    assert card.total.kept(card.total.present) == 0.0
    assert 0.9 < card.total.kept(card.total.foretide) < 1.0, "the first window is lost to the cold start"


def test_the_present_autoscaler_is_no_conflict_here() -> None:
    assert lived(60, pool=pool(6, conflict="an HPA scales it")).total.foretide.gpu_s < 4 * 3600


def test_the_first_window_is_the_first_whole_one() -> None:
    assert lived(10, begin=NOW + 30.0).since == NOW + 300


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"trust": Trust.STALE}, "missing_s"),
        ({"trust": Trust.PARTIAL}, "missing_s"),
        ({"rate": float("nan")}, "missing_s"),
        ({"censored": frozen(np.ones(30))}, "censored_s"),
    ],
)
def test_windows_that_cannot_be_judged_are_left_out_and_told(changes: dict[str, Any], cause: str) -> None:
    card = lived(60, **changes)
    assert getattr(card.total, cause) == card.total.all_s == 3600.0
    assert card.total.present == card.total.foretide == Account()
    assert card.total.kept(card.total.present) is None


def test_one_gap_costs_its_window_only() -> None:
    card = None
    rates = np.full(61, 25.0)
    rates[12] = np.nan
    for minute in range(61):
        card = advanced(card, seen_at(NOW + STEP * minute, *[25.0] * 30, *rates[:minute]))
    assert card is not None
    assert (card.total.judged_s, card.total.missing_s) == (3300.0, 300.0)


def test_time_that_nobody_watched_is_told_and_nothing_is_made_up_for_it() -> None:
    card = lived(30)
    card = lived(30, begin=NOW + 7200, card=card)
    assert card.total.unwatched_s == pytest.approx(5400.0, abs=600.0)
    assert card.total.all_s == 7200 + 1800


def test_a_year_of_absence_is_told_as_far_as_days_are_kept() -> None:
    card = lived(10, begin=NOW + 365 * 86400.0, card=lived(30))
    assert len(card.days) == DAYS
    assert card.total.unwatched_s <= (DAYS + 1) * 86400.0


def test_other_terms_begin_a_new_scorecard() -> None:
    card = lived(30)
    changed = lived(10, begin=NOW + 1860, card=card, objective=replace(OBJECTIVE, max_violation_probability=0.05))
    assert changed.since == NOW + 2100


def test_modes_that_compare_nothing_are_neither_judged_nor_left_out() -> None:
    card = lived(30)
    for minute in range(31, 90):
        card = interrupted(card, seen_at(NOW + STEP * minute, *[25.0] * 30))
    card = lived(30, begin=NOW + 90 * STEP, card=card)
    assert (card.total.judged_s, card.total.all_s) == (3600.0, 3600.0)


def test_a_new_life_goes_on_with_the_count_that_it_had_but_not_after_a_long_absence() -> None:
    told = Scorecard(NOW, NOW, lived(1).terms, resumed=4)
    soon = advanced(told, seen_at(NOW + 300, *[25.0] * 30, pool=pool(9)))
    late = advanced(told, seen_at(NOW + 7200, *[25.0] * 30, pool=pool(9)))
    assert soon.track[-1].foretide.replicas == 3
    assert late.track[-1].foretide.replicas == 7, "it comes down from 9"


def test_a_clock_that_goes_back_starts_to_watch_anew() -> None:
    card = advanced(lived(30), seen_at(NOW + 600, *[25.0] * 30))
    assert len(card.track) == 1
    assert card.total.judged_s == 1800


def test_a_second_plan_at_the_same_moment_changes_nothing() -> None:
    card = lived(30)
    assert advanced(card, seen_at(card.track[-1].at, *[25.0] * 30)) is card


def test_memory_stays_small_over_weeks() -> None:
    card = lived(60 * 24)
    assert len(card.track) <= 8
    assert len(card.days) == 2
    assert sum((day.tally for day in card.days), Tally()) == card.total


@st.composite
def plans(draw: st.DrawFn) -> list[Evidence]:
    found, now = [], NOW
    rates = st.one_of(st.floats(0.0, 200.0), st.just(float("nan")))
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.sampled_from([-400.0, 5.0, 60.0, 60.0, 60.0, 300.0, 4000.0]))
        count = draw(st.integers(1, 30))
        found.append(
            seen_at(
                now,
                *draw(st.lists(rates, min_size=0, max_size=40)),
                trust=draw(st.sampled_from(list(Trust))),
                pool=pool(count, ready=draw(st.integers(0, count)), starting=draw(st.integers(0, 3))),
                service=draw(st.sampled_from([ONE_WORK_PER_REQUEST, STEEP])),
                mode=draw(st.sampled_from([Mode.RECOMMEND, Mode.RAISE_ONLY, Mode.AUTO])),
            )
        )
    return found


@given(plans())
def test_whatever_happens_it_adds_up_and_only_grows(given_plans: list[Evidence]) -> None:
    card: Scorecard | None = None
    for seen in given_plans:
        before = card.total if card else Tally()
        card = advanced(card, seen) if seen.mode is not Mode.AUTO or card is None else interrupted(card, seen)
        total = card.total
        assert all(getattr(total, name) >= getattr(before, name) for name in ("judged_s", "missing_s", "unwatched_s"))
        for account in (total.present, total.foretide):
            assert 0 <= account.kept_s <= total.judged_s + 1e-6
            assert account.gpu_s >= 0
        assert len(card.days) <= DAYS
        assert np.isfinite([getattr(total, field.name) for field in fields(Tally) if field.name.endswith("_s")]).all()
        assert isinstance(card.shadow.fleet if card.shadow else Fleet(0), Fleet)
