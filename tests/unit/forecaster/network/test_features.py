from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foretide.forecaster.network.features import (
    CLAMP,
    Window,
    joined,
    normalised,
    regrid,
    to_demand,
    window,
    window_of_pasts,
)
from foretide.forecaster.network.schema import NODE, REPLICA, Transform
from foretide.forecaster.past import past_of
from foretide.policies.flow import DemandHistory, Trust

DAY = 1440


def day_shaped(rows, seed=0):
    rng = np.random.default_rng(seed)
    level = 5.0 + 3.0 * np.sin(2 * np.pi * np.arange(rows) / DAY)
    requests = rng.poisson(60 * level) / 60
    return np.stack([requests, requests * 700, requests * 150], axis=1)


def one(values, origin, schema=REPLICA, **more):
    return window(values, np.array([origin]), schema, start_s=more.pop("start_s", 0.0), **more)


def past(values, step=60.0, start=1.7e9):
    return past_of(DemandHistory(start=start, step=step, values=values, trust=Trust.FRESH))


def test_the_future_is_never_looked_at():
    values = day_shaped(9 * DAY)
    altered = values.copy()
    altered[8 * DAY :] = 1e6
    before, after = one(values, 8 * DAY), one(altered, 8 * DAY)
    for name, array in before.arrays.items():
        np.testing.assert_array_equal(array, after.arrays[name], err_msg=name)


def test_yesterday_shows_what_followed_this_clock_time():
    values = np.zeros((2 * DAY, 3))
    values[: DAY + 200] = 1.0
    values[200 : 200 + REPLICA.horizon] = 9.0
    seen = one(values, DAY + 200).arrays["yesterday"][0, 0]
    before = REPLICA.windows.before
    ahead = seen[before : before + REPLICA.horizon]
    assert ahead.min() > seen[:before].max()
    assert len(seen) == REPLICA.same_clock


def test_a_gap_is_marked_and_carries_the_value_before_it():
    values = day_shaped(DAY)
    values[DAY - 5 : DAY] = np.nan
    seen = one(values, DAY).arrays
    assert seen["recent_known"][0, 0, -6:].tolist() == [1, 0, 0, 0, 0, 0]
    assert (seen["recent"][0, 0, -5:] == seen["recent"][0, 0, -6]).all()
    assert seen["context"][0, 0, 0] == pytest.approx(np.log1p(5) / 4)


def test_rows_before_since_count_as_missing():
    values = day_shaped(3 * DAY)
    cut = one(values, 3 * DAY, since=np.array([3 * DAY - 10]))
    short = one(values[-10:], 10, start_s=(3 * DAY - 10) * 60.0)
    for name, array in cut.arrays.items():
        np.testing.assert_allclose(array, short.arrays[name], atol=1e-6, err_msg=name)


def test_the_unit_of_demand_does_not_matter():
    values = day_shaped(2 * DAY)
    plain, scaled = one(values, 2 * DAY), one(values * 1e4, 2 * DAY)
    for name, array in plain.arrays.items():
        np.testing.assert_allclose(array, scaled.arrays[name], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("transform", list(Transform))
def test_normalised_paths_map_back_to_demand(transform):
    schema = replace(REPLICA, transform=transform)
    values = day_shaped(2 * DAY)
    frame = one(values, DAY, schema).frame
    future = values[DAY : DAY + 30]
    paths = normalised(future[None], frame, schema)[:, None].astype(np.float32)
    np.testing.assert_allclose(to_demand(paths, frame, schema)[0, 0], future, rtol=1e-4, atol=1e-3)


def test_a_batch_of_pasts_equals_its_members():
    pasts = [past(day_shaped(rows, seed)) for seed, rows in enumerate((3, 700, 12 * DAY))]
    batch = window_of_pasts(pasts, REPLICA)
    alone = joined([window_of_pasts([one_past], REPLICA) for one_past in pasts])
    for name, array in batch.arrays.items():
        assert array.dtype == np.float32
        assert len(array) == 3
        np.testing.assert_array_equal(array, alone.arrays[name])


def test_the_node_head_reads_minute_history_in_tens():
    values = day_shaped(2 * DAY + 7)
    coarse = regrid(values, 60.0, 600.0)
    assert len(coarse) == (2 * DAY + 7) // 10
    np.testing.assert_allclose(coarse[-1], values[-10:].mean(axis=0))
    seen = window_of_pasts([past(values)], NODE).arrays["recent"]
    assert seen.shape == (1, 3, NODE.windows.recent)


def test_a_coarse_row_measured_by_less_than_half_is_missing():
    values = np.ones((20, 1))
    values[:6] = np.nan
    assert np.isnan(regrid(values, 60.0, 600.0)[:, 0]).tolist() == [True, False]


def test_a_grid_that_does_not_divide_the_heads_is_refused():
    with pytest.raises(ValueError, match="45 s cannot be brought to one of 60 s"):
        window_of_pasts([past(np.ones((9, 3)), step=45.0)], REPLICA)


def test_the_calendar_knows_clock_and_weekend():
    saturday_noon = 1.0e9 - 1.0e9 % 604800 + 2 * 86400 + 43200
    seen = one(np.ones((1, 3)), 1, start_s=saturday_noon - 60).arrays["calendar"][0]
    np.testing.assert_allclose(seen[:2], [0, -1], atol=1e-6)
    assert seen[6:].tolist() == [1, 1]
    assert not one(np.ones((1, 3)), 1, start_s=np.nan).arrays["calendar"].any()


def test_a_scheduled_event_is_seen_at_its_level_and_confidence():
    values = day_shaped(DAY)
    plan = np.full((1, 30, 2), np.nan)
    plan[0, 10:20] = [40.0, 0.8]
    seen = one(values, DAY, events=plan)
    expected = normalised(np.full((1, 1, 3), 40.0), seen.frame, REPLICA)[0, 0, 0]
    np.testing.assert_allclose(seen.arrays["events"][0, 10], [expected, 0.8], rtol=1e-5)
    assert not seen.arrays["events"][0, :10].any()


anything = st.floats(width=64) | st.sampled_from([0.0, 1e12, 1e300, -5.0, 5e-324, np.nan, np.inf])


@given(
    values=arrays(np.float64, st.tuples(st.integers(0, 50), st.just(3)), elements=anything),
    start=st.sampled_from([0.0, 1.7e9, np.nan, -1e18, np.inf]),
    schema=st.sampled_from([REPLICA, NODE, replace(REPLICA, transform=Transform.LINEAR)]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_in_everything_is_finite(values, start, schema):
    plan = np.full((1, schema.horizon, 2), np.inf)
    seen: Window = one(values, len(values), schema, start_s=start, events=plan)
    for name, array in seen.arrays.items():
        assert np.isfinite(array).all(), name
        assert np.abs(array).max(initial=0) <= CLAMP
    wild = np.full((1, 2, schema.horizon, 3), np.inf, dtype=np.float32)
    assert np.isfinite(to_demand(wild, seen.frame, schema)).all()
