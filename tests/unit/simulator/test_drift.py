"""The compressed day, and whose lengths come when."""

import numpy as np
import pytest

from foretide.simulator.drift import Drift


def test_a_day_goes_from_noon_through_night_to_noon() -> None:
    drift = Drift(day_windows=8, day_rps=10.0, night_rps=2.0)
    assert [drift.rate(window) for window in (0, 2, 4, 6, 8)] == pytest.approx([10.0, 6.0, 2.0, 6.0, 10.0])


def test_nights_have_the_lengths_of_the_night() -> None:
    drift = Drift(day={"chat": 1.0}, night={"rag": 1.0}, day_windows=8)
    prompts = [drift.lengths(np.random.default_rng(1), 2000, window=window)[0].mean() for window in (0, 2, 4)]
    chat, rag = 1020 * np.exp(0.58**2 / 2), 6000 * np.exp(0.6**2 / 2)
    assert prompts == pytest.approx([chat, (chat + rag) / 2, rag], rel=0.06)


def test_answers_get_longer_from_the_shift_on_and_prompts_do_not() -> None:
    drift = Drift(output_factor=3.0, shift_at=5)
    before, after = (drift.lengths(np.random.default_rng(1), 500, window=window) for window in (4, 5))
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], 3 * before[1])


def test_a_day_without_windows_is_refused() -> None:
    with pytest.raises(ValueError, match="day_windows: 0: give at least 1"):
        Drift(day_windows=0)
