"""The rule on a number that reaches all: a change is held against the windows before it, and taken back at a loss."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shown import LINEAR, shown

from foretide.policies.concurrency import in_time
from foretide.policies.concurrency.in_time import (
    FIRST,
    REST_S,
    STUCK_S,
    TRIAL,
    Past,
    Terms,
    Turn,
    Verdict,
    is_worse,
    turn,
)
from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.restart import Restart
from foretide.policies.concurrency.shield import Promise
from foretide.policies.concurrency.window import Bounds, Window

BOUNDS = Bounds(4, 512)
BEST = 190
LIVE = Terms(BOUNDS)
RESTARTS = Terms(BOUNDS, Restart(start_s=120.0, lasts_s=6 * 3600.0))


def rule() -> Rule:
    known = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS)
    known.act(shown())
    return known


def lived(past: Past, seen: Window, *, windows: int, terms: Terms = LIVE, now: float = 0.0) -> Turn:
    """The last turn of so many alike windows, 60 s each."""
    told = Turn(past, Verdict.WATCHING)
    for i in range(windows):
        told = turn(told.past, seen, rule=rule(), terms=terms, now=now + 60.0 * i)
    return told


def on_trial(*, share: float = 0.9, terms: Terms = LIVE, templates: tuple[str, ...] = ()) -> Past:
    """A change from 100 to n*, just written, after windows that kept this share."""
    told = lived(Past(), shown(good=round(1000 * share), ended=1000), windows=FIRST, terms=terms)
    assert (told.verdict, told.limit) == (Verdict.CHANGE, BEST)
    return in_time.begun(told.past, before=100, after=BEST, now=0.0, templates=templates)


def at_best(good: int, ended: int = 1000) -> Window:
    return shown(limit=BEST, good=good, ended=ended)


def test_some_windows_come_before_a_first_change() -> None:
    for windows in range(1, FIRST):
        assert lived(Past(), shown(), windows=windows).verdict is Verdict.WATCHING
    assert lived(Past(), shown(), windows=FIRST).limit == BEST


def test_windows_without_requests_teach_nothing() -> None:
    assert lived(Past(), shown(good=0, ended=0), windows=9).verdict is Verdict.WATCHING


@pytest.mark.parametrize("limit", [BEST, 180, 200])
def test_less_than_a_tenth_is_not_worth_a_change(limit: int) -> None:
    assert lived(Past(), shown(limit=limit), windows=5).verdict is Verdict.STEADY


def test_a_limit_out_of_bounds_is_brought_back_even_from_nearby() -> None:
    terms = Terms(Bounds(4, 185))
    assert lived(Past(), shown(limit=190), windows=5, terms=terms).limit == 185


def test_a_change_that_does_no_harm_stands_after_its_trial() -> None:
    told = lived(on_trial(), at_best(900), windows=in_time.SETTLING + TRIAL - 1)
    assert told.verdict is Verdict.ON_TRIAL
    told = turn(told.past, at_best(900), rule=rule(), terms=LIVE, now=900.0)
    assert (told.verdict, told.past.trial, told.past.strikes) == (Verdict.STEADY, None, 0)


def test_one_window_beyond_noise_takes_the_change_back_and_the_rule_rests_longer_each_time() -> None:
    told = lived(on_trial(), at_best(700), windows=in_time.SETTLING + 1)
    assert (told.verdict, told.limit) == (Verdict.ROLL_BACK, 100)
    once = in_time.taken_back(told.past, now=1000.0)
    assert (once.trial, once.rests_until) == (None, 1000.0 + REST_S)
    assert once.windows == told.past.windows, "what the old limit kept is still known"
    assert lived(once, shown(), windows=4, now=1000.0).verdict is Verdict.RESTING
    assert lived(once, shown(), windows=4, now=1000.0 + REST_S).verdict is Verdict.CHANGE
    assert in_time.taken_back(once, now=0.0).rests_until == 2 * REST_S


def test_what_failed_says_nothing_of_a_limit_for_quite_other_lengths() -> None:
    failed = in_time.taken_back(on_trial(), now=0.0)
    assert failed.failed == BEST
    assert lived(failed, shown(limit=150), windows=3).verdict is Verdict.RESTING
    longer = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS)
    longer.act(shown(prompt=8000.0))
    assert longer.unbounded < BEST / in_time.NEAR
    told = turn(failed, shown(prompt=8000.0), rule=longer, terms=LIVE, now=60.0)
    assert (told.verdict, told.limit) == (Verdict.CHANGE, longer.unbounded)


def test_a_limit_that_falls_below_both_of_a_trial_is_followed_at_once() -> None:
    settled = lived(on_trial(), at_best(900), windows=in_time.SETTLING + 1).past
    longer = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS)
    longer.act(shown(prompt=16000.0))
    assert longer.unbounded < 90
    told = turn(settled, at_best(300), rule=longer, terms=LIVE, now=120.0)
    assert (told.verdict, told.limit, told.past.trial) == (Verdict.CHANGE, longer.unbounded, None)
    assert turn(settled, at_best(300), rule=longer, terms=RESTARTS, now=120.0).limit == 100, "restarts are not chased"


def test_the_first_window_after_a_change_is_not_held_against_it() -> None:
    assert lived(on_trial(), at_best(0), windows=in_time.SETTLING).verdict is Verdict.ON_TRIAL


def test_small_losses_that_add_up_take_it_back_too() -> None:
    for windows, verdict in ((3, Verdict.ON_TRIAL), (in_time.LOOKS[0], Verdict.ROLL_BACK)):
        assert lived(on_trial(), at_best(871), windows=in_time.SETTLING + windows).verdict is verdict


def test_noise_takes_nothing_back() -> None:
    past, seen = (
        on_trial(),
        iter([at_best(0), at_best(9, 10), at_best(8, 10), at_best(10, 10), at_best(8, 10), at_best(9, 10)]),
    )
    for window in seen:
        told = turn(past, window, rule=rule(), terms=LIVE, now=60.0)
        past = told.past
        assert told.verdict is Verdict.ON_TRIAL


def test_requests_that_are_there_while_none_ends_are_a_loss() -> None:
    stalled = replace(at_best(0, 0), busy=50.0)
    assert lived(on_trial(), stalled, windows=in_time.SETTLING + 1).verdict is Verdict.ROLL_BACK
    assert lived(on_trial(), replace(stalled, busy=0.0), windows=30).verdict is Verdict.ON_TRIAL


def test_a_restart_is_ordered_rarely_and_only_where_it_pays() -> None:
    assert lived(Past(), shown(), windows=FIRST, terms=RESTARTS).verdict is Verdict.CHANGE
    idle = replace(shown(), busy=10.0)
    assert lived(Past(), idle, windows=9, terms=RESTARTS).verdict is Verdict.NOT_WORTH_IT
    assert lived(Past(), idle, windows=9).verdict is Verdict.CHANGE, "what restarts nothing costs nothing"
    past = Past(changed_at=0.0)
    assert lived(past, shown(), windows=FIRST, terms=RESTARTS, now=3600.0).verdict is Verdict.TOO_SOON
    assert lived(past, shown(), windows=FIRST, terms=RESTARTS, now=6 * 3600.0).verdict is Verdict.CHANGE


def test_a_rollout_is_waited_for_and_one_that_never_ends_is_taken_back() -> None:
    past = on_trial(terms=RESTARTS, templates=("old", "older"))
    told = turn(past, at_best(0), rule=rule(), terms=RESTARTS, now=60.0)
    assert told.verdict is Verdict.ROLLING_OUT
    for templates, ready in (
        (("old",), True),
        (("older",), True),
        (("old", "new"), True),
        (("new",), False),
        ((), True),
    ):
        assert in_time.seen_pods(past, templates=frozenset(templates), ready=ready) == past
    rolled = in_time.seen_pods(past, templates=frozenset({"new"}), ready=True)
    assert lived(rolled, at_best(900), windows=2, terms=RESTARTS).verdict is Verdict.ON_TRIAL
    late = turn(past, at_best(0), rule=rule(), terms=RESTARTS, now=STUCK_S + 1.0)
    assert (late.verdict, late.limit) == (Verdict.ROLL_BACK, 100)


@pytest.mark.parametrize(("share", "asked"), [(0.99, 120), (0.9, 20), (0.9, 1000), (0.7, 120)])
def test_without_a_loss_few_changes_are_taken_back_and_with_one_most(share: float, asked: int) -> None:
    rng = np.random.default_rng(7)

    def taken_back_of(runs: int, lost: float) -> float:
        found = 0
        for _ in range(runs):
            counts = [(int(rng.binomial(asked, share)), asked) for _ in range(FIRST)]
            after: tuple[tuple[int, int], ...] = ()
            for _ in range(TRIAL):
                after = (*after, (int(rng.binomial(asked, share - lost)), asked))
                if is_worse(after, tuple(counts), Promise()):
                    found += 1
                    break
        return found / runs

    assert taken_back_of(300, 0.0) <= 0.06
    assert taken_back_of(100, 0.3) >= 0.95


windows = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda pair: (min(pair), max(pair)))


@given(
    seen=st.lists(windows, min_size=1, max_size=40),
    limit=st.integers(1, 600),
    restarts=st.booleans(),
)
def test_whatever_comes_limits_stay_within_bounds_and_memory_survives_a_restart(
    seen: list[tuple[int, int]], limit: int, *, restarts: bool
) -> None:
    past, now, first = Past(), 0.0, limit
    for good, ended in seen:
        now += 60.0
        told = turn(
            past, shown(limit=limit, good=good, ended=ended), rule=rule(), terms=RESTARTS if restarts else LIVE, now=now
        )
        past = Past.of(json.loads(json.dumps(told.past.state())))
        assert past == told.past
        if told.limit is None:
            continue
        assert told.limit == first or BOUNDS.clip(told.limit) == told.limit
        if told.verdict is Verdict.CHANGE:
            past = in_time.begun(past, before=limit, after=told.limit, now=now)
        else:
            past = in_time.taken_back(past, now=now)
        limit = told.limit
