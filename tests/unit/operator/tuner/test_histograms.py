"""Shares of requests from histograms: exact at a bound, between two of them in between, unknown beyond the last."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.seams import Series
from foretide.operator.tuner.histograms import Lacking, bucket_sums, grown, kept_share, share_within, wanted
from foretide.policies.flow import LatencyTarget, Objective, frozen

BUCKETS = {0.01: 10.0, 0.1: 50.0, 1.0: 90.0, inf: 100.0}
OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 0.1), tpot=LatencyTarget(99.0, 1.0))


@pytest.mark.parametrize(
    ("threshold", "share"),
    [(0.01, 0.1), (0.1, 0.5), (1.0, 0.9), (10**-1.5, 0.3), (0.005, 0.05), (2.0, None)],
)
def test_a_share_is_exact_at_a_bound_and_grows_with_the_logarithm_between_two(
    threshold: float, share: float | None
) -> None:
    found = share_within(BUCKETS, threshold)
    assert found == (None if share is None else pytest.approx(share))


def test_beyond_the_last_bound_all_is_known_only_where_nothing_is_there() -> None:
    assert share_within({1.0: 100.0, inf: 100.0}, 2.0) == 1.0
    assert share_within({1.0: 99.0, inf: 100.0}, 2.0) is None


@pytest.mark.parametrize("buckets", [{}, {1.0: 5.0}, {1.0: 0.0, inf: 0.0}])
def test_without_observations_or_a_total_nothing_is_known(buckets: dict[float, float]) -> None:
    assert share_within(buckets, 0.5) is None


def test_of_two_promises_the_least_that_can_have_kept_both_counts() -> None:
    assert kept_share({"ttft": BUCKETS, "tpot": BUCKETS}, OBJECTIVE) == pytest.approx(0.4)
    assert kept_share({"ttft": {0.1: 10.0, inf: 100.0}, "tpot": {1.0: 20.0, inf: 100.0}}, OBJECTIVE) == 0.0


def test_a_promise_whose_histogram_is_silent_names_itself() -> None:
    found = kept_share({"ttft": BUCKETS}, OBJECTIVE)
    assert isinstance(found, Lacking)
    assert found.text == "how many requests kept tpot 1s cannot be told from its histogram"


def test_each_engine_has_its_own_histograms_or_none() -> None:
    assert wanted("vllm", OBJECTIVE)["tpot"] == "vllm:request_time_per_output_token_seconds"
    assert wanted("trtllm", OBJECTIVE)["ttft"] == "trtllm_time_to_first_token_seconds"
    assert wanted("epp", OBJECTIVE) == {}


def test_a_counter_counts_from_the_newest_sample_before_the_window_and_over_a_new_life() -> None:
    at = np.array([0.0, 15.0, 30.0, 45.0, 60.0, 75.0])
    assert grown(at, np.array([0, 10, 20, 30, 40, 50.0]), start=20.0, end=60.0) == 30.0
    assert grown(at, np.array([0, 10, 20, 5, 15, 25.0]), start=15.0, end=60.0) == 25.0
    assert grown(at, np.array([0, 10, np.nan, 30, 40, 50.0]), start=15.0, end=60.0) == 30.0
    assert grown(at[:1], np.array([7.0]), start=0.0, end=60.0) is None


def test_parts_of_a_histogram_are_added_up_by_pod_under_either_spelling() -> None:
    def series(metric: str, pod: str, le: str, *values: float) -> Series:
        labels = {"__name__": metric, "pod": pod, "le": le}
        return Series(labels, frozen(np.array([0.0, 60.0])), frozen(np.array(values)))

    found = bucket_sums(
        (
            series("vllm:ttft_bucket", "a", "0.1", 1.0, 3.0),
            series("vllm_ttft_bucket", "a", "0.1", 0.0, 4.0),
            series("vllm:ttft_bucket", "a", "+Inf", 1.0, 9.0),
            series("vllm:ttft_bucket", "b", "0.1", 0.0, 1.0),
            series("vllm:ttft_count", "b", "0.1", 0.0, 1.0),
        ),
        "vllm:ttft",
        start=0.0,
        end=60.0,
    )
    assert found == {"a": {0.1: 6.0, inf: 8.0}, "b": {0.1: 1.0}}


@given(
    counts=st.lists(st.integers(0, 1000), min_size=2, max_size=8),
    thresholds=st.tuples(st.floats(0.001, 10.0), st.floats(0.001, 10.0)),
)
def test_a_larger_threshold_never_keeps_fewer(counts: list[int], thresholds: tuple[float, float]) -> None:
    bounds = [0.01 * 2.0**i for i in range(len(counts) - 1)] + [inf]
    buckets = dict(zip(bounds, np.cumsum(counts).astype(float).tolist(), strict=True))
    small, large = (share_within(buckets, threshold) for threshold in sorted(thresholds))
    if small is not None and large is not None:
        assert 0.0 <= small <= large + 1e-12 <= 1.0 + 1e-12
