import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from foretide.forecaster.evaluate import decision


def test_the_capacity_is_a_quantile_of_path_peaks_not_the_peak_of_quantiles() -> None:
    paths = np.eye(4)[None, :, :, None]  # each path peaks at another step
    assert decision.peaks(paths).tolist() == [[[1.0], [1.0], [1.0], [1.0]]]
    assert decision.capacity(paths=paths, quantile=0.5).item() == 1.0
    assert np.quantile(paths, 0.5, axis=1).max() == 0.0


@given(st.sampled_from(decision.RATIOS), st.floats(0.3, 3.0))
def test_the_quantile_of_the_ratio_is_the_cheapest_capacity(ratio: float, shape: float) -> None:
    demand = stats.gamma(shape).ppf((np.arange(4000) + 0.5) / 4000)

    def total(provided: float) -> float:
        return float(decision.cost(provided=np.full((4000, 1), provided), peak=demand[:, None], ratio=ratio).mean())

    cheapest = optimize.minimize_scalar(total, bounds=(0.0, 60.0), method="bounded", options={"xatol": 1e-4})
    assert total(np.quantile(demand, decision.quantile_of(ratio))) == pytest.approx(cheapest.fun, rel=1e-3)


def test_a_missing_unit_costs_the_ratio_and_an_idle_one_costs_one() -> None:
    provided, peak = np.array([[10.0], [10.0], [10.0]]), np.array([[12.0], [7.0], [np.nan]])
    costs = decision.cost(provided=provided, peak=peak, ratio=19.0)
    assert costs[:2].tolist() == [[38.0], [3.0]]
    assert np.isnan(costs[2, 0])


def test_cost_is_twenty_times_the_pinball_loss_at_nineteen_to_one() -> None:
    rng = np.random.default_rng(1)
    paths, peak = rng.random((30, 50, 4, 2)), rng.random((30, 2))
    cost = decision.cost(provided=decision.capacity(paths=paths, quantile=0.95), peak=peak, ratio=19.0)
    assert cost == pytest.approx(20.0 * decision.peak_pinball(paths=paths, peak=peak, quantile=0.95))


def test_a_calibrated_peak_is_exceeded_in_one_of_twenty() -> None:
    rng = np.random.default_rng(2)
    paths, seen = rng.random((4000, 200, 5, 1)), rng.random((4000, 5, 1))
    share = decision.exceeded(paths=paths, peak=decision.peaks(seen)).mean()
    assert share == pytest.approx(0.05, abs=0.012)
    assert np.isnan(decision.exceeded(paths=paths[:1], peak=np.array([[np.nan]]))).all()
