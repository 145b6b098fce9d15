"""The ladder as its callers see it: what it says, when it says that it does not know, and how shares follow scores."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.random import Generator

from foretide.forecaster.calibrator import Calibration
from foretide.forecaster.ladder import Ladder, own_tiers, whole_shares
from foretide.forecaster.past import Past, past_of
from foretide.forecaster.scoring import covered, crps
from foretide.policies.flow import DemandForecast, DemandHistory, Floats, Forecaster, Trust, frozen

History = Callable[..., DemandHistory]
Days = Callable[..., Floats]
NAN = float("nan")
VARIED = np.resize([3.0, 4.0, 5.0, 4.0, 6.0], 60)


def forecast(told: DemandHistory, *, ladder: Ladder | None = None, horizon: int = 10, seed: int = 1) -> DemandForecast:
    made = (ladder or Ladder()).forecast(history=told, horizon=horizon, paths=256, seed=seed)
    assert made is not None
    assert made.paths.shape == (256, horizon, 3)
    assert np.isfinite(made.paths).all()
    assert made.paths.min() >= 0
    assert sum(made.weights.values()) == pytest.approx(1.0, abs=1e-12)
    return made


def rolled(ladder: Ladder, told: DemandHistory, ends: range, *, horizon: int = 10) -> list[DemandForecast]:
    """A forecast at each of these rows, as if time went on."""
    return [
        forecast(DemandHistory(told.start, told.step, told.values[:end], told.trust), ladder=ladder, horizon=horizon)
        for end in ends
    ]


def test_a_ladder_is_a_forecaster() -> None:
    ladder: Forecaster = Ladder()
    assert callable(ladder.forecast)


def test_paths_begin_where_the_history_ends(history: History) -> None:
    made = forecast(history(VARIED))
    assert (made.made_at, made.step, made.horizon) == (3600.0, 60.0, 600.0)
    assert made.flagged == ""


def test_nothing_ever_measured_is_no_forecast(history: History) -> None:
    nothing = DemandHistory(0.0, 60.0, frozen(np.empty((0, 3))), Trust.ABSENT)
    assert Ladder().forecast(history=nothing, horizon=5, paths=8, seed=1) is None
    assert Ladder().forecast(history=history([NAN] * 9), horizon=5, paths=8, seed=1) is None


@pytest.mark.parametrize(
    ("rates", "trust", "said"),
    [
        ([40.0], Trust.FRESH, "1 measured bins"),
        (VARIED, Trust.STALE, "Stale"),
        ([*VARIED, *[NAN] * 5], Trust.FRESH, "300 s old"),
        ([*VARIED[:-8], *[NAN] * 7, 4.0], Trust.FRESH, "missing"),
        ([*VARIED, 1e12, 4.0], Trust.FRESH, "impossible"),
        ([*VARIED, -1.0, 4.0], Trust.FRESH, "impossible"),
        ([0.0] * 60, Trust.FRESH, "no demand"),
        ([7.0] * 60, Trust.FRESH, "exactly 7"),
    ],
)
def test_a_doubtful_history_gives_a_flagged_forecast_near_what_was_seen(
    history: History, rates: list[float], trust: Trust, said: str
) -> None:
    made = forecast(history(rates, trust=trust))
    assert said in made.flagged
    assert made.model == "reactive"
    seen = [rate for rate in rates if 0 <= rate < 1e12]
    assert made.paths[:, :, 0].max() <= 2 * max(seen)


def test_idleness_after_demand_is_a_forecast_and_not_a_doubt(history: History) -> None:
    made = forecast(history([*VARIED, *[0.0] * 120]))
    assert made.flagged == ""
    assert np.median(made.paths[:, -1, 0]) == 0.0


def test_tiers_join_as_history_grows(history: History, days: Days) -> None:
    rates, speak = days(500, period=300), {}
    for rows in (4, 5, 59, 60, 99, 100, 329, 330):
        past = past_of(history(rates[:rows]))
        speak[rows] = {
            tier.name
            for tier in own_tiers(season_s=300 * 60.0)
            if tier.paths(past=past, horizon=10, count=8, rng=np.random.default_rng(1)) is not None
        }
    assert speak[5] == {"persistence-bootstrap", "count-bootstrap", "level-bootstrap", "last-72"}
    assert speak[60] - speak[59] == {"ets"}
    assert speak[100] - speak[99] == {"regression"}
    assert speak[330] - speak[329] == {"seasonal-windows"}
    assert set(forecast(history(rates[:5])).weights) == speak[5]
    assert set(forecast(history(rates[:4])).weights) == {"reactive"}


def test_a_restart_rehearses_the_past_and_has_a_score_at_once(history: History, days: Days) -> None:
    score = forecast(history(days(900))).score
    assert score is not None
    assert score.origins >= 50
    assert score.skill > 0


def test_rehearsal_and_life_agree_on_who_leads(history: History, days: Days) -> None:
    told = history(days(900, seed=3))
    lived = rolled(Ladder(), told, range(300, 901, 5))[-1]
    assert forecast(told).weights == pytest.approx(lived.weights, abs=0.1)


def test_a_forecast_is_scored_only_when_its_horizon_has_passed(history: History, days: Days) -> None:
    rates = days(40)
    ladder = Ladder()
    made = rolled(ladder, history(rates), range(5, 21))
    assert made[9].score is None
    first = made[10].score
    assert first is not None
    assert first.origins == 1
    expected = np.abs(rates[5:15] - rates[4]).mean()
    assert first.crps_last_value == pytest.approx(expected, rel=1e-6)


def test_gaps_are_left_out_of_the_score(history: History, days: Days) -> None:
    rates = days(40)
    rates[8:10] = NAN
    made = rolled(Ladder(), history(rates), range(5, 16))[-1].score
    assert made is not None
    assert made.crps_last_value == pytest.approx(np.nanmean(np.abs(rates[5:15] - rates[4])), rel=1e-6)


def test_shares_go_to_the_tier_that_forecasts_better(history: History, days: Days) -> None:
    noise = np.random.default_rng(2).normal(50, 5, size=500)
    steps = 50 * np.exp(0.05 * np.cumsum(np.random.default_rng(2).normal(size=500)))
    on_noise, on_steps = forecast(history(noise)).weights, forecast(history(steps)).weights
    assert on_noise.get("last-72", 0) > 2 * on_noise.get("persistence-bootstrap", 0)
    assert on_steps.get("persistence-bootstrap", 0) > 2 * on_steps.get("last-72", 0)


def test_the_same_calls_give_the_same_paths(history: History, days: Days) -> None:
    told = history(days(200))
    one, two = (rolled(Ladder(), told, range(150, 180)) for _ in range(2))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left.paths, right.paths)
    assert one[-1].score == two[-1].score


def test_another_grid_starts_the_scores_over(history: History, days: Days) -> None:
    ladder = Ladder()
    assert forecast(history(days(300)), ladder=ladder).score is not None
    assert forecast(history(days(25), step=15.0), ladder=ladder).score is None


def test_a_clock_that_went_back_is_survived(history: History, days: Days) -> None:
    told, ladder = history(days(200)), Ladder()
    rolled(ladder, told, range(150, 200))
    assert rolled(ladder, told, range(120, 140))[-1].flagged == ""


def test_paths_stay_below_the_learned_ceiling(history: History) -> None:
    rates = np.random.default_rng(1).lognormal(0, 2.0, size=400)
    assert forecast(history(rates), horizon=30).paths[:, :, 0].max() <= 10 * rates.max()


def test_demand_a_thousand_times_larger_gives_paths_a_thousand_times_larger(history: History, days: Days) -> None:
    rates = days(300)
    small, large = forecast(history(rates)), forecast(history(1000 * rates))
    np.testing.assert_allclose(np.median(large.paths, axis=0), 1000 * np.median(small.paths, axis=0), rtol=0.05)


def test_intervals_cover_and_the_pool_keeps_up_with_its_best_tier(history: History, days: Days) -> None:
    told, ladder = history(days(2400, seed=5)), Ladder()
    inside, scores = [], []
    for end in range(2000, 2390, 5):
        made = rolled(ladder, told, range(end, end + 1))[0]
        actual = told.values[end : end + 10, 0]
        inside.append(covered(made.paths[:, :, 0], actual, level=0.8))
        scores.append((crps(made.paths[:, :, 0], actual).mean(), np.abs(told.values[end - 1, 0] - actual).mean()))
    assert 0.7 <= np.mean(inside) <= 0.9
    pooled, last_value = np.mean(scores, axis=0)
    assert pooled < last_value


@pytest.mark.parametrize("paths", [1, 7, 256])
def test_whole_shares_sum_to_the_paths(paths: int) -> None:
    shares = whole_shares({"a": 0.5, "b": 1 / 3, "c": 1 / 6}, paths)
    assert sum(shares.values()) == paths
    assert abs(shares["b"] - paths / 3) < 1


@dataclass
class Told:
    """A learned tier that knows the future of this series, give or take, or is wrong by a factor."""

    rates: Floats
    factor: float = 1.0
    name: str = "told"
    asked: list[int] = field(default_factory=list)

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        rows = round(past.end / past.step)
        ahead = np.resize(self.rates[rows : rows + horizon], horizon) * self.factor
        requests = ahead * np.exp(0.02 * rng.standard_normal((count, 1)))
        return np.asarray(np.stack([requests, 1000 * requests, 200 * requests], axis=2))


def test_a_learned_tier_that_knows_better_earns_the_pool_once_it_has_won(history: History, days: Days) -> None:
    rates = days(160)
    young, grown = Ladder(learned=[Told(rates)]), Ladder(learned=[Told(rates)])
    assert "told" not in forecast(history(rates[:20]), ladder=young).weights
    assert forecast(history(rates[:150]), ladder=grown).weights["told"] > 0.9


def test_a_learned_tier_that_is_worse_gets_nothing_and_changes_nothing(history: History, days: Days) -> None:
    told = history(days(150))
    with_it = forecast(told, ladder=Ladder(learned=[Told(days(170), factor=3.0)]))
    np.testing.assert_array_equal(with_it.paths, forecast(told).paths)
    assert "told" not in with_it.weights


def test_a_learned_tier_may_not_take_anothers_name(days: Days) -> None:
    with pytest.raises(ValueError, match=r"learned: .*last-72.*: give names that no other tier has"):
        Ladder(learned=[Told(days(5), name="last-72")])


def test_without_pooling_all_paths_come_from_the_best_tier(history: History, days: Days) -> None:
    made = forecast(history(days(150)), ladder=Ladder(calibration=Calibration(pooling=False)))
    assert list(made.weights.values()) == [1.0]


def test_calibration_with_every_part_off_serves_the_plain_pool(history: History, days: Days) -> None:
    told = history(days(120))
    off = Calibration(remap=False, conformal=False, drift=False)
    made = forecast(told, ladder=Ladder(calibration=off))
    assert sorted(made.weights) == sorted(forecast(told).weights)
    assert made.reliability is not None
    assert made.reliability.peak_stretch > 0


def test_a_calibrated_forecast_says_how_honest_it_was_and_how_old_its_data_are(history: History, days: Days) -> None:
    rates = days(200)
    rates[-2:] = NAN
    made = forecast(history(rates), ladder=Ladder(calibration=True, season_s=3600.0))
    assert made.stale_s == 120.0
    assert made.reliability is not None
    assert made.reliability.origins >= 30
    assert 0.5 <= made.reliability.coverage80 <= made.reliability.coverage95 <= 1.0
    assert made.score is not None
    assert made.score.seasonal_ratio is not None
    assert forecast(history(rates), ladder=Ladder(calibration=False)).reliability is None


class Counted:
    """A learned tier that repeats the newest row, and counts how often it was asked."""

    name = "counted"

    def __init__(self) -> None:
        self.ends: list[float] = []

    def paths(self, *, past: Past, horizon: int, count: int, rng: np.random.Generator) -> Floats | None:
        self.ends.append(past.end)
        return np.tile(past.newest, (count, horizon, 1))


@pytest.mark.parametrize(("rehearsed", "asked"), [(0, 0), (7, 7), (60, 60)])
def test_a_learned_tier_is_rehearsed_at_the_newest_origins_only(
    history: History, days: Days, rehearsed: int, asked: int
) -> None:
    told, tier = history(days(400)), Counted()
    forecast(told, ladder=Ladder(learned=[tier], rehearsed=rehearsed))
    assert len(tier.ends) == asked + 1
    assert tier.ends == sorted(tier.ends)
    assert tier.ends[-1] == told.end


def test_what_the_other_tiers_have_learned_does_not_depend_on_the_learned_ones_rehearsal(
    history: History, days: Days
) -> None:
    told = history(days(400))
    few, many = (forecast(told, ladder=Ladder(learned=[Counted()], rehearsed=count)) for count in (0, 60))
    assert few.weights == many.weights
    np.testing.assert_array_equal(few.paths, many.paths)


def test_while_its_rehearsal_waits_the_fallback_serves_and_then_all_is_as_ever(history: History) -> None:
    may = [False, False, True]

    def rehearse(work: Callable[[], None]) -> bool:
        if may.pop(0):
            work()
            return True
        return False

    told, waiting = history(VARIED), Ladder(rehearse=rehearse)
    first, second, third = (forecast(told, ladder=waiting) for _ in range(3))
    assert first.flagged == second.flagged == "its past is rehearsed when its turn comes"
    assert third.flagged == ""
    assert np.array_equal(third.paths, forecast(told).paths)
