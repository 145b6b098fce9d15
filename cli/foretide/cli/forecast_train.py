"""`foretide forecast train`: trains a head on a series file, or goes on from a network, and writes what is served.

Promised: a run that was stopped goes on where it stopped; a network that got worse on the rows held back is not
written. NOT promised: that it beats the ladder's simpler tiers. The operator finds that out by scoring it.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, writable
from foretide.cli.training import head_of, needs_training, settings_of, trained, workload_of

if TYPE_CHECKING:
    from foretide.forecaster.network.examples import Workload
    from foretide.forecaster.network.schema import Schema
    from foretide.forecaster.network.tune import Tuned

EXAMPLE = (
    "Example: foretide forecast train --series demand.csv --time at --columns requests,prompt_tokens,output_tokens "
    "--head replica --out network/"
)
SHIPPED = "shipped"
STATE = "state"


def add_to(group: typer.Typer) -> None:
    group.command("train", epilog=EXAMPLE)(train_command)


def train_command(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    series: Annotated[Path, typer.Option("--series", metavar="FILE", help="CSV, CSV.gz or Parquet, a row per time.")],
    time: Annotated[str, typer.Option("--time", metavar="COL", help="The column with times.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the network and the run's state.")],
    columns: Annotated[
        str, typer.Option("--columns", metavar="A,B,C", help="Requests, prompt and output tokens, each per second.")
    ] = "requests,prompt_tokens,output_tokens",
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
    schema = head_of(head)
    needs_training()
    workload = _workload(series, time, columns, time_unit, schema)
    settings = settings_of(steps=steps, batch=batch, rate=rate, seed=seed)
    _print(_shown(workload, schema, settings, _start(start), writable(out)), output)


def _start(start: str) -> Path | None:
    from foretide.forecaster.network import shipped

    if start == "scratch":
        return None
    return Path(str(shipped.__path__[0])) if start == SHIPPED else Path(start)


def _workload(path: Path, time: str, columns: str, unit: str, schema: "Schema") -> "Workload":
    """The file's one series on the head's grid. Raises BadInput."""
    from foretide.forecaster.evaluate.read import BadSeries, read_series
    from foretide.policies.flow import INDICATORS

    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    if len(names) != len(INDICATORS):
        raise BadInput(
            field="--columns", value=columns, fix="name three: requests, prompt and output tokens per second"
        )
    try:
        series = read_series(path, time=time, columns=names, unit=unit).series[0]
    except BadSeries as error:
        raise BadInput(field=error.field, value=error.value, fix=error.fix) from error
    return workload_of(path.name, series.values, step_s=series.step_s, start_s=series.start_s, schema=schema)


def _shown(workload: "Workload", schema: "Schema", settings: Any, start: Path | None, out: Path) -> "Tuned":
    """Trains under a bar where somebody watches, else with a line per check."""
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=settings.steps)

        def report(step: int, loss: float, score: float) -> None:
            progress.update(bar, completed=step, description=f"loss {loss:.3f}  score {score:.3f}")
            if not console.is_terminal:
                typer.echo(f"step {step} of {settings.steps}: loss {loss:.3f}, score {score:.3f}", err=True)

        return trained(workload, schema, settings, start=start, out=out, state=out / STATE, report=report)


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
