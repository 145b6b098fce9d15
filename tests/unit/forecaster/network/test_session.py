"""Only a graph that is what its card says is served; everything else is refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import artifact, constant, golden, model, node, persistence, replaced, value

from foretide.forecaster.network.card import Card, Golden, Numbers, Refused, Source, read_card, written
from foretide.forecaster.network.features import to_demand, window
from foretide.forecaster.network.schema import NODE, REPLICA, Indicator, Schema, Windows, canonical
from foretide.forecaster.network.session import opened

SMALL = Schema(
    "small",
    4,
    60.0,
    tuple(Indicator(name) for name in ("requests", "prompt_tokens", "output_tokens")),
    Windows(recent=5, bins=3, bin_rows=2, before=1, after=1, usual_days=2),
)


def refusal(folder: Path, head: str = "small", **changes: Any) -> str:
    with pytest.raises(Refused) as found:
        opened(folder, head, **({"schema": SMALL} if head == "small" else {}) | changes)
    text = str(found.value)
    assert "\n" not in text
    return text


def test_a_checked_network_answers_with_normalised_joint_paths(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL)
    session = opened(tmp_path, "small", schema=SMALL)
    rng = np.random.default_rng(1)
    seen = window(rng.gamma(2.0, 3.0, (200, 3)), np.array([120, 160, 200]), SMALL, start_s=0.0)
    paths = session.paths(seen.arrays, np.zeros((3, 7, SMALL.dimensions), dtype=np.float32))
    assert paths.shape == (3, 7, 4, 3)
    assert paths.dtype == np.float32
    np.testing.assert_allclose(paths[:, 0, 2], seen.arrays["recent"][:, :, -1])
    assert np.isfinite(to_demand(paths, seen.frame, SMALL)).all()


@pytest.mark.parametrize("schema", [REPLICA, NODE], ids=lambda schema: schema.head)
def test_the_two_heads_are_found_by_name(tmp_path: Path, schema: Schema) -> None:
    artifact(tmp_path, schema)
    assert opened(tmp_path, schema.head).schema == schema


def test_a_card_reads_as_it_was_written(tmp_path: Path) -> None:
    card = artifact(tmp_path, SMALL)
    assert read_card(tmp_path, "small") == Card.model_validate_json(written(card)) == card
    inputs, paths = golden(SMALL)
    np.testing.assert_array_equal(card.golden.paths.array(), paths)
    np.testing.assert_array_equal(card.golden.inputs["noise"].array(), inputs["noise"])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file: Invalid JSON"),
        ("[" * 5000, "the file: Invalid JSON"),
        ("{}", "name: Field required"),
        ('{"version": 2}', "version: Input should be 1"),
        ("x" * (2**21 + 1), "is larger than 2097152 bytes"),
    ],
    ids=["empty", "deep", "bare", "newer", "large"],
)
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, text: str, words: str) -> None:
    artifact(tmp_path, SMALL)
    (tmp_path / "small.json").write_text(text, encoding="utf-8")
    assert words in refusal(tmp_path)


def test_another_graph_than_the_cards_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL)
    (tmp_path / "small.onnx").write_bytes(persistence(SMALL, gain=0.31))
    assert "small.onnx: hashes to" in refusal(tmp_path)


def test_a_changed_schema_is_refused_even_where_the_card_hashes_it(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL)
    artifact(tmp_path / "swapped", SMALL, fields={**_fields(SMALL), "horizon": 5})
    assert "schema_sha256: the schema hashes to" in refusal(tmp_path / "swapped")
    order = Schema(SMALL.head, SMALL.horizon, SMALL.step_s, SMALL.indicators[::-1], SMALL.windows)
    artifact(tmp_path / "order", order)
    assert "schema: is not that of head small" in refusal(tmp_path / "order")


def test_a_schema_of_another_version_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, fields={**_fields(SMALL), "version": 99})
    assert "version is 99, this build reads version 1" in refusal(tmp_path)


def test_a_head_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL)
    with pytest.raises(Refused, match="is not that of head small"):
        opened(tmp_path, "small")


def test_bytes_that_are_no_graph_are_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, graph=b"\x00not a graph")
    assert "is no graph that can be run" in refusal(tmp_path)


def test_inputs_that_the_card_does_not_name_are_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, graph=persistence(SMALL, extra="context"))
    assert "inputs: the graph has context, noise, recent, the card noise, recent" in refusal(tmp_path)


def test_inputs_that_no_window_has_are_refused(tmp_path: Path) -> None:
    card = artifact(tmp_path, SMALL)
    odd = Golden(inputs=dict(replaced(card, gpu=Numbers.of(np.zeros((2, 1), np.float32)))), paths=card.golden.paths)
    artifact(tmp_path, SMALL, graph=persistence(SMALL, extra="gpu"), golden=odd)
    assert "inputs: gpu unknown" in refusal(tmp_path)


def test_an_output_of_another_name_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, graph=persistence(SMALL, output="mean"))
    assert "outputs: mean instead of paths" in refusal(tmp_path)


def test_a_graph_that_answers_otherwise_than_when_exported_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, graph=persistence(SMALL, gain=0.301))
    assert "golden: the answer is" in refusal(tmp_path)


def test_a_graph_that_answers_with_no_numbers_is_refused(tmp_path: Path) -> None:
    artifact(tmp_path, SMALL, graph=persistence(SMALL, gain=float("nan")))
    assert "golden: the graph's answer is not finite" in refusal(tmp_path)


def test_a_golden_pair_of_other_shapes_is_refused(tmp_path: Path) -> None:
    card = artifact(tmp_path, SMALL)
    short = Golden(inputs=card.golden.inputs, paths=Numbers.of(np.zeros((2, 3, 4, 2), np.float32)))
    artifact(tmp_path, SMALL, golden=short)
    assert "golden: paths have shape (2, 3, 4, 2) instead of (2, 3, 4, 3)" in refusal(tmp_path)
    torn = Golden(inputs=card.golden.inputs, paths=Numbers(shape=(2, 3, 4, 3), f4="AAAA"))
    artifact(tmp_path, SMALL, golden=torn)
    assert "golden: " in refusal(tmp_path)


def test_a_golden_input_that_the_graph_cannot_take_is_refused(tmp_path: Path) -> None:
    card = artifact(tmp_path, SMALL)
    wrong = Golden(
        inputs=dict(replaced(card, recent=Numbers.of(np.zeros((2, 9, 9), np.float32)))), paths=card.golden.paths
    )
    artifact(tmp_path, SMALL, golden=wrong)
    assert "the graph fails to run" in refusal(tmp_path)


def test_a_network_whose_data_has_no_licence_has_no_card() -> None:
    with pytest.raises(ValueError, match="licence"):
        Source(name="found somewhere", licence="", rows=1)


def _fields(schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical(schema))
    return found


def test_a_constant_graph_ignores_its_windows_and_is_still_a_graph() -> None:
    """The hand-written protobuf is read by the runtime, not by ourselves."""
    import onnxruntime

    raw = model(
        nodes=[node("Mul", ["noise", "two"], "paths")],
        constants=[constant("two", 2.0, 1)],
        inputs=[value("noise", ["b"])],
        outputs=[value("paths", ["b"])],
    )
    (found,) = onnxruntime.InferenceSession(raw).run(None, {"noise": np.ones(3, np.float32)})
    np.testing.assert_array_equal(found, [2.0, 2.0, 2.0])
