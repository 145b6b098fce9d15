"""Generated traffic keeps the statistics it is calibrated to, and yesterday looks like today."""

from dataclasses import replace

import numpy as np
import pytest

from foretide.simulator.generate import WorkloadShape, demand_counts, generate

HOUR_DAY = WorkloadShape(mean_rps=10.0, day_s=3600.0)
CALM = replace(HOUR_DAY, bursts_per_day=0.0, wander=0.0, burstiness=1.0)


def test_the_same_seed_gives_the_same_trace_and_another_does_not() -> None:
    first, again, other = (generate(HOUR_DAY, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.arrival_s, again.arrival_s)
    np.testing.assert_array_equal(first.output_tokens, again.output_tokens)
    assert len(first) != len(other)


def test_a_trace_ascends_from_zero_over_its_days() -> None:
    made = generate(replace(HOUR_DAY, days=2.0), seed=1)
    assert made.arrival_s[0] == 0.0
    assert (np.diff(made.arrival_s) >= 0).all()
    assert 7000 < made.arrival_s[-1] <= 7200
    assert min(made.prompt_tokens.min(), made.output_tokens.min()) >= 1


def test_the_mean_rate_is_kept_over_whole_days() -> None:
    counts = [len(generate(CALM, seed=seed)) for seed in range(5)]
    assert np.mean(counts) == pytest.approx(36_000, rel=0.05)


def test_prompt_lengths_match_the_published_statistics() -> None:
    """Azure 2023, conversation: mean 1155, p50 1020, p99 4142 (papers.md 3.4)."""
    lengths = generate(replace(HOUR_DAY, mean_rps=30.0), seed=1).prompt_tokens
    assert lengths.mean() == pytest.approx(1155, rel=0.02)
    assert np.percentile(lengths, [50, 99]) == pytest.approx([1020, 4142], rel=0.12)


def test_output_lengths_match_the_published_statistics() -> None:
    """Azure 2023, conversation: mean 211, p50 129, p99 601 (papers.md 3.4)."""
    lengths = generate(replace(HOUR_DAY, mean_rps=30.0), seed=1).output_tokens
    assert lengths.mean() == pytest.approx(211, rel=0.06)
    assert np.percentile(lengths, [50, 99]) == pytest.approx([129, 601], rel=0.12)


def test_day_and_night_differ_by_the_declared_ratio() -> None:
    made = generate(replace(CALM, mean_rps=40.0, peak_to_trough=5.0), seed=2)
    hours = np.histogram(made.arrival_s, bins=24, range=(0, 3600))[0]
    assert hours[15:17].mean() / hours[3:5].mean() == pytest.approx(5.0, rel=0.15)


def test_burstier_clients_make_burstier_traffic() -> None:
    spread = []
    for cv in (1.0, 3.0):
        made = generate(replace(CALM, peak_to_trough=1.0, clients=4, burstiness=cv), seed=5)
        counts = np.histogram(made.arrival_s, bins=360, range=(0, 3600))[0]
        spread.append(counts.var() / counts.mean())
    assert spread[1] > 2 * spread[0]


def test_bursts_lift_the_peak() -> None:
    lively = replace(CALM, bursts_per_day=6.0, burst_height=3.0, burst_minutes=30.0)
    peaks = [
        np.histogram(generate(shape, seed=6).arrival_s, bins=60, range=(0, 3600))[0].max() for shape in (CALM, lively)
    ]
    assert peaks[1] > 1.3 * peaks[0]


def test_the_days_before_have_the_shape_of_the_trace() -> None:
    rows = demand_counts(CALM, days=3.0, step=60.0, seed=1)
    assert rows.shape == (180, 3)
    made = np.histogram(generate(CALM, seed=1).arrival_s, bins=60, range=(0, 3600))[0] / 60.0
    by_minute = rows[:, 0].reshape(3, 60).mean(axis=0)
    assert np.corrcoef(by_minute, made)[0, 1] > 0.9
    mean = rows.mean(axis=0)
    assert mean[0] == pytest.approx(10.0, rel=0.1)
    assert mean[1] / mean[0] == pytest.approx(1155, rel=0.05)
    assert mean[2] / mean[0] == pytest.approx(203, rel=0.05)


def test_every_day_before_differs_from_the_others() -> None:
    rows = demand_counts(HOUR_DAY, days=2.0, step=60.0, seed=1)[:, 0].reshape(2, 60)
    assert not np.allclose(rows[0], rows[1])


@pytest.mark.parametrize(("days", "expected"), [(1.5, 90), (0.001, 0), (0.0, 0)])
def test_there_are_as_many_rows_as_whole_steps_in_the_days_before(days: float, expected: int) -> None:
    assert demand_counts(HOUR_DAY, days=days, step=60.0, seed=1).shape == (expected, 3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mean_rps": 0.0}, r"mean_rps: 0\.0: give a number above 0"),
        ({"mean_rps": float("nan")}, r"mean_rps: nan: give a finite number"),
        ({"peak_to_trough": 0.5}, r"peak_to_trough: 0\.5: give a ratio of at least 1"),
        ({"bursts_per_day": -1.0}, r"bursts_per_day: -1\.0: give a finite number of at least 0"),
        ({"day_s": "1h"}, r"day_s: '1h': give a finite number"),
    ],
)
def test_a_senseless_shape_is_refused_by_field_value_and_fix(change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(HOUR_DAY, **change)
