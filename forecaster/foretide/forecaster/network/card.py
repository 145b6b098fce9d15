"""The card of a trained network: what it may be fed, what it has seen, how well it did, and the hashes of its files.

An artifact is a folder with three files per head: `HEAD.json` (this card), `HEAD.onnx` (the graph that serves) and
`HEAD.safetensors` (the same weights, for further training). No file can run code when it is read.

What is NOT promised: who made it. The hashes find damage and mix-ups; whoever may write the folder may write them too.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foretide.forecaster.network.schema import BadSchema, Schema, canonical, digest, schema_from

LARGEST_CARD, LARGEST_FILE = 2**21, 2**24
"""Bytes of a card and of a graph; nothing larger is read."""
TOLERANCE = 1e-4
"""Largest difference between a graph's answer and the golden one, in normalised units."""
NOISE, PATHS = "noise", "paths"
"""Name of the input that is drawn, and of the output."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Array = NDArray[np.float32]


class Refused(ValueError):
    """An artifact that is not served: the file, what is wrong with it, and what to do, in one line."""

    def __init__(self, told: str) -> None:
        # What is refused may have put line ends into its own names.
        super().__init__(" ".join(told.split()))


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Data that a network has seen."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    licence: Annotated[str, Field(min_length=1, max_length=100)]
    rows: Annotated[int, Field(ge=0)]


class Numbers(_Part):
    """An array of float32: its shape, and its little-endian bytes in base64."""

    shape: Annotated[tuple[Annotated[int, Field(ge=0, le=10**6)], ...], Field(max_length=6)]
    f4: str

    @staticmethod
    def of(array: Array) -> "Numbers":
        raw = np.ascontiguousarray(array, dtype="<f4").tobytes()
        return Numbers(shape=tuple(array.shape), f4=b64encode(raw).decode("ascii"))

    def array(self) -> Array:
        """Raises ValueError where bytes and shape disagree."""
        return np.frombuffer(b64decode(self.f4, validate=True), dtype="<f4").reshape(self.shape).astype(np.float32)


class Golden(_Part):
    """Inputs by name, the noise among them, and the paths that the network made of them when it was exported."""

    inputs: dict[str, Numbers]
    paths: Numbers


class Card(_Part):
    """See the module. `fields` is the schema as parsed JSON, `typed_schema` the checked one."""

    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=100)]
    created: Annotated[str, Field(max_length=40)]
    fields: dict[str, Any]
    schema_sha256: Sha256
    config: dict[str, Any]
    """Size and switches of the network, for whoever trains it further; serving does not look at it."""
    parameters: Annotated[int, Field(ge=1)]
    data: Annotated[tuple[Source, ...], Field(min_length=1)]
    metrics: dict[str, float]
    onnx_sha256: Sha256
    safetensors_sha256: Sha256
    golden: Golden

    def typed_schema(self) -> Schema:
        """Raises Refused where the schema is none, or does not hash to what the card says."""
        try:
            schema = schema_from(self.fields)
        except BadSchema as error:
            raise Refused(f"{self.name}: {error}; export the network with this version") from error
        if digest(schema) != self.schema_sha256:
            raise Refused(f"{self.name}: schema_sha256: the schema hashes to {digest(schema)}; export it again")
        return schema


def card_of(  # noqa: PLR0913 (a card has many fields)
    *,
    name: str,
    created: str,
    schema: Schema,
    config: Mapping[str, Any],
    parameters: int,
    data: tuple[Source, ...],
    metrics: Mapping[str, float],
    onnx: bytes,
    safetensors: bytes,
    inputs: Mapping[str, Array],
    paths: Array,
) -> Card:
    """The card of a network's files; `inputs` (with the noise) and `paths` are the golden pair."""
    return Card(
        name=name,
        created=created,
        fields=json.loads(canonical(schema)),
        schema_sha256=digest(schema),
        config=dict(config),
        parameters=parameters,
        data=data,
        metrics=dict(metrics),
        onnx_sha256=sha256(onnx),
        safetensors_sha256=sha256(safetensors),
        golden=Golden(inputs={key: Numbers.of(array) for key, array in inputs.items()}, paths=Numbers.of(paths)),
    )


def written(card: Card) -> str:
    """The card as JSON, keys in declared order."""
    return card.model_dump_json(indent=1) + "\n"


def read_card(folder: Path, head: str) -> Card:
    """The card of a head. Raises Refused."""
    path = folder / f"{head}.json"
    try:
        return Card.model_validate_json(bounded(path, LARGEST_CARD))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refused(f"{path}: {field}: {first['msg']}; export the network again") from error


def read_checked(folder: Path, head: str, suffix: str, wanted: str) -> bytes:
    """The bytes of `HEAD.suffix`. Raises Refused where they do not hash to `wanted`."""
    path = folder / f"{head}.{suffix}"
    raw = bounded(path, LARGEST_FILE)
    if sha256(raw) != wanted:
        raise Refused(f"{path}: hashes to {sha256(raw)}, the card says {wanted}; copy card and files again")
    return raw


def bounded(path: Path, limit: int) -> bytes:
    """The file's bytes. Raises Refused where it cannot be read or is larger than `limit`."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); name a folder with a network") from error
    if len(raw) > limit:
        raise Refused(f"{path}: is larger than {limit} bytes; this is no network of ours")
    return raw


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
