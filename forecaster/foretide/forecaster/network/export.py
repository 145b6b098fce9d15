"""Writes what is served: weights as safetensors, the graph as ONNX, and the card that binds them.

Weights are rounded to 16 bits first: scores, golden pair, graph and hashes are of what ships, and training further
starts from it. The graph takes the arrays of `features.window` and `noise`, with any number of workloads and paths, and
gives `paths`. Weights and graph must agree within `card.TOLERANCE`, or nothing is written.

What is NOT promised: that every graph has every input. A network without resolutions has fewer; serving feeds what it
asks for.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foretide.forecaster.network.card import TOLERANCE, Source, card_of, written
from foretide.forecaster.network.features import Arrays, window
from foretide.forecaster.network.model import Network, config_from, fields_of
from foretide.forecaster.network.schema import Schema

GOLDEN_WORKLOADS, GOLDEN_PATHS = 2, 2
OPSET = 20


Judge = Callable[[Network], Mapping[str, float]]
"""What a network scores, by name."""


class Unequal(RuntimeError):
    """The exported graph does not compute what the weights do."""


class TooLarge(ValueError):
    """A weight has no number of 16 bits."""


def rounded(network: Network) -> Network:
    """A copy of the network on the CPU, its weights the nearest numbers of 16 bits. Raises TooLarge."""
    other = Network(network.schema, network.config)
    halves = {name: tensor.detach().cpu().half().float() for name, tensor in network.state_dict().items()}
    for name, tensor in halves.items():
        if not bool(torch.isfinite(tensor).all()):
            raise TooLarge(f"{name}: a weight is beyond 65504 or no number; train with a lower rate")
    other.load_state_dict(halves)
    return other.eval()


class _Exported(nn.Module):
    """The network with its inputs by position, in the order of `names`."""

    def __init__(self, network: Network, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *tensors: Tensor) -> Tensor:
        arrays = dict(zip(self.names, tensors[:-1], strict=True))
        paths: Tensor = self.network(arrays, tensors[-1])
        return paths


def inputs_of(network: Network) -> tuple[str, ...]:
    """Names of the arrays that this network looks at, in the graph's order; `noise` follows them."""
    windows = tuple(name for used in network.config.used for name in (used, f"{used}_known"))
    return (*windows, "context", "calendar", "events")


def write(network: Network, folder: Path, *, name: str, data: tuple[Source, ...], judge: Judge) -> Path:
    """Writes `HEAD.json`, `HEAD.onnx`, `HEAD.safetensors` into the folder and returns the card's path.

    `judge` is asked for the metrics of the rounded network. Raises TooLarge, and Unequal where the graph and the
    weights disagree on the golden windows; nothing is written then.
    """
    from safetensors.torch import save

    network = rounded(network)
    graph = graph_of(network)
    arrays, noise = _golden(network.schema, inputs_of(network))
    paths = answer(network, arrays, noise)
    worst = float(np.abs(run(graph, arrays, noise) - paths).max())
    if not worst <= TOLERANCE:
        raise Unequal(f"{name}: the exported graph is {worst:.2g} away from its weights; nothing was written")
    weights = save({key: tensor.half().contiguous() for key, tensor in network.state_dict().items()})
    card = card_of(
        name=name,
        created=datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        schema=network.schema,
        config=fields_of(network.config),
        parameters=sum(weight.numel() for weight in network.parameters()),
        data=data,
        metrics=judge(network),
        onnx=graph,
        safetensors=weights,
        inputs={**arrays, "noise": noise},
        paths=paths,
    )
    folder.mkdir(parents=True, exist_ok=True)
    head = network.schema.head
    (folder / f"{head}.onnx").write_bytes(graph)
    (folder / f"{head}.safetensors").write_bytes(weights)
    (folder / f"{head}.json").write_text(written(card))
    return folder / f"{head}.json"


def network_of(schema: Schema, config: Mapping[str, Any], weights: bytes) -> Network:
    """The network that was written, ready for further training. Raises TypeError or RuntimeError where they differ."""
    from safetensors.torch import load

    network = Network(schema, config_from(config))
    network.load_state_dict(load(weights))
    return network.eval()


def graph_of(network: Network) -> bytes:
    """The network as one ONNX file, its weights inside."""
    names = inputs_of(network)
    arrays, noise = _golden(network.schema, names)
    tensors = (*(torch.from_numpy(arrays[name]) for name in names), torch.from_numpy(noise))
    batch, paths = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("paths", min=1, max=4096)
    shapes = tuple([{0: batch}] * len(names) + [{0: batch, 1: paths}])
    with _quiet():
        program = torch.onnx.export(
            _Exported(network, names).eval(),
            tensors,
            dynamo=True,
            input_names=[*names, "noise"],
            output_names=["paths"],
            dynamic_shapes=(shapes,),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    _bare(program.model)
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


def _bare(model: Any) -> None:
    """Takes the exporter's notes out: a third of the file, among them the paths of whoever exported it."""
    for part in (model, model.graph, *model.graph):
        part.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings: of libraries that nothing here needs, of names of axes, of its own future."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def run(graph: bytes, arrays: Arrays, noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the graph answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    wanted = {item.name for item in session.get_inputs()}
    feeds = {name: array for name, array in {**arrays, "noise": noise}.items() if name in wanted}
    return np.asarray(session.run(["paths"], feeds)[0], dtype=np.float32)


def answer(network: Network, arrays: Arrays, noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the weights answer."""
    with torch.no_grad():
        paths = network({name: torch.from_numpy(array) for name, array in arrays.items()}, torch.from_numpy(noise))
    return np.asarray(paths.numpy(), dtype=np.float32)


def _golden(schema: Schema, names: tuple[str, ...]) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Windows of two made-up workloads, one of them young, and noise."""
    rng = np.random.default_rng(7)
    rows = schema.week + schema.horizon
    shape = 2.0 + np.sin(2 * np.pi * np.arange(rows) / schema.day)
    values = rng.gamma(4.0, shape[:, None] * np.arange(1, len(schema.indicators) + 1))
    seen = window(values, np.array([rows, rows]), schema, start_s=1.7e9, since=np.array([0, rows - 12]))
    noise = rng.standard_normal((GOLDEN_WORKLOADS, GOLDEN_PATHS, schema.dimensions)).astype(np.float32)
    return {name: seen.arrays[name] for name in names}, noise
