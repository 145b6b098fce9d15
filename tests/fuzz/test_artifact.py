"""Any bytes for a network's card and graph: a session whose answer is finite, or one line."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from fuzz.damage import damaged, one_line, torn
from graphs import artifact, golden, persistence
from hypothesis import given
from hypothesis import strategies as st

from foretide.forecaster.network.card import Refused, sha256
from foretide.forecaster.network.schema import Indicator, Schema, Windows
from foretide.forecaster.network.session import opened

SMALL = Schema(
    "small",
    4,
    60.0,
    tuple(Indicator(name) for name in ("requests", "prompt_tokens", "output_tokens")),
    Windows(recent=5, bins=3, bin_rows=2, before=1, after=1, usual_days=2),
)
GRAPH = persistence(SMALL)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        yield Path(made)


def _sound() -> Any:
    with TemporaryDirectory() as made:
        artifact(Path(made), SMALL)
        return json.loads((Path(made) / "small.json").read_text(encoding="utf-8"))


CARD = _sound()


def _opened_or_one_line(folder: Path) -> None:
    try:
        session = opened(folder, "small", schema=SMALL)
    except Refused as told:
        one_line(told)
        return
    inputs, _ = golden(SMALL)
    assert np.isfinite(session.paths({"recent": inputs["recent"]}, inputs["noise"])).all()


@given(damaged(CARD) | damaged(CARD["fields"]).map(lambda fields: {**CARD, "fields": fields}))
def test_any_card_is_served_as_checked_or_refused(folder: Path, card: Any) -> None:
    (folder / "small.onnx").write_bytes(GRAPH)
    (folder / "small.json").write_text(json.dumps(card), encoding="utf-8", errors="replace")
    _opened_or_one_line(folder)


@given(torn(json.dumps(CARD).encode()) | st.binary(max_size=80))
def test_any_bytes_of_a_card_are_served_as_checked_or_refused(folder: Path, raw: bytes) -> None:
    (folder / "small.onnx").write_bytes(GRAPH)
    (folder / "small.json").write_bytes(raw)
    _opened_or_one_line(folder)


@given(torn(GRAPH))
def test_a_damaged_graph_is_refused_even_where_its_card_hashes_it(folder: Path, graph: bytes) -> None:
    (folder / "small.onnx").write_bytes(graph)
    (folder / "small.json").write_text(json.dumps({**CARD, "onnx_sha256": sha256(graph)}), encoding="utf-8")
    _opened_or_one_line(folder)
