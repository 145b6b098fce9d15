"""The parts of calibration together, on forecasts whose mistake is known."""

import numpy as np
import pytest

from foretide.forecaster.calibrator import Calibration, Calibrator
from foretide.forecaster.past import Past, past_of
from foretide.policies.flow import DemandHistory, Floats, Trust, frozen

HORIZON, BOUND = 4, np.full(3, 1e9)


def drawn(rng: np.random.Generator, *, spread: float) -> Floats:
    """Paths (128, 4, 3) that are lognormal around 100 with dependent steps and indicators."""
    common = rng.standard_normal((128, 1, 1))
    own = rng.standard_normal((128, HORIZON, 3))
    return np.asarray(100 * np.exp(spread * (0.8 * common + 0.6 * own)))


def past(rows: int) -> Past:
    values = np.full((rows, 3), 100.0)
    return past_of(DemandHistory(0.0, 60.0, frozen(values), Trust.FRESH))


def lived(parts: Calibration, *, spread: float, turns: int, break_at: int = 10**9) -> tuple[Calibrator, list[bool]]:
    """Forecasts of this spread against outcomes of spread 0.2; from `break_at` on outcomes are five times as large."""
    rng, calibrator, alarms = np.random.default_rng(0), Calibrator(parts), []
    seen = past(10)
    for turn in range(turns):
        _, issued = calibrator.applied(drawn(rng, spread=spread), past=seen, bound=BOUND)
        actual = drawn(rng, spread=0.2)[0] * (5.0 if turn >= break_at else 1.0)
        alarms.append(calibrator.add(issued, actual, share=1.0, pooled=1.0, reference=1.0))
    return calibrator, alarms


@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_wrong_intervals_come_to_cover_and_peaks_to_be_exceeded_as_often_as_claimed(spread: float) -> None:
    quick = Calibration(remap=True, gain=0.1, step_gain=0.1)
    honest = lived(quick, spread=spread, turns=160)[0].reliability()
    naive = lived(Calibration(remap=False, conformal=False, drift=False), spread=spread, turns=60)[0].reliability()
    assert honest is not None
    assert naive is not None
    assert abs(honest.coverage80 - 0.8) < abs(naive.coverage80 - 0.8) / 2
    assert abs(honest.coverage95 - 0.95) < 0.05
    assert abs(honest.peak_exceeded - 0.05) < 0.05


def test_nothing_is_said_before_anything_matured() -> None:
    assert Calibrator(Calibration()).reliability() is None


def test_a_break_is_noticed_and_told_for_a_while_and_right_forecasts_raise_no_alarm() -> None:
    calm, none = lived(Calibration(drift=True), spread=0.2, turns=150)
    assert not any(none)
    assert calm.reliability().drift == ""  # type: ignore[union-attr]
    broken, alarms = lived(Calibration(drift=True), spread=0.2, turns=150, break_at=120)
    assert not any(alarms[:120])
    assert any(alarms[120:140])
    told = broken.reliability()
    assert told is not None
    assert told.alarms >= 1
    assert "no longer fall" in told.drift


def test_served_paths_stay_within_the_ceiling() -> None:
    calibrator, _ = lived(Calibration(), spread=0.05, turns=60)
    served, _ = calibrator.applied(drawn(np.random.default_rng(5), spread=0.4), past=past(99), bound=np.full(3, 120.0))
    assert served.max() <= 120.0
    assert served.min() >= 0.0


def test_work_is_what_it_is_told_to_be_or_units_of_the_mean() -> None:
    given = Calibrator(Calibration(work=(1.0, 0.0, 0.0)))
    _, issued = given.applied(drawn(np.random.default_rng(5), spread=0.4), past=past(9), bound=BOUND)
    np.testing.assert_array_equal(issued.work, [1.0, 0.0, 0.0])
    _, issued = Calibrator(Calibration()).applied(np.ones((8, 2, 3)), past=past(9), bound=BOUND)
    np.testing.assert_allclose(issued.work, 3.0 / 100.0)
