"""Any bytes for a trace, a series or a scenario: what they say, or one line."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import yaml
from fuzz.damage import damaged, one_line, torn
from hypothesis import given
from hypothesis import strategies as st

from foretide.forecaster.evaluate.read import BadSeries, read_series
from foretide.simulator.requests import MOST_TOKENS, BadTrace, read_requests
from foretide.simulator.scenario import BadScenario, load_scenario

OWN = b"arrival_s,prompt_tokens,output_tokens\n0.0,100,20\n1.5,2000,1\n3.25,7,300\n"
AZURE = (
    b"TIMESTAMP,ContextTokens,GeneratedTokens\n"
    b"2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
)
BURST = b"Timestamp,Session ID,Request tokens,Response tokens\n5,1,472,18\n45,1,1087,230\n"
MOONCAKE = b'{"timestamp": 0, "input_length": 600, "output_length": 52, "hash_ids": [46, 47]}\n' * 2
TRACES = st.one_of(
    *(st.tuples(st.just(".csv"), torn(sound)) for sound in (OWN, AZURE, BURST)),
    st.tuples(st.just(".jsonl"), torn(MOONCAKE)),
    st.tuples(st.sampled_from((".csv", ".jsonl", ".csv.gz", ".jsonl.gz", ".parquet")), st.binary(max_size=80)),
)
SERIES = b"time,requests,tokens\n2026-11-27T00:00:00Z,1.5,20\n2026-11-27T00:01:00Z,2,30\n2026-11-27T00:02:00Z,,10\n"
SCENARIO: dict[str, Any] = {
    "name": "x",
    "workload": {"mean_rps": 6, "days": 1, "day_s": 7200, "peak_to_trough": 4},
    "history_days": 1,
    "season_s": "2h",
    "stress": [{"kind": "attack", "at": "20m", "duration": "10m", "share": 0.05, "output_tokens": 4096}],
    "deployment": {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1},
    "objective": {"ttft": {"percentile": 99, "threshold": "500ms"}, "window": "5m"},
    "cold_start": {"tiers": {"node-warm": {"median_s": 80, "sigma": 0.3}}},
    "limits": {"min": 1, "max": 40},
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


@given(TRACES)
def test_any_file_is_a_trace_or_one_line(folder: Path, written: tuple[str, bytes]) -> None:
    suffix, raw = written
    path = folder / f"requests{suffix}"
    path.write_bytes(raw)
    try:
        found = read_requests(path)
    except BadTrace as told:
        one_line(told)
        return
    assert np.isfinite(found.arrival_s).all()
    assert (np.diff(found.arrival_s) >= 0).all()
    assert found.arrival_s[0] == 0
    for tokens in (found.prompt_tokens, found.output_tokens):
        assert ((tokens >= 1) & (tokens <= MOST_TOKENS)).all()


@given(torn(SERIES) | st.binary(max_size=80))
def test_any_file_is_a_series_or_one_line(folder: Path, raw: bytes) -> None:
    path = folder / "series.csv"
    path.write_bytes(raw)
    try:
        found = read_series(path, time="time", columns=["requests", "tokens"])
    except BadSeries as told:
        one_line(told)
        return
    for one in found.series:
        assert not np.isinf(one.values).any()


@given(damaged(SCENARIO))
def test_any_yaml_is_a_scenario_or_problems(folder: Path, written: Any) -> None:
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8", errors="replace")
    try:
        found = load_scenario(path)
    except (BadScenario, BadTrace):
        return
    assert 1 <= found.min_replicas <= found.max_replicas
    assert np.isfinite(found.cold_start.median_s)


@given(torn(yaml.safe_dump(SCENARIO).encode()))
def test_any_text_is_a_scenario_or_problems(folder: Path, raw: bytes) -> None:
    path = folder / "scenario.yaml"
    path.write_bytes(raw)
    try:
        load_scenario(path)
    except (BadScenario, BadTrace):
        return
