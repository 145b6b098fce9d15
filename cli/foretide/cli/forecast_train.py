"""`foretide forecast train`: trains a head on a series file, or goes on from a network, and writes what is served.

What is NOT promised: a better forecast. The card holds the choice score before and after on rows held back; the ladder
weighs the network by how its forecasts turn out.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from foretide.cli.problems import Problem
from foretide.forecaster.network.schema import HEADS, Schema
from foretide.policies.flow import INDICATORS, Floats

if TYPE_CHECKING:
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.model import Network

HELD_BACK = 0.2
"""Share of the rows, the newest, that pick the checkpoint and are not trained on."""
HELP = """Train a head of the demand network on your own history.

    foretide forecast train --series demand.csv --time at --columns requests,prompt_tokens,output_tokens \\
        --from shipped --head replica --out network/

The file (CSV, CSV.gz or Parquet) has one row per step, with seconds since 1970 or a timestamp in --time, and the three
indicators per second in --columns, in this order. --out then holds replica.json, replica.onnx and replica.safetensors;
run again with the same --out to go on where it stopped. Needs the extra `train` (torch, nflows)."""


def train(  # noqa: PLR0913 - a command line
    series: Annotated[Path, typer.Option(help="History to learn from: CSV, CSV.gz or Parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the network and the state of the run.")],
    time: Annotated[str, typer.Option(help="Column of the time.")] = "time",
    columns: Annotated[str, typer.Option(help="Requests, prompt and output tokens per second.")] = ",".join(INDICATORS),
    head: Annotated[str, typer.Option(help="replica (30 min) or node (6 h).")] = "replica",
    start_from: Annotated[str, typer.Option("--from", help="shipped, a folder, or nothing: from scratch.")] = "shipped",
    steps: Annotated[int, typer.Option(min=1, max=1_000_000)] = 600,
    batch: Annotated[int, typer.Option(min=1, max=65_536)] = 128,
    rate: Annotated[float, typer.Option(min=1e-6, max=0.1, help="Largest learning rate.")] = 5e-4,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    schema = _schema_of(head)
    _needs_torch()
    workload = _workload(series, time, columns, schema)
    _trained(workload, schema, out=out, start_from=start_from, steps=steps, batch=batch, rate=rate, seed=seed)


train.__doc__ = HELP
