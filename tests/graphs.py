"""Small ONNX graphs written by hand, and whole artifacts around them: what is served without what trains it.

The bytes follow the protobuf of ONNX (onnx/onnx.proto, IR version 8, operator set 13); only what these graphs need.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from foretide.forecaster.network.card import Card, Source, card_of, written
from foretide.forecaster.network.features import window
from foretide.forecaster.network.schema import Schema

FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        low, value = value & 0x7F, value >> 7
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def constant(name: str, values: Any, kind: int) -> bytes:
    array = np.asarray(values, dtype="<f4" if kind == FLOAT else "<i8")
    dims = b"".join(_number(1, size) for size in array.shape)
    return dims + _number(2, kind) + _bytes(8, name) + _bytes(9, array.tobytes())


def node(kind: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, kind)


def value(name: str, sizes: list[str | int]) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, size) if isinstance(size, str) else _number(1, size)) for size in sizes)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, dims)))


def model(*, nodes: list[bytes], constants: list[bytes], inputs: list[bytes], outputs: list[bytes]) -> bytes:
    parts = [(1, nodes), (5, constants), (11, inputs), (12, outputs)]
    graph = b"".join(_bytes(field, part) for field, found in parts for part in found) + _bytes(2, "by-hand")
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))


def persistence(schema: Schema, *, gain: float = 0.3, output: str = "paths", extra: str = "") -> bytes:
    """paths = newest row of each indicator + gain * noise, both normalised: (B, K, H, N)."""
    names, looks = len(schema.indicators), schema.windows
    last = ["recent", "from", "to", "axis"]
    inputs = [
        value("recent", ["b", names, looks.recent]),
        value("noise", ["b", "k", schema.dimensions]),
        *([value(extra, ["b", 1])] if extra else []),
    ]
    return model(
        nodes=[
            node("Slice", last, "last"),
            node("Reshape", ["last", "one_step"], "level"),
            node("Reshape", ["noise", "steps"], "shaped"),
            node("Mul", ["shaped", "gain"], "moved"),
            node("Add", ["level", "moved"], output),
        ],
        constants=[
            constant("from", [looks.recent - 1], INT64),
            constant("to", [looks.recent], INT64),
            constant("axis", [2], INT64),
            constant("one_step", [-1, 1, 1, names], INT64),
            constant("steps", [0, 0, schema.horizon, names], INT64),
            constant("gain", gain, FLOAT),
        ],
        inputs=inputs,
        outputs=[value(output, ["b", "k", schema.horizon, names])],
    )


def golden(schema: Schema, *, gain: float = 0.3) -> tuple[dict[str, Any], Any]:
    """Inputs and paths of `persistence` on a made-up day."""
    rng = np.random.default_rng(4)
    values = rng.gamma(3.0, 2.0, (400, len(schema.indicators)))
    arrays = window(values, np.array([300, 400]), schema, start_s=0.0).arrays
    noise = rng.standard_normal((2, 3, schema.dimensions)).astype(np.float32)
    shaped = noise.reshape(2, 3, schema.horizon, -1)
    paths = arrays["recent"][:, None, None, :, -1] + np.float32(gain) * shaped
    return {"recent": arrays["recent"], "noise": noise}, paths


def artifact(folder: Path, schema: Schema, *, graph: bytes | None = None, gain: float = 0.3, **changes: Any) -> Card:
    """Writes a whole artifact; `changes` replace fields of its card afterwards."""
    graph = persistence(schema, gain=gain) if graph is None else graph
    inputs, paths = golden(schema, gain=gain)
    card = card_of(
        name="by-hand",
        created="2026-11-26T00:00:00Z",
        schema=schema,
        config={"family": "by-hand"},
        parameters=1,
        data=(Source(name="generated", licence="Apache-2.0", rows=400),),
        metrics={"crps": 1.0},
        onnx=graph,
        safetensors=b"none",
        inputs=inputs,
        paths=paths,
    ).model_copy(update=changes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{schema.head}.onnx").write_bytes(graph)
    (folder / f"{schema.head}.safetensors").write_bytes(b"none")
    (folder / f"{schema.head}.json").write_text(written(card), encoding="utf-8")
    return card


def replaced(card: Card, **inputs: Any) -> Mapping[str, Any]:
    """The card's golden inputs with some replaced or, where None, left out."""
    merged = {**card.golden.inputs, **inputs}
    return {name: numbers for name, numbers in merged.items() if numbers is not None}
