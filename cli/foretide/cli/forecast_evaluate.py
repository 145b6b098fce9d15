"""`foretide forecast evaluate`: every forecaster on a series of yours; a table on stdout, files in a folder.

Promised: a comparison that was stopped goes on where it stopped, under the same terms; bad input is one line and exit
code 2; what was mended in the file is said. NOT promised: that a model that is not installed is compared; it is named.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, writable

if TYPE_CHECKING:
    from foretide.forecaster.evaluate.baselines.catalogue import Entry
    from foretide.forecaster.evaluate.model import Series
    from foretide.forecaster.evaluate.protocol import Protocol
    from foretide.forecaster.evaluate.read import Read

EXAMPLE = (
    "Example: foretide forecast evaluate --series requests.csv.gz --time minute --columns requests --horizon 30 "
    "--models simple,ets,pooled --out out/forecast"
)

SeriesFile = Annotated[
    Path, typer.Option("--series", metavar="FILE", help="CSV, CSV.gz or Parquet, a row per time.", show_default=False)
]
Time = Annotated[str, typer.Option("--time", metavar="COL", help="The column with times.", show_default=False)]
Columns = Annotated[
    str, typer.Option("--columns", metavar="A[,B...]", help="Indicators, forecast jointly.", show_default=False)
]
Group = Annotated[
    str, typer.Option("--group", metavar="COL", help="A series for each value of this.", show_default=False)
]
TimeUnit = Annotated[
    str, typer.Option("--time-unit", metavar="UNIT", help="Of a numeric time: s, min, h or d.", show_default=False)
]


class Terms(StrEnum):
    ROLLING = "rolling"
    HARMONY = "harmony"


class Scored(StrEnum):
    VALIDATION = "validation"
    TEST = "test"


class Unit(StrEnum):
    AUTO = "auto"
    UNIT = "unit"
    MEAN = "mean"
    MINMAX = "minmax"


def add_to(group: typer.Typer) -> None:
    group.command("evaluate", epilog=EXAMPLE)(evaluate_command)


def evaluate_command(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    series: SeriesFile,
    time: Time,
    columns: Columns,
    horizon: Annotated[int, typer.Option("--horizon", min=1, metavar="N", help="Rows ahead.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    models: Annotated[
        str,
        typer.Option("--models", metavar="all|A,B", help="Names, `simple`, `all`, `everything`, `module:attribute`."),
    ] = "all",
    group: Group = "",
    context: Annotated[int, typer.Option("--context", min=2, metavar="N", help="Rows a model may look back.")] = 1440,
    time_unit: TimeUnit = "",
    protocol: Annotated[
        Terms, typer.Option("--protocol", help="`harmony`: that paper's split, scale, context and horizon.")
    ] = Terms.ROLLING,
    part: Annotated[
        Scored, typer.Option("--part", help="Choose settings on `validation`; look at `test` once.")
    ] = Scored.TEST,
    every: Annotated[
        int, typer.Option("--every", min=0, metavar="N", help="Rows between origins; 0: 500 to 750 origins.")
    ] = 0,
    history: Annotated[
        int, typer.Option("--history", min=0, metavar="N", help="Show models only N rows, as of a young workload.")
    ] = 0,
    fits: Annotated[
        int, typer.Option("--fits", min=1, metavar="N", help="Fits of a model that learns, on the way.")
    ] = 1,
    seeds: Annotated[int, typer.Option("--seeds", min=1, metavar="N", help="Runs of a model that learns.")] = 1,
    paths: Annotated[int, typer.Option("--paths", min=8, metavar="N", help="Joint paths of a forecast.")] = 256,
    scale: Annotated[
        Unit, typer.Option("--scale", help="Unit of CRPS; auto: the file's for one column, else shares of means.")
    ] = Unit.AUTO,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw figures beside summary.json.")] = True,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the summary is printed.")] = Format.TABLE,
) -> None:
    """Compare forecasters on a series: rolling origins, nothing from the future, against simple rules.

    Writes summary.json and figures to DIR; DIR/cells lets a stopped comparison go on.
    """
    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    read = read_file(series, time=time, columns=names, group=group, unit=time_unit)
    terms = _terms(
        protocol, context=context, horizon=horizon, part=part, every=every, fits=fits, seeds=seeds, paths=paths
    )
    terms = _in_unit(terms, scale, len(names))
    found = _Comparison(series=series, read=read, terms=terms, history=history, out=writable(out))
    found.run(_entries(models), explicit=not {"all", "everything"} & set(models.split(",")))
    found.write(plots=plots)
    _print(found.summary, output)


def read_file(path: Path, **options: Any) -> "Read":
    """The series of a file. Raises BadInput."""
    from foretide.forecaster.evaluate.read import BadSeries, read_series

    try:
        return read_series(path, **options)
    except BadSeries as error:
        raise BadInput(field=error.field, value=error.value, fix=error.fix) from error


def _terms(kind: Terms, *, part: Scored, **options: Any) -> "Protocol":
    from foretide.forecaster.evaluate.protocol import Part, Protocol, harmony

    terms = Protocol(part=Part(part.value), **options)
    return harmony(terms) if kind is Terms.HARMONY else terms


def _in_unit(terms: "Protocol", unit: Unit, columns: int) -> "Protocol":
    from dataclasses import replace

    from foretide.forecaster.evaluate.protocol import Scale

    if terms.name == "harmony" and unit is Unit.AUTO:
        return terms
    chosen = {Unit.AUTO: Scale.UNIT if columns == 1 else Scale.MEAN}
    return replace(terms, scale=chosen.get(unit) or Scale(unit.value))


def _entries(models: str) -> "list[Entry]":
    from foretide.forecaster.evaluate.baselines.catalogue import NoSuchModel, chosen

    try:
        return chosen(models)
    except NoSuchModel as error:
        raise BadInput(field="--models", value=models, fix=str(error)) from error


@dataclass(slots=True)
class _Comparison:
    """What is compared, and what has come out so far."""

    series: Path
    read: "Read"
    terms: "Protocol"
    history: int
    out: Path
    cells: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, entries: "list[Entry]", *, explicit: bool) -> None:
        """Every model on every series, or its cell of an earlier run. Raises BadInput."""
        from foretide.forecaster.evaluate.baselines.missing import NotInstalled
        from foretide.forecaster.evaluate.run import LooksAhead

        self.notes += self.read.notes
        for note in self.read.notes:
            typer.echo(f"note: {note}", err=True)
        with _progress(len(entries) * len(self.read.series)) as told:
            for entry in entries:
                try:
                    for series in self.read.series:
                        told(f"{entry.name} on {series.group}")
                        self.cells.append(self._cell(entry, series))
                except NotInstalled as error:
                    if explicit:
                        raise BadInput(field="--models", value=entry.name, fix=str(error)) from error
                    self.notes.append(f"left out: {error}")
                except LooksAhead as error:
                    raise BadInput(field="--models", value=entry.name, fix=f"looks ahead: {error}") from error
        if not self.cells:
            raise BadInput(field="--models", value="", fix="; ".join(self.notes))

    def _cell(self, entry: "Entry", series: "Series") -> dict[str, Any]:
        from foretide.forecaster.evaluate.cells import Cells, terms_of
        from foretide.forecaster.evaluate.run import compared
        from foretide.forecaster.evaluate.young import hidden

        written = self.series.stat()
        file = {"file": self.series.name, "bytes": written.st_size, "changed": written.st_mtime}
        terms = terms_of(self.terms, columns=series.columns, history=self.history, **file)
        cells = Cells(self.out / "cells", terms)
        known = cells.read(group=series.group, model=entry.name)
        if known is not None:
            return known
        try:
            made = compared(series=series, entry=hidden(entry, self.history), protocol=self.terms)
        except ValueError as error:
            raise BadInput(field="--series", value=f"{series.group}, {entry.name}", fix=str(error)) from error
        cells.write(made)
        return made

    @property
    def summary(self) -> dict[str, Any]:
        from dataclasses import asdict

        from foretide.forecaster.evaluate.summary import summary

        return summary(self.cells) | {
            "protocol": asdict(self.terms) | {"history": self.history, "file": self.series.name},
            "notes": self.notes,
        }

    def write(self, *, plots: bool) -> None:
        path = self.out / "summary.json"
        path.write_text(json.dumps(self.summary, indent=2) + "\n", encoding="utf-8")
        if plots:
            from foretide.cli.forecast_plots import draw_all

            draw_all(self.cells, out=self.out)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """One bar over all cells on stderr; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as bars:
        task, done = bars.add_task("", total=total), [-1]

        def told(what: str) -> None:
            done[0] += 1
            bars.update(task, description=what, completed=done[0])

        yield told


def _print(summary: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(summary, indent=2))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(summary, sort_keys=False), nl=False)
    else:
        console = Console(highlight=False)
        for series in summary["series"]:
            console.print(table(series))
        for note in summary["notes"]:
            console.print(note, markup=False)


def table(series: dict[str, Any]) -> Table:
    """Models of one series, the smallest CRPS first; fits into 100 columns."""
    shown = Table(title=f"{series['group']}: {series['models'][0]['origins']} origins", box=None)
    shown.add_column("model", no_wrap=True)
    for head in ("CRPS", "wQL", "MASE", "80 %", "95 %", "peak > q95", "cost 19:1", "ms"):
        shown.add_column(head, justify="right", no_wrap=True)
    for row in sorted(series["models"], key=lambda row: (row["crps"] is None, row["crps"])):
        shown.add_row(
            row["model"],
            *(_number(row[name], "{:.4g}") for name in ("crps", "wql", "mase")),
            *(_number(row[name], "{:.1%}") for name in ("coverage80", "coverage95", "peak_q95_exceeded")),
            _number(row["decision_cost"], "{:.4g}"),
            _number(row["predict_ms"], "{:.1f}"),
        )
    return shown


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
