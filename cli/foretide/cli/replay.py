"""`foretide replay`: a scenario against policies, simulated; figures on stdout, files in a folder, progress on stderr.

Promised: the same seed gives the same files, except for wall times. Bad input is one line and exit code 2.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from foretide.cli.problems import BadInput
from foretide.cli.style import percent

if TYPE_CHECKING:
    from foretide.simulator.replay import Replay

CACHE = Path("~/.cache/foretide")
UNWRITABLE = "name a folder that can be written"
EXAMPLE = (
    "Example: foretide replay docs/scenarios/azure2023-conv.yaml --policy static,hpa,foretide,oracle --out out/azure"
)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def register(app: typer.Typer) -> None:
    app.command("replay", epilog=EXAMPLE)(replay_command)


def replay_command(
    *,
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (YAML).", show_default=False)],
    policy: Annotated[
        list[str], typer.Option("--policy", metavar="A[,B...]", help="Policies to run.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same figures.")] = 0,
    train_until: Annotated[
        str | None,
        typer.Option("--train-until", metavar="T", help="Where the training part ends, in seconds or like 30m."),
    ] = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the summary is printed.")] = Format.TABLE,
) -> None:
    """Replay a scenario against autoscaling policies, simulated.

    Writes summary.json, decisions.jsonl and report.html to DIR.
    """
    names = [name.strip() for given in policy for name in given.split(",") if name.strip()]
    with in_one_line():
        found = _replayed(scenario, names, out=out, seed=seed, train_until=train_until)
    with into(out):
        write_page(found, out=out, again=_again(scenario, names, out, seed, train_until))
    print_summary(found.summary, output)


def _replayed(path: Path, names: list[str], *, out: Path, seed: int, train_until: str | None) -> "Replay":
    from foretide.simulator.replay import check_policies, replay
    from foretide.simulator.scenario import load_scenario

    check_policies(names)
    until = None if train_until is None else _moment(train_until)
    loaded = load_scenario(path)
    with progress() as told, into(out):
        return replay(
            loaded,
            policies=names,
            seed=seed,
            out=writable(out),
            train_until=until,
            cache=cache_folder(),
            progress=told,
        )


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turns what scenarios, traces and policies complain about into BadInput."""
    from foretide.simulator.answers import BadPolicy
    from foretide.simulator.replay import UnknownPolicy
    from foretide.simulator.requests import BadTrace
    from foretide.simulator.scenario import BadScenario

    try:
        yield
    except BadScenario as error:
        first, *others = error.problems
        also = f" (also wrong: {'; '.join(str(problem) for problem in others)})" if others else ""
        raise BadInput(field=first.field, value=first.value or None, fix=first.fix + also) from error
    except UnknownPolicy as error:
        raise BadInput(field="--policy", value=error.name, fix=error.fix) from error
    except BadPolicy as error:
        raise BadInput(field=error.field, value=error.value, fix=error.fix) from error
    except BadTrace as error:
        field, value, fix = (*str(error).split(": ", 2), "", "")[:3]
        raise BadInput(field=field, value=value, fix=fix) from error


def _moment(text: str) -> float:
    from foretide.simulator.written import moment

    try:
        return moment(text)
    except ValueError as error:
        raise BadInput(field="--train-until", value=text, fix=str(error)) from error


def writable(out: Path) -> Path:
    """The folder of `--out`, made if needed, before anything is computed for it. Raises BadInput."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            return out
    except OSError as error:
        raise BadInput(field="--out", value=out, fix=f"{error.strerror}; {UNWRITABLE}") from error


@contextmanager
def into(out: Path) -> Iterator[None]:
    """Turns what a disk refuses in the end, full or gone, into BadInput."""
    try:
        yield
    except OSError as error:
        raise BadInput(field="--out", value=out, fix=f"{error.strerror or error}; {UNWRITABLE}") from error


def cache_folder() -> Path | None:
    """Where measured capacities are kept; None where nothing can be written, which costs the time to measure them."""
    try:
        return writable(CACHE.expanduser())
    except (BadInput, RuntimeError):  # no home of that user
        return None


@contextmanager
def progress(*further: ProgressColumn) -> Iterator[Callable[[str, float], None]]:
    """A bar per name on stderr, made when it first says something; nothing where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *further)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def told(name: str, share: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=share)

        yield told


def write_page(found: "Replay", *, out: Path, again: str) -> None:
    """Writes report.html; `again` is the command that makes it once more."""
    from foretide.cli.report import write_report
    from foretide.cli.story import story_of

    story = story_of(scenario=found.bench.scenario, found=found, again=again)
    write_report(path=out / "report.html", story=story)


def _again(path: Path, names: list[str], out: Path, seed: int, train_until: str | None) -> str:
    until = f" --train-until {train_until}" if train_until else ""
    return f"foretide replay {path} --policy {','.join(names)} --seed {seed}{until} --out {out}"


def print_summary(summary: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(summary, indent=2))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(summary, sort_keys=False), nl=False)
    else:
        console = Console(highlight=False)
        console.print(table(summary))
        for row in summary["policies"]:
            if row.get("note"):
                console.print(f"{row['policy']}: {row['note']}", markup=False)


def table(summary: dict[str, Any]) -> Table:
    """GPU-hours, attainment and scale actions, one row per policy; fits into 80 columns."""
    took = f" in {summary['wall_seconds']:.0f} s" if "wall_seconds" in summary else ""
    shown = Table(title=f"{summary['scenario']}, seed {summary['seed']}, simulated{took}", box=None)
    shown.add_column("policy", no_wrap=True)
    for head in ("GPU-hours", "joint", "windows", "TTFT p99", "TPOT p99", "actions"):
        shown.add_column(head, justify="right", no_wrap=True)
    for row in summary["policies"]:
        shown.add_row(
            row["policy"],
            f"{row['gpu_hours']:.2f}",
            _share(row["attainment"]["joint"]),
            _share(row["window_attainment"]),
            _time(row["ttft_s"]["p99"]),
            _time(row["tpot_s"]["p99"]),
            str(row["scale_actions"]),
        )
    return shown


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:,.0f} s"
