"""`foretide forecast show`: one forecast, of a model on the last rows of a series or as an operator journalled it.

Promised: in the terminal, and as SVG or PNG with `--plot`; with the score that the forecast carries, where it has one.
NOT promised: that a journal of another version can be read.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foretide.cli.forecast_evaluate import Columns, TimeUnit, read_file
from foretide.cli.problems import BadInput
from foretide.cli.style import duration

if TYPE_CHECKING:
    from foretide.policies.flow import Floats

EXAMPLE = (
    "Example: foretide forecast show --series requests.csv.gz --time minute --columns requests --horizon 30 "
    "--model pooled --plot fan.svg"
)
FAN = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
BEFORE = 4
"""Horizons of the past that are drawn."""
FORMATS = (".svg", ".png")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A forecast and what came before: `past` (P,), `paths` (K, H), and what is known of it."""

    title: str
    step_s: float
    past: "Floats"
    paths: "Floats"
    told: tuple[str, ...] = ()


def add_to(group: typer.Typer) -> None:
    group.command("show", epilog=EXAMPLE)(show_command)


def show_command(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    series: Annotated[
        Path | None, typer.Option("--series", metavar="FILE", help="CSV, CSV.gz or Parquet.", show_default=False)
    ] = None,
    time: Annotated[str, typer.Option("--time", metavar="COL", help="The column with times.", show_default=False)] = "",
    columns: Columns = "",
    group: Annotated[
        str, typer.Option("--group", metavar="COL=VALUE", help="One series of several.", show_default=False)
    ] = "",
    time_unit: TimeUnit = "",
    horizon: Annotated[int, typer.Option("--horizon", min=1, metavar="N", help="Rows ahead.")] = 30,
    context: Annotated[int, typer.Option("--context", min=2, metavar="N", help="Rows a model may look back.")] = 1440,
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="Who forecasts.")] = "pooled",
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="FILE", help="An operator's or a replay's decisions.", show_default=False),
    ] = None,
    at: Annotated[int, typer.Option("--at", metavar="N", help="Which decision of the journal; -1 is the last.")] = -1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed draws the same paths.")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it too: .svg or .png.", show_default=False)
    ] = None,
) -> None:
    """Show one forecast: its interval over the horizon, the peak that it expects, and where it comes from."""
    if (series is None) == (journal is None):
        raise BadInput(field="--series, --journal", value="", fix="name one of the two")
    if plot is not None and plot.suffix not in FORMATS:
        raise BadInput(field="--plot", value=plot, fix=f"name a file that ends in {' or '.join(FORMATS)}")
    if journal is not None:
        found = journalled(journal, at)
    else:
        assert series is not None
        found = forecast_of(
            series, (time, columns, group, time_unit), model=model, horizon=horizon, context=context, seed=seed
        )
    _print(found)
    if plot is not None:
        _write(plot, found)


def forecast_of(
    path: Path, named: tuple[str, str, str, str], *, model: str, horizon: int, context: int, seed: int
) -> Shown:
    """The model's forecast from the end of the series (first indicator). Raises BadInput."""
    import numpy as np

    from foretide.cli.forecast_evaluate import _entries

    time, columns, group, unit = named
    column, _, value = group.partition("=")
    names = [name.strip() for name in columns.split(",") if name.strip()]
    read = read_file(path, time=time, columns=names, group=column, unit=unit)
    series = next((each for each in read.series if not value or each.group == value), None)
    if series is None:
        there = ", ".join(each.group for each in read.series[:20])
        raise BadInput(field="--group", value=group, fix=f"no such series; there are {there}")
    (entry, *more) = _entries(model)
    if more:
        raise BadInput(field="--model", value=model, fix="name one model")
    rows = len(series.values)
    fitted = entry.opened().fit(series=series, rows=rows, horizon=horizon, context=context, seed=seed)
    origins = np.array([rows], dtype=np.int64)
    paths = fitted.paths(series=series, origins=origins, horizon=horizon, count=256, seed=seed)[0, :, :, 0]
    title = f"{series.group}, {series.columns[0]}: {entry.name}"
    return Shown(title, series.step_s, series.values[-BEFORE * horizon :, 0], paths, read.notes)


def journalled(path: Path, at: int) -> Shown:
    """The forecast of requests/s in a journal's decision. Raises BadInput."""
    from foretide.policies.journal import BadRecord, decode_evidence

    records = list(_records(path))
    try:
        evidence = decode_evidence(records[at])
    except IndexError as error:
        raise BadInput(field="--at", value=at, fix=f"{path} has {len(records)} decisions with evidence") from error
    except BadRecord as error:
        raise BadInput(field="--journal", value=path, fix=str(error)) from error
    from foretide.policies.flow import REQUESTS

    forecast = evidence.forecast
    if forecast is None:
        raise BadInput(field="--at", value=at, fix="this decision had no forecast; choose another")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in forecast.weights.items())
    told = [f"made by {shares}"]
    if forecast.score is not None:
        score = forecast.score
        told.append(f"CRPS {score.crps:.4g} over {score.origins} forecasts, last value's {score.crps_last_value:.4g}")
    if forecast.flagged:
        told.append(f"flagged: {forecast.flagged}")
    past = evidence.history.values[-BEFORE * forecast.paths.shape[1] :, REQUESTS]
    return Shown("requests/s", forecast.step, past, forecast.paths[:, :, REQUESTS], tuple(told))


def _records(path: Path) -> Iterator[dict[str, object]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(field="--journal", value=path, fix=f"{error.strerror}; name a file of decisions") from error
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # a line that was being written when the operator was stopped
        for found in (record, record.get("record") if isinstance(record, dict) else None):
            if isinstance(found, dict) and "evidence" in found:
                yield found


def _print(found: Shown) -> None:
    import numpy as np

    from foretide.cli.chart import chart

    quantiles = np.quantile(found.paths, FAN, axis=0)
    console = Console(highlight=False)
    past = found.past if len(found.past) else np.zeros(1)
    console.print(found.title)
    console.print(
        chart(
            past=past,
            expected=np.full(len(past), np.nan),
            ahead=quantiles[[1, 3, 5]].T,
            ahead_share=0.35,
            columns=min(100, console.width),
        )
    )
    peak = np.quantile(found.paths.max(axis=1), [0.5, 0.95])
    span = duration(found.step_s * found.paths.shape[1])
    console.print(f"next {span}: peak {peak[0]:.4g} expected, {peak[1]:.4g} at 95 %; shaded: 80 % of single steps")
    for line in found.told:
        console.print(line, markup=False)


def _write(path: Path, found: Shown) -> None:
    try:
        path.write_bytes(drawn(found, suffix=path.suffix))
    except OSError as error:
        raise BadInput(field="--plot", value=path, fix=f"{error.strerror}; name a file that can be written") from error


def drawn(found: Shown, *, suffix: str) -> bytes:
    """The fan as a figure, with the rows before it."""
    import numpy as np
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from foretide.cli.forecast_plots import draw_fan
    from foretide.cli.plots import RC, WIDTH
    from foretide.cli.style import DEMAND, OURS

    with rc_context(RC):
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.subplots()
        draw_fan(axes, np.quantile(found.paths, FAN, axis=0), None, OURS)
        axes.plot(np.arange(1 - len(found.past), 1), found.past, color=DEMAND.light)
        axes.set(
            title=found.title, xlabel=f"rows of {duration(found.step_s)}; 50, 80 and 95 % intervals", ylim=(0, None)
        )
        target = io.BytesIO()
        quiet = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(target, format=suffix[1:], dpi=160, facecolor="white", metadata=quiet)
    return target.getvalue()
