"""`foretide forecast train`: trains a head on a series file, or goes on from a network, and writes what is served.

Promised: a run that was stopped goes on where it stopped; a network that got worse on the rows held back is not
written. NOT promised: that it beats the ladder's simpler tiers. The operator finds that out by scoring it.
"""

import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, writable
from foretide.policies.flow import INDICATORS

if TYPE_CHECKING:
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.schema import Schema
    from foretide.forecaster.network.tune import Tuned

EXAMPLE = (
    "Example: foretide forecast train --series demand.csv --time at --columns requests,prompt_tokens,output_tokens "
    "--head replica --out network/"
)
NEEDED = ("torch", "nflows", "safetensors", "onnx", "onnxscript")
SHIPPED = "shipped"
INSTALL = "install the extra: pip install 'foretide[train]'"


def add_to(group: typer.Typer) -> None:
    group.command("train", epilog=EXAMPLE)(train_command)


def train_command(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    series: Annotated[Path, typer.Option("--series", metavar="FILE", help="CSV, CSV.gz or Parquet, a row per time.")],
    time: Annotated[str, typer.Option("--time", metavar="COL", help="The column with times.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the network and the run's state.")],
    columns: Annotated[
        str, typer.Option("--columns", metavar="A,B,C", help="Requests, prompt and output tokens, each per second.")
    ] = ",".join(INDICATORS),
    time_unit: Annotated[
        str, typer.Option("--time-unit", metavar="UNIT", help="Of a numeric time: s, min, h, d.")
    ] = "",
    head: Annotated[
        str, typer.Option("--head", help="`replica` (30 min by 1 min), `node` (6 h by 10 min).")
    ] = "replica",
    start: Annotated[
        str, typer.Option("--from", metavar="shipped|scratch|DIR", help="The network to go on from.")
    ] = SHIPPED,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of training.")] = 400,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Windows per step.")] = 96,
    rate: Annotated[float, typer.Option("--rate", min=1e-7, max=1.0, help="Largest learning rate.")] = 5e-4,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the outcome is printed.")] = Format.TABLE,
) -> None:
    """Train a head of the demand network on your own history; run again with the same --out to go on.

    Writes HEAD.json (the card), HEAD.onnx and HEAD.safetensors to DIR if the network got better on the newest fifth.
    """
    schema = _head(head)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise BadInput(field="forecast train", value=f"{missing[0]} is missing", fix=INSTALL)
    workload = _workload(series, time, columns, time_unit, schema)
    from foretide.forecaster.network.train import Settings

    settings = Settings(steps=steps, batch=batch, rate=rate, seed=seed, check_every=max(1, steps // 10))
    _print(_tuned(workload, schema, settings, _start(start), writable(out)), output)


def _head(head: str) -> "Schema":
    from foretide.forecaster.network.schema import HEADS

    if head not in HEADS:
        raise BadInput(field="--head", value=head, fix=f"use one of {', '.join(HEADS)}")
    return HEADS[head]


def _start(start: str) -> Path | None:
    from foretide.forecaster.network import shipped

    if start == "scratch":
        return None
    return Path(str(shipped.__path__[0])) if start == SHIPPED else Path(start)


def _workload(path: Path, time: str, columns: str, unit: str, schema: "Schema") -> "Workload":
    """The file on the head's grid. Raises BadInput."""
    from foretide.forecaster.evaluate.read import BadSeries, read_series
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.features import regrid

    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    if len(names) != len(INDICATORS):
        raise BadInput(
            field="--columns", value=columns, fix="name three: requests, prompt and output tokens per second"
        )
    try:
        series = read_series(path, time=time, columns=names, unit=unit).series[0]
        values = regrid(series.values, series.step_s, schema.step_s)
    except BadSeries as error:
        raise BadInput(field=error.field, value=error.value, fix=error.fix) from error
    except ValueError as error:
        raise BadInput(field="--series", value=path, fix=f"{error}; use a step that divides it") from error
    start = series.start_s + (len(series.values) * series.step_s - len(values) * schema.step_s)
    return Workload(path.name, values, start)


def _tuned(workload: "Workload", schema: "Schema", settings: Any, start: Path | None, out: Path) -> "Tuned":
    from foretide.forecaster.network.card import Refused
    from foretide.forecaster.network.checkpoint import BadState
    from foretide.forecaster.network.tune import TooShort, tuned

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training", total=settings.steps)

        def report(step: int, loss: float, score: float) -> None:
            progress.update(bar, completed=step, description=f"loss {loss:.3f}  score {score:.3f}")

        try:
            return tuned(workload, schema, settings, start=start, out=out, report=report)
        except TooShort as error:
            raise BadInput(field="--series", value=workload.name, fix=str(error)) from error
        except BadState as error:
            raise BadInput(field="--out", value=out, fix=str(error)) from error
        except Refused as error:
            raise BadInput(field="--from", value=start, fix=str(error)) from error


def _print(outcome: "Tuned", output: Format) -> None:
    fields = {**asdict(outcome), "card": str(outcome.card) if outcome.card else None}
    if output is Format.JSON:
        typer.echo(json.dumps(fields, indent=1))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(fields, sort_keys=False).rstrip())
    else:
        change = f"score on the newest rows {outcome.before:.4f} -> {outcome.after:.4f} (smaller is better)"
        kept = f"written: {outcome.card}" if outcome.card else "no better than before: nothing was written"
        typer.echo(f"{outcome.windows} windows, best at step {outcome.step}: {change}\n{kept}")
