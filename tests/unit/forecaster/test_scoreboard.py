import pytest

from foretide.forecaster.maturity import Scores
from foretide.forecaster.scoreboard import PEAKED, POWER, Scoreboard


def board(*rounds: dict[str, float], times: int = 1, half_life: float = 60.0) -> Scoreboard:
    scores = Scoreboard(reference="a", half_life=half_life)
    for tiers in rounds:
        for _ in range(times):
            scores.add(Scores(tiers=tiers, pooled=min(tiers.values()), last_value=2.0))
    return scores


def test_weights_are_equal_before_anything_matured() -> None:
    assert board().weights(["a", "b"]) == {"a": 0.5, "b": 0.5}
    assert board().score() is None


def test_a_tenth_less_loss_earns_most_of_the_pool() -> None:
    weights = board({"a": 1.1, "b": 1.0}, times=200).weights(["a", "b"])
    assert weights["b"] > 0.6
    assert weights["a"] > 0.2
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-12)


def test_of_two_tiers_that_are_alike_the_one_that_knows_the_peak_earns_more() -> None:
    scores = Scoreboard(reference="a")
    for _ in range(300):
        scores.add(Scores(tiers={"a": 1.0, "b": 1.0}, pooled=1.0, last_value=2.0, peaks={"a": 1.0, "b": 0.8}))
    weights = scores.weights(["a", "b"])
    mass = sum(0.5 ** (i / 300) for i in range(300))
    knows = (0.8 * mass + 5) / (mass + 5)
    assert weights["a"] / weights["b"] == pytest.approx(knows ** (PEAKED * POWER))
    assert 0.25 < weights["a"] / weights["b"] < 0.5


def test_an_origin_whose_peak_is_not_known_says_nothing_of_peaks() -> None:
    scores = board({"a": 1.0, "b": 1.0}, times=20)
    assert scores.weights(["a", "b"]) == {"a": 0.5, "b": 0.5}


def test_a_tier_far_behind_the_best_is_not_served_at_all() -> None:
    assert board({"a": 2.0, "b": 1.0}, times=200).weights(["a", "b"]) == {"a": 0.0, "b": 1.0}


def test_a_tier_that_becomes_good_again_is_served_again() -> None:
    scores = board({"a": 2.0, "b": 1.0}, times=200, half_life=20.0)
    for _ in range(200):
        scores.add(Scores(tiers={"a": 1.0, "b": 1.0}, pooled=1.0, last_value=2.0))
    assert scores.weights(["a", "b"])["a"] > 0.4


def test_no_unit_changes_a_weight() -> None:
    small = board({"a": 2.0, "b": 1.5}, times=9).weights(["a", "b"])
    large = board({"a": 2e6, "b": 1.5e6}, times=9).weights(["a", "b"])
    assert small == pytest.approx(large)


def test_old_scores_are_forgotten() -> None:
    changed = Scoreboard(reference="a", half_life=10.0)
    for b in [9.0] * 100 + [0.5] * 60:
        changed.add(Scores(tiers={"a": 1.0, "b": b}, pooled=1.0, last_value=1.0))
    weights = changed.weights(["a", "b"])
    assert weights["b"] > weights["a"]


def test_a_tier_that_joins_late_is_compared_on_common_origins() -> None:
    """Demand was ten times larger before `b` joined; `b` is as good as `a` on the origins that both saw."""
    weights = board({"a": 10.0}, {"a": 1.0, "b": 1.0}, times=30).weights(["a", "b"])
    assert weights["a"] == pytest.approx(weights["b"])


def test_an_unknown_tier_starts_as_the_reference() -> None:
    weights = board({"a": 1.0, "b": 1.0}, times=30).weights(["a", "b", "c"])
    assert weights["c"] == pytest.approx(1 / 3)


def test_perfect_and_negative_scores_break_nothing() -> None:
    weights = board({"a": 0.0, "b": 0.0}, {"a": -0.1, "b": 0.2}).weights(["a", "b"])
    assert sum(weights.values()) == pytest.approx(1.0)
    assert weights["a"] > weights["b"]


def test_the_score_shows_the_pool_against_last_value() -> None:
    score = board({"a": 1.5, "b": 1.0}, times=7).score()
    assert score is not None
    assert (score.crps, score.crps_last_value, score.origins) == (pytest.approx(1.0), pytest.approx(2.0), 7)
    assert score.skill == pytest.approx(0.5)


def test_a_tier_on_probation_gets_nothing_until_it_has_won_and_again_after_a_break() -> None:
    scores = Scoreboard(reference="a", probation=frozenset({"new"}))
    for _ in range(15):
        scores.add(Scores(tiers={"a": 1.0, "b": 0.9, "new": 0.5}, pooled=0.9, last_value=2.0))
    assert scores.weights(["a", "b", "new"])["new"] == 0.0
    for _ in range(15):
        scores.add(Scores(tiers={"a": 1.0, "b": 0.9, "new": 0.5}, pooled=0.9, last_value=2.0))
    assert scores.weights(["a", "b", "new"])["new"] > 0.5
    scores.relearn()
    assert scores.weights(["a", "b", "new"])["new"] == 0.0


def test_a_tier_on_probation_that_never_wins_is_never_heard() -> None:
    scores = Scoreboard(reference="a", probation=frozenset({"new"}))
    for _ in range(100):
        scores.add(Scores(tiers={"a": 1.0, "new": 1.01}, pooled=1.0, last_value=2.0))
    assert scores.weights(["a", "new"]) == {"a": 1.0, "new": 0.0}


def test_after_a_break_the_new_scores_decide_soon() -> None:
    scores = board({"a": 1.0, "b": 3.0}, times=200)
    scores.relearn()
    for _ in range(20):
        scores.add(Scores(tiers={"a": 3.0, "b": 1.0}, pooled=1.0, last_value=2.0))
    weights = scores.weights(["a", "b"])
    assert weights["b"] > weights["a"]


def test_the_season_before_is_compared_on_its_own_origins() -> None:
    scores = Scoreboard(reference="a")
    scores.add(Scores(tiers={"a": 1.0}, pooled=9.0, last_value=2.0))
    scores.add(Scores(tiers={"a": 1.0}, pooled=1.0, last_value=2.0, seasonal=4.0))
    score = scores.score()
    assert score is not None
    assert score.seasonal_ratio == pytest.approx(0.25)
