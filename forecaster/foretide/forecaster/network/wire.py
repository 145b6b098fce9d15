"""A batch of windows and its answer as bytes: a JSON header, then float32 numbers. Nothing in them can run code.

    b"FTW1" | length of the header, 4 bytes, little endian | header | arrays, in the header's order, little endian

What is NOT promised: compression, or reading by another version; `MAGIC` and the schema's hash guard that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foretide.forecaster.network.card import Array

MAGIC = b"FTW1"
LARGEST_HEADER = 2**16
LARGEST_BATCH, LARGEST_COUNT = 64, 1024
"""Workloads per message, and paths per workload."""
LARGEST_REQUEST = 2**22
"""Bytes; 64 windows are well below."""

Sizes = Annotated[tuple[Annotated[int, Field(ge=0, le=100_000)], ...], Field(min_length=1, max_length=4)]


class BadMessage(ValueError):
    """Bytes that are no message of this version, in one line."""


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


H = TypeVar("H", bound=_Header)


class _Question(_Header):
    schema_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    count: Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(min_length=1, max_length=LARGEST_BATCH)]
    arrays: Annotated[dict[str, Sizes], Field(min_length=1, max_length=32)]


class _Answer(_Header):
    arrays: dict[str, Sizes]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Windows of B workloads by input name, B seeds, paths per workload, and for which schema."""

    schema_sha256: str
    arrays: Mapping[str, Array]
    seeds: tuple[int, ...]
    count: int


def packed_question(question: Question) -> bytes:
    header = {"schema_sha256": question.schema_sha256, "count": question.count, "seeds": list(question.seeds)}
    return _packed(header, question.arrays)


def packed_answer(paths: Array) -> bytes:
    return _packed({}, {"paths": paths})


def read_question(raw: bytes) -> Question:
    """Raises BadMessage."""
    header, body = _split(raw, _Question)
    arrays = _arrays(header.arrays, body)
    if any(len(array) != len(header.seeds) for array in arrays.values()):
        raise BadMessage(f"arrays: each must have {len(header.seeds)} rows, one per seed")
    return Question(header.schema_sha256, arrays, header.seeds, header.count)


def read_answer(raw: bytes, *, shape: Sequence[int]) -> Array:
    """The paths, of the shape that was asked for. Raises BadMessage."""
    header, body = _split(raw, _Answer)
    paths = _arrays(header.arrays, body).get("paths")
    if paths is None or paths.shape != tuple(shape):
        raise BadMessage(f"paths: shape {paths.shape if paths is not None else None} instead of {tuple(shape)}")
    return paths


def largest_answer(shape: Sequence[int]) -> int:
    """Bytes that an answer of this shape may have."""
    return 4 * prod(shape) + LARGEST_HEADER


def _packed(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    told = {**header, "arrays": {name: list(array.shape) for name, array in arrays.items()}}
    text = json.dumps(told, separators=(",", ":")).encode()
    parts = [np.ascontiguousarray(array, dtype="<f4").data for array in arrays.values()]  # no copy of megabytes
    return b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *parts])


def _split(raw: bytes, kind: type[H]) -> tuple[H, memoryview]:
    start = len(MAGIC) + 4
    size = int.from_bytes(raw[len(MAGIC) : start], "little")
    if raw[: len(MAGIC)] != MAGIC or not 0 < size <= min(LARGEST_HEADER, len(raw) - start):
        raise BadMessage("message: has no header of this version; use one version on both sides")
    try:
        return kind.model_validate_json(raw[start : start + size]), memoryview(raw)[start + size :]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadMessage(f"header: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _arrays(sizes: Mapping[str, Sequence[int]], body: memoryview) -> dict[str, Array]:
    lengths = {name: prod(size) for name, size in sizes.items()}
    if 4 * sum(lengths.values()) != len(body):
        raise BadMessage(f"arrays: {len(body)} bytes follow the header, its shapes need {4 * sum(lengths.values())}")
    found, place = {}, 0
    for name, size in sizes.items():
        flat = np.frombuffer(body[place : place + 4 * lengths[name]], dtype="<f4")
        found[name] = flat.reshape(tuple(size)).astype(np.float32)
        place += 4 * lengths[name]
    return found
