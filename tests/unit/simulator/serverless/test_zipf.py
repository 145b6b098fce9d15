"""The generated fleet has the popularity, the days and the timers that it was asked for."""

import numpy as np
import pytest

from foretide.simulator.serverless.zipf import ZipfFleet, generate


def test_popularity_falls_with_rank_as_zipf_says() -> None:
    calls = generate(ZipfFleet(days=14, timed=0.0), seed=1)
    sums = calls.counts.sum(axis=1)
    rank = np.arange(1, 51)
    slope = np.polyfit(np.log(rank), np.log(sums[:50]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.08)
    assert sums.sum() / 14 == pytest.approx(24_000, rel=0.03)


def test_nights_are_quiet_and_the_weekend_has_half_the_work() -> None:
    calls = generate(ZipfFleet(days=14, zones=1, timed=0.0), seed=2)
    days = calls.counts.sum(axis=0).reshape(14, 24, 60).sum(axis=2)
    weekdays = days[[0, 1, 2, 3, 4, 7, 8, 9, 10, 11]]
    assert weekdays[:, 0].mean() < 0.2 * weekdays[:, 12].mean()
    assert days[[5, 6, 12, 13]].sum(axis=1).mean() == pytest.approx(0.5 * weekdays.sum(axis=1).mean(), rel=0.05)


def test_timers_call_at_their_period() -> None:
    calls = generate(ZipfFleet(models=40, sessions_per_day=0.0, timed=1.0), seed=3)
    gaps = [np.diff(np.flatnonzero(row)) for row in calls.counts]
    assert all((one == one[0]).all() for one in gaps)
    assert {int(one[0]) for one in gaps} <= {15, 30, 60, 120, 240, 720, 1440}


def test_a_seed_is_a_fleet() -> None:
    assert (generate(ZipfFleet(), seed=5).counts == generate(ZipfFleet(), seed=5).counts).all()
    assert generate(ZipfFleet(), seed=5).counts.shape != generate(ZipfFleet(days=1), seed=5).counts.shape
