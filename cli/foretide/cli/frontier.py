"""`foretide frontier`: whole cost-promise curves of policies, simulated; a table on stdout, files in a folder.

Promised: the same seed gives the same files, except for wall times, on any number of processes. Bad input is one line
and exit code 2.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import TimeRemainingColumn
from rich.table import Table

from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, cache_folder, in_one_line, into, progress, writable

if TYPE_CHECKING:
    from foretide.simulator.frontier import Curve, Frontier
    from foretide.simulator.question import Question
    from foretide.simulator.spread import Workers

EXAMPLE = (
    "Example: foretide frontier docs/scenarios/azure2023-conv.yaml --policy static,hpa-concurrency,foretide "
    "--attainment 0.99,0.95 --out out/frontier --jobs 8"
)


def register(app: typer.Typer) -> None:
    app.command("frontier", epilog=EXAMPLE)(frontier_command)


def frontier_command(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file (YAML).", show_default=False)],
    policy: Annotated[
        list[str], typer.Option("--policy", metavar="A[,B...]", help="Policies to compare.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    attainment: Annotated[
        str, typer.Option("--attainment", metavar="A[,B...]", help="Joint attainments at which costs are matched.")
    ] = "0.99,0.95",
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="POLICY", help="What ratios are to; by default the first policy."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Runs of each setting, seed by seed.")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The first seed.")] = 0,
    budget: Annotated[int, typer.Option("--budget", metavar="N", help="Settings tried for each policy.")] = 8,
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A Dask scheduler of yours, like tcp://host:8786."),
    ] = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the result is printed.")] = Format.TABLE,
) -> None:
    """Compare what policies pay for the same promise: each one's knob tuned, its whole curve measured, simulated.

    Writes frontier.json, frontier.svg and frontier.png to DIR.
    """
    from foretide.simulator.question import Question
    from foretide.simulator.spread import Workers

    with in_one_line(), _spreading():
        question = Question(
            policies=tuple(name.strip() for given in policy for name in given.split(",") if name.strip()),
            attainments=_shares(attainment),
            seed=seed,
            seeds=seeds,
            budget=budget,
            reference=reference,
        )
        found = _found(scenario, question, workers=Workers(jobs, scheduler), out=out)
    told = as_json(found)
    with into(out):
        _write(found, told, out=out)
    _print(found, told, output)


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(part) for part in text.split(",") if part.strip()))
    except ValueError as error:
        fix = "give shares above 0 and below 1, like 0.99,0.95"
        raise BadInput(field="--attainment", value=text, fix=fix) from error


@contextmanager
def _spreading() -> Iterator[None]:
    """Turns what workers complain about into BadInput."""
    from foretide.simulator.spread import CannotSpread

    try:
        yield
    except CannotSpread as error:
        raise BadInput(field=error.option, value=error.value, fix=error.fix) from error


def _found(path: Path, question: "Question", *, workers: "Workers", out: Path) -> "Frontier":
    from foretide.simulator.frontier import frontier
    from foretide.simulator.scenario import load_scenario

    loaded = load_scenario(path)
    writable(out)
    with progress(TimeRemainingColumn()) as told:
        return frontier(loaded, question, workers=workers, cache=cache_folder(), progress=told)


def as_json(found: "Frontier") -> dict[str, Any]:
    """`frontier.json`: what was asked, and each policy's curve; null where an attainment is not reached."""
    question = found.question
    return {
        "scenario": found.scenario.name,
        "simulated": True,
        "attainments": list(question.attainments),
        "seeds": list(question.all_seeds),
        "budget": question.budget,
        "reference": question.compared_to,
        "tuned_on": found.training,
        "resampled": "seeds and blocks of time" if found.within else "seeds",
        "wall_seconds": found.wall_seconds,
        "policies": [_policy(found, curve) for curve in found.curves],
    }


