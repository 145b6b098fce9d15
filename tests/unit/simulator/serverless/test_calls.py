"""Requests by model and minute, and how many of them a start makes wait."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.serverless.calls import BadCalls, Calls, waiting


def test_a_table_with_counts_and_one_of_requests_read_alike() -> None:
    counted = pd.DataFrame({"id": ["b", "a", "b"], "minute": [0, 2, 0], "n": [1, 3, 1]})
    single = pd.DataFrame({"id": ["b", "a", "b", "a", "a"], "minute": [0, 2, 0, 2, 2]})
    one, other = (Calls.of_table(t, name="id", minute="minute", count=c) for t, c in ((counted, "n"), (single, None)))
    assert one.names == other.names == ("a", "b")
    assert one.counts.tolist() == other.counts.tolist() == [[0, 0, 3], [2, 0, 0]]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame({"id": ["a"]}), "minute: no such column: the file has id"),
        (pd.DataFrame({"id": ["a"], "minute": [-3]}), "minute: -3: give minutes from 0 on"),
        (pd.DataFrame({"id": [], "minute": []}), "minute: nothing: give minutes"),
    ],
)
def test_a_bad_table_is_refused(table: pd.DataFrame, said: str) -> None:
    with pytest.raises(BadCalls, match=said):
        Calls.of_table(table, name="id", minute="minute")


def test_halves_share_no_model() -> None:
    whole = Calls(tuple(f"f{n}" for n in range(50)), np.ones((50, 1), dtype=np.int64))
    odd, even = whole.half(odd=True), whole.half(odd=False)
    assert set(odd.names) | set(even.names) == set(whole.names)
    assert not set(odd.names) & set(even.names)
    assert odd.names
    assert even.names


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(1, 40), st.floats(0.5, 200.0))
def test_who_waits_is_whoever_comes_before_the_start_has_ended(later: list[int], first: int, wake_s: float) -> None:
    counts = np.array([[first, *later]], dtype=np.int64)
    at = [60.0 * minute + 60.0 * (i + 0.5) / n for minute, n in enumerate(counts[0]) for i in range(n)]
    left = at[0] + wake_s - np.array(at)
    if np.abs(left[np.abs(left) > 0]).min(initial=1.0) < 1e-6:
        return  # as good as together with the end of the start: rounding decides
    requests, seconds = waiting(counts, who=np.zeros(1, dtype=np.int64), minute=0, wake_s=wake_s)
    assert requests[0] == (left > 0).sum()
    assert seconds[0] == pytest.approx(left[left > 0].sum())
