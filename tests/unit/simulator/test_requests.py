"""Traces as people have them: read when right, refused in one line that names column, value and fix when wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.policies.flow import frozen
from foretide.simulator.requests import JITTER_S, NEAR_S, BadTrace, Blocks, RequestTrace, read_requests

OWN = "arrival_s,prompt_tokens,output_tokens\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURSTGPT = "Timestamp,Model,Request tokens,Response tokens,Log Type\n"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def mooncake(first: int, second: int) -> str:
    """Two lines with these timestamps, in milliseconds."""
    rows = [{"timestamp": first, "input_length": 100, "output_length": 10, "hash_ids": [1]}]
    rows += [{"timestamp": second, "input_length": 200, "output_length": 20, "hash_ids": [2]}]
    return "".join(json.dumps(row) + "\n" for row in rows)


def trace(count: int = 2000, *, rate: float = 2.0) -> RequestTrace:
    """Even arrivals; lengths are the position, so that a copy tells where it took them."""
    place = np.arange(count)
    return RequestTrace(frozen(place / rate), place + 1, 10 * (place + 1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.csv", OWN + "5,100,10\n6.5,200,20\n"),
        (
            "azure.csv",
            AZURE + "2023-11-16 18:15:46.5,100,10\n2023-11-16 18:15:48.0000000,200,20\n",
        ),
        (
            "burst.csv",
            BURSTGPT + "5,ChatGPT,100,10,API log\n6.5,GPT-4,200,20,API log\n",
        ),
        (
            "moon.jsonl",
            mooncake(27482, 28982),
        ),
        (
            "moon-epoch.jsonl",
            mooncake(1_700_000_000_000, 1_700_000_001_500),
        ),
    ],
)
def test_each_known_format_is_recognised_by_its_columns(tmp_path: Path, name: str, text: str) -> None:
    read = read_requests(written(tmp_path, text, name))
    np.testing.assert_allclose(read.arrival_s, [0.0, 1.5])
    assert (read.prompt_tokens.tolist(), read.output_tokens.tolist()) == ([100, 200], [10, 20])


@pytest.mark.parametrize("name", ["trace.csv.gz", "trace.parquet"])
def test_compressed_files_are_read_alike(tmp_path: Path, name: str) -> None:
    table = pd.DataFrame({"arrival_s": [0.0, 1.5], "prompt_tokens": [100, 200], "output_tokens": [10, 20]})
    path = tmp_path / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    assert read_requests(path).prompt_tokens.tolist() == [100, 200]


def test_a_failed_answer_without_tokens_still_cost_its_prompt(tmp_path: Path) -> None:
    assert read_requests(written(tmp_path, OWN + "0,100,0\n")).output_tokens.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "size: 0 bytes"),
        (OWN, "rows: 0"),
        ("a,b\n1,2\n", r"columns: a, b: trace.csv has no known format .*; rename them or convert"),
        (OWN + "0,1,1\n2,1,1\n1,1,1\n", r"arrival_s: .*1.* in row 3 of trace.csv: lies before the row above it; sort"),
        (OWN + "-1,1,1\n", r"arrival_s: .*-1.* in row 1 of trace.csv: is negative; count seconds"),
        (OWN + "0,1,1\nnan,1,1\n", r"arrival_s: nan in row 2 of trace.csv: is no time; correct or drop"),
        (OWN + "0,1,1\ninf,1,1\n", r"arrival_s: inf in row 2 of trace.csv: is no time"),
        (OWN + "0,nan,1\n", r"prompt_tokens: .*nan.* in row 1 of trace.csv: give a number"),
        (OWN + "0,0,1\n", r"prompt_tokens: .*0.* in row 1 of trace.csv: give a whole number from 1 to 1,[0,]+"),
        (
            OWN + "0,5,1\n1,5,-3\n",
            r"output_tokens: .*-3.* in row 2 of trace.csv: give a whole number from 0 to 1,[0,]+",
        ),
        (AZURE + "soon,1,1\n", r"TIMESTAMP: 'soon' in row 1 of trace.csv: is no time"),
        (
            OWN + "0,1e30,1\n",
            r"prompt_tokens: 1e\+30 in row 1 of trace.csv: give a whole number from 1 to 1,[0,]+",
        ),
        ("arrival_s,prompt_tokens\n0,1\n", r"for foretide output_tokens missing; trace.csv has no known format"),
        (
            OWN + "0,5,1\n1,5,7.5\n",
            r"output_tokens: 7.5 in row 2 of trace.csv: give a whole number from 0 to 1,[0,]+",
        ),
        ("session_id,t_s,prompt_tokens,output_tokens\n1,0,5,5\n", r"session_id, t_s: each session .*; add arrival_s"),
    ],
)
def test_bad_content_gets_one_line_with_column_value_and_fix(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadTrace, match=told) as caught:
        read_requests(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_named_format_tells_which_of_its_columns_are_missing(tmp_path: Path) -> None:
    path = written(tmp_path, "arrival_s,prompt_tokens\n0,1\n")
    with pytest.raises(BadTrace, match=r"columns: output_tokens missing"):
        read_requests(path, format="foretide")
    with pytest.raises(BadTrace, match=r"format: xml: .*azure"):
        read_requests(path, format="xml")


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match=r"path: none\.csv: .*name a file that can be read"):
        read_requests(tmp_path / "none.csv")
    with pytest.raises(BadTrace, match=r"content: trace\.parquet: "):
        read_requests(written(tmp_path, "no parquet", "trace.parquet"))


def test_text_of_another_encoding_is_refused_by_that_word(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes((OWN + "0,1,1\n").encode("utf-16"))
    with pytest.raises(BadTrace, match=r"content: trace\.csv: is not UTF-8 text; save it as UTF-8"):
        read_requests(path)


@pytest.mark.parametrize(("line", "told"), [("{bad", "line: 3: is no JSON"), ("[1, 2]", "line: 3: is no object")])
def test_a_line_of_jsonl_that_is_no_object_is_named(tmp_path: Path, line: str, told: str) -> None:
    good = json.dumps({"timestamp": 0, "input_length": 5, "output_length": 1})
    with pytest.raises(BadTrace, match=told):
        read_requests(written(tmp_path, f"{good}\n\n{line}\n", "moon.jsonl"))


def test_blanks_around_the_names_of_columns_do_not_matter(tmp_path: Path) -> None:
    read = read_requests(written(tmp_path, "arrival_s, prompt_tokens, output_tokens\n0, 10, 20\n"))
    assert (read.prompt_tokens.tolist(), read.output_tokens.tolist()) == ([10], [20])


def test_more_requests_than_memory_holds_are_refused() -> None:
    with pytest.raises(BadTrace, match=r"requests: 2e\+12: more than the 100,000,000 that a run can hold; lower"):
        trace().scaled(1e9, seed=0)


def test_a_part_keeps_its_own_requests_and_counts_from_its_start() -> None:
    part = trace().between(100.0, 50.0)
    assert (len(part), part.arrival_s[0], part.prompt_tokens[0]) == (100, 0.0, 201)


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.5])
def test_scaling_changes_the_rate_and_keeps_the_shape(factor: float) -> None:
    quiet, busy = trace(3000, rate=2.0), trace(3000, rate=6.0)
    both = RequestTrace(
        frozen(np.concatenate([quiet.arrival_s, 1500.0 + busy.arrival_s])),
        np.concatenate([quiet.prompt_tokens, busy.prompt_tokens]),
        np.concatenate([quiet.output_tokens, busy.output_tokens]),
    )
    scaled = both.scaled(factor, seed=1)
    early = (scaled.arrival_s < 1500.0).sum()
    assert len(scaled) == pytest.approx(6000 * factor, rel=0.05)
    assert early == pytest.approx(3000 * factor, rel=0.08)
    assert (np.diff(scaled.arrival_s) >= 0).all()
    assert scaled.arrival_s[-1] <= both.arrival_s[-1]


def test_copies_do_not_pile_up_where_a_trace_begins_and_ends() -> None:
    scaled = trace(3000, rate=10.0).scaled(5.0, seed=0)
    counts = np.histogram(scaled.arrival_s, bins=30, range=(0, 300))[0]
    np.testing.assert_allclose(counts, 500, atol=5 * np.sqrt(400))
    assert len(np.unique(scaled.arrival_s)) > 0.99 * len(scaled)


def test_copies_differ_from_their_originals_in_time_and_length() -> None:
    scaled = trace().scaled(3.0, seed=1)
    origin = scaled.prompt_tokens - 1
    moved = scaled.arrival_s - origin / 2.0
    assert len(np.unique(scaled.arrival_s)) > 0.99 * len(scaled)
    assert np.abs(moved).max() <= JITTER_S + NEAR_S
    assert (scaled.output_tokens == 10 * scaled.prompt_tokens).all()


def test_the_same_seed_scales_alike_and_another_does_not() -> None:
    first, again, other = (trace().scaled(1.5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.arrival_s, again.arrival_s)
    assert len(first) != len(other) or (first.arrival_s != other.arrival_s).any()


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_senseless_factor_is_refused(factor: float) -> None:
    with pytest.raises(BadTrace, match=r"scale_rate: .*give a finite number above 0"):
        trace().scaled(factor, seed=1)


@pytest.mark.data
def test_the_azure_conversation_trace_is_read_as_published() -> None:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: requests/azure2023_conv.csv.gz was not read")
    read = read_requests(Path(folder) / "requests/azure2023_conv.csv.gz")
    assert len(read) == 19_366
    assert read.prompt_tokens.mean() == pytest.approx(1155, rel=0.01)
    assert read.output_tokens.mean() == pytest.approx(211, rel=0.01)


def with_blocks() -> RequestTrace:
    """Four requests with 2, 0, 1 and 3 blocks."""
    blocks = Blocks(np.array([1, 2, 7, 1, 2, 3]), np.array([0, 2, 2, 3, 6]))
    return RequestTrace(frozen(np.arange(4.0)), np.full(4, 1000), np.full(4, 10), blocks)


def test_blocks_of_a_mooncake_trace_are_read(tmp_path: Path) -> None:
    found = read_requests(written(tmp_path, mooncake(0, 1500), "moon.jsonl")).blocks
    assert found is not None
    assert [found.of(index).tolist() for index in range(2)] == [[1], [2]]
    assert found.tokens == 512


def test_a_part_of_a_trace_keeps_the_blocks_of_its_requests() -> None:
    found = with_blocks().between(1.0, 3.0).blocks
    assert found is not None
    assert [found.of(index).tolist() for index in range(3)] == [[], [7], [1, 2, 3]]


def test_a_copy_has_the_blocks_of_the_request_whose_lengths_it_has() -> None:
    whole = RequestTrace(
        frozen(np.arange(200.0)),
        np.arange(200) + 1,
        np.ones(200, dtype=np.int64),
        Blocks(np.arange(200), np.arange(201)),
    )
    scaled = whole.scaled(3.0, seed=0)
    assert scaled.blocks is not None
    assert [scaled.blocks.of(i).tolist() for i in range(len(scaled))] == [[n - 1] for n in scaled.prompt_tokens]


def test_blocks_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    line = json.dumps({"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": ["a"]})
    with pytest.raises(BadTrace, match=r"hash_ids: \['a'\] in row 1: give a list of whole numbers"):
        read_requests(written(tmp_path, line + "\n", "moon.jsonl"))


def test_blocks_of_our_own_format_are_lists_in_parquet(tmp_path: Path) -> None:
    table = pd.DataFrame({"arrival_s": [0.0, 1.0], "prompt_tokens": [100, 65], "output_tokens": [1, 1]})
    table["hash_ids"] = [[4, 5], [4, 9]]
    table.to_parquet(tmp_path / "r.parquet")
    found = read_requests(tmp_path / "r.parquet", block_tokens=64).blocks
    assert found is not None
    assert (found.tokens, [found.of(i).tolist() for i in range(2)]) == (64, [[4, 5], [4, 9]])
    with pytest.raises(
        BadTrace, match=r"hash_ids: 2 ids in row 1: a prompt of 100 tokens has 1 of 512 tokens; correct"
    ):
        read_requests(tmp_path / "r.parquet")


@given(st.floats(min_value=0.1, max_value=30.0), st.integers(0, 99), st.integers(0, 60))
@settings(deadline=None)
def test_jitter_moves_no_request_by_more_than_its_width(width: float, seed: int, count: int) -> None:
    coarse = RequestTrace(frozen(np.arange(count) // 20 * 3.0), np.arange(count) + 1, np.ones(count, dtype=np.int64))
    moved = coarse.jittered(width, seed=seed)
    assert (np.diff(moved.arrival_s) >= 0).all()
    assert moved.arrival_s[:1].tolist() in ([], [0.0])
    assert sorted(moved.prompt_tokens) == coarse.prompt_tokens.tolist()
    later = moved.arrival_s - coarse.arrival_s[moved.prompt_tokens - 1]
    assert later.max(initial=0.0) - later.min(initial=0.0) <= width
    np.testing.assert_array_equal(moved.arrival_s, coarse.jittered(width, seed=seed).arrival_s)


def test_jitter_of_the_grid_takes_mooncakes_batches_apart() -> None:
    """Requests that share a tick of 3 s come evenly between it and the next."""
    coarse = RequestTrace(frozen(np.arange(6000) // 20 * 3.0), np.full(6000, 9), np.full(6000, 9))
    within = coarse.jittered(3.0, seed=0).arrival_s % 3.0
    assert stats.kstest(within / 3.0, "uniform").pvalue > 1e-4


@pytest.mark.data
def test_mooncake_traces_are_read_with_a_block_for_every_512_tokens() -> None:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: requests/mooncake_*.parquet were not read")
    for name, count in (("mooncake_synthetic", 3993), ("mooncake_arxiv_first1000", 1000)):
        read = read_requests(Path(folder) / f"requests/{name}.parquet")
        assert len(read) == count
        assert read.blocks is not None
        np.testing.assert_array_equal(np.diff(read.blocks.offsets), -(-read.prompt_tokens // 512))
