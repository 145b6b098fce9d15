"""What a network is shown is relative to n*, and what it says is a notch of n*, or n* where it says nonsense."""

import json

import numpy as np
import pytest
from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import KNATIVE_DEFAULT, Rule
from foretide.policies.concurrency.network_agent import (
    FEATURES,
    NOTCHES,
    NetworkAgent,
    Numbers,
    Scores,
    features,
    frame_of,
    relative,
)
from foretide.policies.concurrency.notches import REACH
from foretide.policies.concurrency.window import Bounds

BOUNDS = Bounds(4, 512)
BEST = 190
"""n* at the lengths of `shown`."""


def rule() -> Rule:
    return Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS)


def for_notch(notch: int) -> Scores:
    return lambda _: np.array([float(one == notch) for one in NOTCHES])


def agent(scores: Scores | None = None) -> NetworkAgent:
    return NetworkAgent(scores or for_notch(-3), rule(), bounds=BOUNDS)


def told(**changes: float) -> dict[str, float]:
    seen = shown(**changes)  # type: ignore[arg-type]
    known = rule()
    known.act(seen)
    found = features((frame_of(seen),), known)
    assert found is not None
    return dict(zip(FEATURES, found.tolist(), strict=True))


def test_without_lengths_n_star_is_proposed_and_nothing_is_asked() -> None:
    def never(_: Numbers) -> Numbers:
        raise AssertionError

    assert agent(never).act(None) == KNATIVE_DEFAULT


def test_the_highest_score_is_the_notch_that_is_proposed() -> None:
    assert agent(for_notch(0)).act(shown()) == BEST
    assert agent(for_notch(-3)).act(shown()) == round(BEST / 1.1**3)
    assert agent(for_notch(REACH)).act(shown()) == round(BEST * 1.1**REACH)
    assert NetworkAgent(for_notch(8), rule(), bounds=Bounds(4, 200)).act(shown()) == 200


@pytest.mark.parametrize("scores", [np.full(len(NOTCHES), np.nan), np.zeros(3)])
def test_scores_that_make_no_sense_mean_n_star(scores: Numbers) -> None:
    assert agent(lambda _: scores).act(shown()) == BEST


def test_what_is_shown_is_relative_to_n_star_and_has_two_windows() -> None:
    at_best = told(limit=BEST, good=300, ended=600)
    assert at_best["notch_0"] == pytest.approx(0.0)
    assert at_best["attained_0"] == pytest.approx(0.5)
    assert at_best["good_rate_0"] == pytest.approx(at_best["ended_rate_0"] / 2)
    assert told(limit=round(BEST * 1.1**4))["notch_0"] == pytest.approx(4 / REACH, abs=0.01)
    assert at_best["notch_1"] == at_best["notch_0"]


def test_a_window_in_which_nothing_was_asked_has_missed_nothing() -> None:
    frame = frame_of(shown(good=0, ended=0))
    assert (frame.attained, frame.refused, frame.good) == (1.0, 0.0, 0.0)


def test_the_reward_is_one_where_as_much_is_good_as_a_full_batch_at_n_star_ends() -> None:
    known = rule()
    assert relative(shown(), known) == 0.0
    seen = shown(good=300, ended=600)
    known.act(seen)
    expected = known.expected()
    assert expected is not None
    assert relative(seen, known) == pytest.approx(300 / seen.seconds / expected)


def test_a_restart_goes_on_with_the_same_limits() -> None:
    def by_second_window(features: Numbers) -> Numbers:
        return for_notch(-3 if features[FEATURES.index("attained_1")] < 0.7 else 2)(features)

    one = agent(by_second_window)
    for good in (300, 600):
        one.act(shown(good=good, ended=600))
    other = agent(by_second_window)
    other.restore(json.loads(json.dumps(one.state())))
    assert other.act(shown(good=500, ended=600)) == one.act(shown(good=500, ended=600))
    assert other.state() == one.state()


def test_it_learns_nothing_from_other_replicas() -> None:
    one = agent()
    one.act(shown())
    before = one.state()
    one.learn(shown(limit=20, good=0))
    assert one.state() == before
