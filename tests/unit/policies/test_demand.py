"""Demand from counters: what users asked for, with every kind of absence kept apart."""

import numpy as np
import pytest

from foretide.policies.demand import EngineSamples, demand_history
from foretide.policies.flow import DemandHistory, Trust


def engine(
    rate: float = 2.0,
    *,
    start: float = 0.0,
    end: float = 600.0,
    every: float = 15.0,
    running: float = 0.0,
    waiting_growth: float = 0.0,
) -> EngineSamples:
    """An engine that finishes `rate` requests/s of 100 prompt and 20 output tokens, scraped evenly."""
    at = np.arange(start, end + 1e-9, every)
    finished = rate * (at - start)
    return EngineSamples(
        at=at,
        finished=finished,
        running=np.full_like(at, running),
        waiting=waiting_growth * (at - start),
        prompt_tokens=100 * finished,
        output_tokens=20 * finished,
    )


def without(samples: EngineSamples, keep: np.ndarray) -> EngineSamples:
    return EngineSamples(samples.at[keep], *(column[keep] for column in samples.columns()))


def measure(pods: dict[str, EngineSamples], **changes: object) -> DemandHistory:
    usual: dict[str, object] = {"start": 0.0, "end": 600.0, "step": 60.0, "scrape_s": 15.0}
    return demand_history(pods=pods, **(usual | changes))  # type: ignore[arg-type]


def test_steady_counters_give_their_rate_and_lengths() -> None:
    seen = measure({"a": engine(2.0), "b": engine(1.0)})
    assert seen.trust is Trust.FRESH
    assert seen.values.shape == (10, 3)
    np.testing.assert_allclose(seen.values, [[3.0, 300.0, 60.0]] * 10)


def test_a_growing_queue_is_demand_even_when_the_engine_is_saturated() -> None:
    seen = measure({"a": engine(2.0, waiting_growth=1.5)})
    np.testing.assert_allclose(seen.values[:, 0], 3.5)


def test_an_idle_engine_is_zero_and_not_a_gap() -> None:
    seen = measure({"a": engine(0.0)})
    np.testing.assert_array_equal(seen.values, np.zeros((10, 3)))
    assert seen.trust is Trust.FRESH


def test_missed_scrapes_leave_a_gap_and_never_a_zero() -> None:
    full = engine(2.0)
    seen = measure({"a": without(full, (full.at < 200) | (full.at > 400))})
    assert np.isnan(seen.values[3:6]).all()
    np.testing.assert_allclose(seen.values[[0, 1, 2, 7, 8, 9], 0], 2.0)


def test_a_counter_reset_drops_its_interval_only() -> None:
    before, after = engine(2.0, end=285.0), engine(2.0, start=300.0)
    joined = EngineSamples(
        np.concatenate([before.at, after.at]),
        *(np.concatenate(pair) for pair in zip(before.columns(), after.columns(), strict=True)),
    )
    seen = measure({"a": joined})
    assert np.isfinite(seen.values[[0, 1, 2, 3, 6, 7, 8, 9]]).all()
    known = seen.values[np.isfinite(seen.values[:, 0]), 0]
    np.testing.assert_allclose(known, 2.0, rtol=0.01)


def test_no_engine_at_all_is_absent_and_all_gaps() -> None:
    seen = measure({})
    assert seen.trust is Trust.ABSENT
    assert np.isnan(seen.values).all()


def test_old_samples_are_stale() -> None:
    assert measure({"a": engine(end=500.0)}).trust is Trust.STALE


def test_samples_from_the_future_are_invalid() -> None:
    assert measure({"a": engine(end=900.0)}).trust is Trust.INVALID


@pytest.mark.parametrize("bad", [np.nan, np.inf, -5.0])
def test_impossible_values_are_invalid(bad: float) -> None:
    good = engine()
    finished = good.finished.copy()
    finished[-1] = bad
    broken = EngineSamples(good.at, finished, good.running, good.waiting, good.prompt_tokens, good.output_tokens)
    seen = measure({"a": broken})
    assert seen.trust is Trust.INVALID
    assert np.isnan(seen.values).all()


def test_half_of_the_pods_silent_is_partial() -> None:
    assert measure({"a": engine()}, expected_pods=2).trust is Trust.PARTIAL


def test_a_new_pod_brings_what_it_already_held_but_not_its_past() -> None:
    born = engine(1.0, start=300.0, running=6.0)
    old_counter = EngineSamples(
        born.at, born.finished + 1e6, born.running, born.waiting, born.prompt_tokens, born.output_tokens
    )
    seen = measure({"a": engine(2.0), "b": old_counter})
    np.testing.assert_allclose(seen.values[4, 0], 2.0)
    np.testing.assert_allclose(seen.values[5, 0], 3.0 + 6.0 / 60.0)


def test_a_vanished_pod_takes_nothing_away() -> None:
    seen = measure({"a": engine(2.0), "b": engine(1.0, end=300.0, running=50.0)})
    np.testing.assert_allclose(seen.values[:5, 0], 3.0)
    np.testing.assert_allclose(seen.values[5:, 0], 2.0)


def test_arrivals_without_known_lengths_are_a_gap() -> None:
    at = np.arange(0.0, 601.0, 15.0)
    nothing = np.zeros_like(at)
    seen = measure({"a": EngineSamples(at, nothing, nothing + at, nothing, nothing, nothing)})
    assert np.isnan(seen.values).all()


def test_lengths_are_remembered_from_the_earlier_history() -> None:
    before = measure({"a": engine(2.0)})
    at = np.arange(600.0, 661.0, 15.0)
    flat = np.full_like(at, 1200.0)
    starting = EngineSamples(at, flat, at - 600.0, 0 * at, flat * 100, flat * 20)
    seen = measure({"a": starting}, start=600.0, end=660.0, previous=before)
    np.testing.assert_allclose(seen.values[-1], [1.0, 100.0, 20.0])


def test_a_gap_does_not_erase_what_was_known() -> None:
    before = measure({"a": engine(2.0)})
    after = measure({}, start=300.0, end=720.0, previous=before)
    assert len(after.values) == 12
    np.testing.assert_allclose(after.values[:10, 0], 2.0)
    assert np.isnan(after.values[10:]).all()
    assert after.trust is Trust.ABSENT


def test_history_is_kept_no_longer_than_asked() -> None:
    before = measure({"a": engine(2.0)})
    after = measure({"a": engine(2.0, start=600.0, end=900.0)}, start=600.0, end=900.0, previous=before, keep_s=600.0)
    assert after.end == 900.0
    assert after.start == 300.0


def test_the_grid_is_aligned_whatever_the_window() -> None:
    seen = measure({"a": engine(2.0)}, start=7.0, end=590.0)
    assert (seen.start, seen.end) == (60.0, 540.0)


def test_a_bin_whose_end_was_not_scraped_yet_is_not_read_low() -> None:
    """Scrapes end 4 s before now, in every pod: what is missing of the newest bin is made up for."""
    pods = {"a": engine(2.0, start=-4.0, end=596.0), "b": engine(1.0, start=-4.0, end=596.0)}
    np.testing.assert_allclose(measure(pods).values[-1, 0], 3.0, rtol=0.01)
