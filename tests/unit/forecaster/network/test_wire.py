"""Bytes are a message of this version or nothing; whatever they are, reading them ends in a value or in one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.forecaster.network.features import window
from foretide.forecaster.network.schema import NODE, REPLICA, digest
from foretide.forecaster.network.wire import (
    LARGEST_REQUEST,
    BadMessage,
    Question,
    largest_answer,
    packed_answer,
    packed_question,
    read_answer,
    read_question,
)


def question(rows: int = 2) -> Question:
    rng = np.random.default_rng(1)
    arrays = {
        "recent": rng.random((rows, 3, 60), dtype=np.float32),
        "calendar": rng.random((rows, 8), dtype=np.float32),
    }
    return Question(digest(REPLICA), arrays, tuple(range(2**62, 2**62 + rows)), 256)


def test_a_question_is_read_as_it_was_packed() -> None:
    asked = question()
    read = read_question(packed_question(asked))
    assert (read.schema_sha256, read.seeds, read.count) == (asked.schema_sha256, asked.seeds, asked.count)
    assert list(read.arrays) == list(asked.arrays)
    for name, array in asked.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


def test_an_answer_is_read_as_it_was_packed() -> None:
    paths = np.random.default_rng(2).random((2, 5, 30, 3), dtype=np.float32)
    raw = packed_answer(paths)
    np.testing.assert_array_equal(read_answer(raw, shape=paths.shape), paths)
    assert len(raw) <= largest_answer(paths.shape)


def test_an_answer_to_another_question_is_refused() -> None:
    raw = packed_answer(np.zeros((2, 5, 30, 3), dtype=np.float32))
    with pytest.raises(BadMessage, match=r"paths: shape \(2, 5, 30, 3\) instead of \(2, 6, 30, 3\)"):
        read_answer(raw, shape=(2, 6, 30, 3))


def test_rows_without_a_seed_are_refused() -> None:
    asked = question(3)
    with pytest.raises(BadMessage, match="each must have 2 rows"):
        read_question(packed_question(Question(asked.schema_sha256, asked.arrays, asked.seeds[:2], 8)))


@pytest.mark.parametrize(
    ("count", "seeds"), [(0, (1,)), (1025, (1,)), (8, ()), (8, (-1,)), (8, (2**63,)), (8, (1,) * 65)]
)
def test_counts_and_seeds_are_bounded(count: int, seeds: tuple[int, ...]) -> None:
    arrays = {"calendar": np.zeros((len(seeds), 8), dtype=np.float32)}
    with pytest.raises(BadMessage, match="header: "):
        read_question(packed_question(Question(digest(REPLICA), arrays, seeds, count)))


def test_64_whole_windows_are_below_the_largest_request() -> None:
    values = np.random.default_rng(0).random((100, 3))
    for schema in (REPLICA, NODE):
        arrays = window(values, np.full(64, 100), schema, start_s=0.0).arrays
        assert len(packed_question(Question(digest(schema), arrays, (2**63 - 1,) * 64, 256))) < LARGEST_REQUEST


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 3000), flips=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4))
def test_damaged_bytes_are_a_question_or_one_line(cut: int, flips: list[tuple[int, int]]) -> None:
    raw = bytearray(packed_question(question()))
    for place, byte in flips:
        raw[place % len(raw)] = byte
    try:
        read = read_question(bytes(raw[: len(raw) - cut]))
    except BadMessage:
        return
    assert all(len(array) == len(read.seeds) for array in read.arrays.values())


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_no_question(raw: bytes) -> None:
    with pytest.raises(BadMessage):
        read_question(raw)
