"""Files of measurements: recognised by what they hold, and refused by name."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foretide.simulator.measured import LoopPoint, TimedRun
from foretide.simulator.measurements import read_measurements
from foretide.simulator.points import Points
from foretide.simulator.requests import BadTrace

REQUESTS = {
    "arrival_s": [0.0, 1.0],
    "prompt_tokens": [10, 20],
    "output_tokens": [5, 1],
    "ttft_s": [0.1, 0.2],
    "tpot_s": [0.02, None],
}
DETAILED: dict[str, Any] = {
    "input_lens": [10, 20, 30],
    "output_lens": [3, 2, 0],
    "ttfts": [0.2, 0.1, 0.0],
    "itls": [[0.05, 0.07], [0.1], []],
    "start_times": [11.5, 10.0, 12.0],
    "errors": ["", "", "refused"],
}
SUMMARY: dict[str, Any] = {
    "max_concurrency": 8,
    "request_rate": "inf",
    "completed": 80,
    "total_input_tokens": 8000,
    "total_output_tokens": 4000,
    "mean_ttft_ms": 90.0,
    "mean_tpot_ms": 12.0,
}


def saved(path: Path, columns: dict[str, Any]) -> Path:
    table = pd.DataFrame(columns)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    elif path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False)
    return path


def told(path: Path, **where: str) -> str:
    with pytest.raises(BadTrace) as caught:
        read_measurements(path, where=where)
    return str(caught.value)


def as_json(path: Path, raw: object) -> Path:
    path.write_text(json.dumps(raw))
    return path


@pytest.mark.parametrize("name", ["m.csv", "m.csv.gz", "m.jsonl", "m.parquet"])
def test_requests_keep_the_times_that_they_had(tmp_path: Path, name: str) -> None:
    found = read_measurements(saved(tmp_path / name, REQUESTS), where={})
    assert isinstance(found, TimedRun)
    assert found.ttft_s.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(found.tpot_s, [0.02, np.nan])


def test_requests_without_a_ttft_have_none(tmp_path: Path) -> None:
    columns = {name: values for name, values in REQUESTS.items() if name != "ttft_s"}
    found = read_measurements(saved(tmp_path / "m.csv", columns), where={})
    assert isinstance(found, TimedRun)
    assert np.isnan(found.ttft_s).all()


def test_a_detailed_benchmark_gives_its_requests_in_the_order_they_were_sent(tmp_path: Path) -> None:
    """The third failed: it has no token, and is left out."""
    found = read_measurements(as_json(tmp_path / "b.json", DETAILED), where={})
    assert isinstance(found, TimedRun)
    assert found.trace.arrival_s.tolist() == [0.0, 1.5]
    assert found.trace.prompt_tokens.tolist() == [20, 10]
    assert found.ttft_s.tolist() == [0.1, 0.2]
    assert found.tpot_s == pytest.approx([0.1, 0.06])


def test_a_benchmarks_summary_is_one_closed_loop_of_mean_lengths(tmp_path: Path) -> None:
    found = read_measurements(as_json(tmp_path / "b.json", SUMMARY), where={})
    assert found == (LoopPoint(8, 100, 50, 90.0, 12.0, least_share=1.0, requests=80),)


@pytest.mark.parametrize(
    "columns",
    [
        {"clients": [4], "prompt_tokens": [100], "output_tokens": [50], "ttft_ms": [90.0], "tpot_ms": [9.0]},
        {"concurrency": [4], "isl": [100], "osl": [50], "silicon_ttft_ms": [90.0], "silicon_tpot_ms": [9.0]},
    ],
)
def test_closed_loops_are_read_as_points(tmp_path: Path, columns: dict[str, Any]) -> None:
    assert read_measurements(saved(tmp_path / "l.csv", columns), where={}) == (LoopPoint(4, 100, 50, 90.0, 9.0),)


def test_step_times_are_read_as_points(tmp_path: Path) -> None:
    path = saved(tmp_path / "p.csv", {"batch": [1], "context_tokens": [10], "decode_ms": [5.0], "tp": [4]})
    assert isinstance(read_measurements(path, where={"tp": "4"}), Points)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ({}, "run `vllm bench serve` with --save-result --save-detailed, or with --max-concurrency"),
        ([], "no object; give the JSON that `vllm bench serve` saves"),
        (SUMMARY | {"request_rate": 4.0}, "request_rate: 4.0: b.json was no closed loop"),
        (DETAILED | {"ttfts": [0.2, "x", 0.1]}, "give the JSON that `vllm bench serve` saves, unchanged"),
        (DETAILED | {"input_lens": [10, 20]}, "give the JSON that `vllm bench serve` saves, unchanged"),
        (DETAILED | {"output_lens": [0, 0, 0]}, "no request succeeded"),
    ],
)
def test_another_json_is_refused(tmp_path: Path, raw: object, line: str) -> None:
    found = told(as_json(tmp_path / "b.json", raw))
    assert line in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"a": [1]}, "columns: a: no known measurements"),
        (REQUESTS | {"ttft_s": [0.1, -0.2]}, "ttft_s: -0.2 in row 2"),
        (REQUESTS | {"tpot_s": [0.0, None]}, "tpot_s: 0 in row 1"),
        ({name: [] for name in ("batch", "context_tokens", "decode_ms")}, "has a header and no row"),
        (
            {"clients": [4], "prompt_tokens": [100], "output_tokens": [50], "ttft_ms": [90.0], "tpot_ms": [0.0]},
            "tpot_ms: 0.0 in row 1 of m.csv",
        ),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path: Path, columns: dict[str, Any], line: str) -> None:
    found = told(saved(tmp_path / "m.csv", columns))
    assert line in found
    assert "\n" not in found


def test_files_that_are_not_there_or_no_json_are_named(tmp_path: Path) -> None:
    assert told(tmp_path / "absent.csv").startswith("path: absent.csv")
    assert told(tmp_path / "absent.json").startswith("path: absent.json")
    (tmp_path / "b.json").write_text("{")
    assert "content: b.json" in told(tmp_path / "b.json")


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "where", "kind"),
    [
        ("dynamo_h200_llama31_8b_fp8_decode.csv.gz", {}, Points),
        ("dynamo_h200_llama31_8b_fp8_prefill.csv.gz", {}, Points),
        ("sageserve_llama31_8b_a100_tp4_prefill.csv.gz", {}, Points),
        ("sageserve_llama3_a100.csv.gz", {"model": "Llama-3.1-8B", "tensor_parallel": "4"}, Points),
        (
            "splitwise_a100_h100.csv.gz",
            {"model": "llama2-70b", "hardware": "a100-80gb", "tensor_parallel": "8"},
            Points,
        ),
        ("vllm_run_rtx4090_llama-3.1-8b_requests.csv.gz", {}, TimedRun),
    ],
)
def test_published_measurements_are_recognised(file: str, where: dict[str, str], kind: type) -> None:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip(f"FORETIDE_DATA is not set: profiles/{file} was not read")
    assert isinstance(read_measurements(Path(folder) / "profiles" / file, where=where), kind)


@pytest.mark.data
@pytest.mark.parametrize(("gpu", "prompt", "one", "sixteen"), [("a100", 94.0, 44.9, 50.4), ("h100", 53.0, 29.8, 34.2)])
def test_splitwises_medians_are_those_that_were_published(gpu: str, prompt: float, one: float, sixteen: float) -> None:
    """Llama-2-70B on 8 GPUs at 512 tokens (papers.md 3.3): a prompt, and a step of 1 and of 16 requests."""
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: profiles/splitwise_a100_h100.csv.gz was not read")
    where = {"model": "llama2-70b", "hardware": f"{gpu}-80gb", "tensor_parallel": "8"}
    found = read_measurements(Path(folder) / "profiles/splitwise_a100_h100.csv.gz", where=where)
    assert isinstance(found, Points)

    def median(*, decodes: bool, requests: int, tokens: float) -> float:
        rows = (found.decodes == decodes) & (found.requests == requests) & (abs(found.tokens - tokens) < 70)
        return float(np.median(found.measured_ms[rows]))

    assert median(decodes=False, requests=1, tokens=512) == pytest.approx(prompt, rel=0.02)
    assert median(decodes=True, requests=1, tokens=576) == pytest.approx(one, rel=0.01)
    assert median(decodes=True, requests=16, tokens=576) == pytest.approx(sixteen, rel=0.01)
