"""The trained network of the concurrency tuner: an ONNX graph that is checked against its card before it is asked.

Checked: size and hash, the names of what it is shown and what its scores are of, one pair of an input and its scores.
The one that ships lies beside this file; `foretide tune-train` makes another.

What is NOT promised: the same bits on another processor; the pair is held within `TOLERANCE`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretide.policies.concurrency.network_agent import FEATURES, NOTCHES, Numbers

SHIPPED = Path(__file__).with_name("limit_network_data")
CARD, GRAPH = "card.json", "policy.onnx"
FORMAT = 1
LARGEST, LARGEST_CARD = 200_000, 200_000
"""Bytes."""
TOLERANCE = 1e-4
SHOWN, SCORES = "shown", "scores"
"""Names of the graph's input (1, features) and output (1, notches)."""


class BadNetwork(ValueError):
    """A network that may not be asked, in one line with its folder and the fix."""


@dataclass(frozen=True, slots=True)
class LimitNetwork:
    """A checked network; call it with the state of `network_agent`."""

    card: dict[str, Any]
    _asked: Callable[[Numbers], Numbers]

    def __call__(self, features: Numbers) -> Numbers:
        return self._asked(features)


def opened(folder: Path = SHIPPED) -> LimitNetwork:
    """The network of a folder. Raises BadNetwork."""
    card, graph = _card(folder), _bytes(folder / GRAPH, LARGEST)
    found = hashlib.sha256(graph).hexdigest()
    if card.get("sha256") != found:
        wanted = str(card.get("sha256"))[:12]
        raise BadNetwork(f"{folder}: {GRAPH} has hash {found[:12]}..., its card says {wanted}...; copy both again")
    for name, wanted_names in (("features", list(FEATURES)), ("notches", list(NOTCHES))):
        if card.get(name) != wanted_names:
            raise BadNetwork(f"{folder}: {CARD}: {name} are not those of this version; train it again")
    network = LimitNetwork(card, _session(folder, graph))
    _check_pair(folder, network)
    return network


def write(folder: Path, graph: bytes, *, pair: tuple[Numbers, Numbers], told: dict[str, Any]) -> Path:
    """A network with its card; makes the folder. Raises BadNetwork for a graph that is too large."""
    if len(graph) > LARGEST:
        raise BadNetwork(f"{folder}: {len(graph)} bytes: at most {LARGEST} may ship; use fewer units")
    folder.mkdir(parents=True, exist_ok=True)
    shown, scores = pair
    card = {
        "format": FORMAT,
        "sha256": hashlib.sha256(graph).hexdigest(),
        "bytes": len(graph),
        "features": list(FEATURES),
        "notches": list(NOTCHES),
        "pair": {"shown": [round(float(v), 6) for v in shown], "scores": [round(float(v), 6) for v in scores]},
        **told,
    }
    (folder / GRAPH).write_bytes(graph)
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return folder


def _card(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads(_bytes(folder / CARD, LARGEST_CARD))
    except ValueError as error:
        if isinstance(error, BadNetwork):
            raise
        raise BadNetwork(f"{folder}: {CARD} is no JSON; copy it again") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise BadNetwork(f"{folder}: {CARD}: not of format {FORMAT}; train it again")
    return card


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise BadNetwork(f"{path}: cannot be read ({error.strerror}); name a folder with {CARD} and {GRAPH}") from error
    if len(found) > most:
        raise BadNetwork(f"{path}: is larger than {most} bytes; name a network of `foretide tune-train`")
    return found


def _session(folder: Path, graph: bytes) -> Callable[[Numbers], Numbers]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has no common base for what it raises
        raise BadNetwork(f"{folder}: {GRAPH} is no graph that onnxruntime reads; train it again") from error

    def asked(features: Numbers) -> Numbers:
        (scores,) = session.run([SCORES], {SHOWN: np.asarray(features, dtype=np.float32)[None, :]})
        return np.asarray(scores[0])

    return asked


def _check_pair(folder: Path, network: LimitNetwork) -> None:
    """Raises BadNetwork where the graph does not say what it said when it was written."""
    try:
        shown, scores = (np.array(network.card["pair"][name], dtype=np.float32) for name in (SHOWN, SCORES))
        holds = np.allclose(network(shown), scores, atol=TOLERANCE, rtol=TOLERANCE)
    except Exception as error:  # of the runtime, or of a card that lacks the pair
        raise BadNetwork(f"{folder}: {CARD}: its pair cannot be asked; train it again") from error
    if not holds:
        raise BadNetwork(f"{folder}: {GRAPH} does not give the scores of its card; copy both again, or train it again")