def _policy(found: "Frontier", curve: "Curve") -> dict[str, Any]:
    levels = {str(level): level for level in found.question.attainments}
    named = next((one.knob.name for one in curve.settings if one.knob is not None), None)
    return {
        "policy": curve.policy,
        "knob": named,
        "points": [_point(curve, index) for index in range(len(curve.settings))],
        "matched": {key: curve.hours_at(level) for key, level in levels.items()},
        "exceeds": [key for key, level in levels.items() if curve.exceeds(level)],
        "tuned": {
            key: None if (index := curve.tuned(level)) is None else _point(curve, index)
            for key, level in levels.items()
        },
        "ratio": {key: _ratio(found, curve.policy, level) for key, level in levels.items()},
        "training": [{"knob": v, "gpu_hours": h, "joint": _known(j)} for v, (h, j) in sorted(curve.trained.items())],
    }


def _point(curve: "Curve", index: int) -> dict[str, Any]:
    hours, joint = float(curve.hours[index]), float(curve.joint[index])
    return {"knob": curve.settings[index].value, "gpu_hours": hours, "joint": _known(joint)}


def _known(joint: float) -> float | None:
    return None if math.isnan(joint) else joint


def _ratio(found: "Frontier", policy: str, level: float) -> dict[str, float | None] | None:
    ratio = found.ratio(policy, level)
    return None if ratio is None else {"value": ratio.value, "low": ratio.low, "high": ratio.high}


def _write(found: "Frontier", told: dict[str, Any], *, out: Path) -> None:
    from foretide.cli.curves import draw

    (out / "frontier.json").write_text(json.dumps(told, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    figure = draw(found)
    (out / "frontier.svg").write_text(figure.svg, encoding="utf-8")
    (out / "frontier.png").write_bytes(figure.png)


def _print(found: "Frontier", told: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(told, indent=2))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(told, sort_keys=False), nl=False)
    else:
        console = Console(highlight=False)
        console.print(table(told))
        for line in notes(found, told):
            console.print(line, markup=False)


def table(told: dict[str, Any]) -> Table:
    """GPU-hours at each attainment and their ratio to the reference, one row per policy; two levels fit 80 columns."""
    count = len(told["seeds"])
    seeds = f"{count} seed{'s' if count > 1 else ''}"
    shown = Table(title=f"{told['scenario']}, {seeds}, simulated in {told['wall_seconds']:.0f} s", box=None)
    shown.add_column("policy", no_wrap=True)
    keys = [str(level) for level in told["attainments"]]
    for key in keys:
        shown.add_column(f"GPU-h @{key}", justify="right", no_wrap=True)
        shown.add_column("ratio", justify="right", no_wrap=True)
    for row in told["policies"]:
        cells = [text for key in keys for text in (_hours(row, key), _compared(row["ratio"][key]))]
        shown.add_row(row["policy"], *cells)
    return shown


def _hours(row: dict[str, Any], key: str) -> str:
    hours = row["matched"][key]
    return "-" if hours is None else f"{'≤' if key in row['exceeds'] else ''}{hours:.2f}"


def _compared(ratio: dict[str, float | None] | None) -> str:
    if ratio is None:
        return "-"
    interval = "" if ratio["low"] is None else f" ({ratio['low']:.2f}-{ratio['high']:.2f})"
    return f"{ratio['value']:.2f}{interval}"


def notes(found: "Frontier", told: dict[str, Any]) -> list[str]:
    """What a reader of the table must know."""
    lines = [
        f"Knobs were tuned on {told['tuned_on']}.",
        f"ratio: hours over those of {told['reference']}; 95 % interval by a paired bootstrap of {told['resampled']}.",
    ]
    if any(row["exceeds"] for row in told["policies"]):
        lines.append("≤: the cheapest setting does better than this already; the hours are its own.")
    if any(hours is None for row in told["policies"] for hours in row["matched"].values()):
        lines.append("-: no setting reaches this attainment.")
    if found.question.seeds < 5:
        lines.append("Fewer than 5 seeds: good for a look, not for figures that are shown.")
    return lines
