"""`foretide demo`: a compressed day of generated traffic, Foretide beside two HPAs, simulated, watched live.

Promised: the same seed gives the same figures, except for wall times. NOT promised: that Foretide wins. What is shown
is what came out, and the rival runs with the settings that its users would begin with.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foretide.cli.replay import cache_folder, into, writable

if TYPE_CHECKING:
    from foretide.cli.report import Story
    from foretide.cli.view import View
    from foretide.simulator.replay import Replay
    from foretide.simulator.run import Bench, PolicyRun
    from foretide.simulator.scenario import Scenario

POLICIES = ("foretide", "hpa", "hpa-concurrency")
DAY_S = 4 * 3600.0
DAYS_BEFORE = 2.0
"""Generated days whose demand is known beforehand, so that yesterday can teach something."""
LINES = 12
"""Lines of progress where there is no live view."""
LEAD = (
    "A day of generated chat traffic, compressed into {hours:g} hours: {requests:,} requests with the token lengths "
    "published for the Azure 2023 conversation trace, and arrivals of the form that ServeGen describes. All fleets got "
    "the same requests and the same cold starts. Foretide knew the demand of two generated days before. hpa scales on "
    "the engines' queue with its own defaults ({target:g} waiting requests per replica); hpa-concurrency on running "
    "requests, with a target from a load test of this very engine."
)


def register(app: typer.Typer) -> None:
    app.command("demo", epilog="Example: foretide demo --seed 7 --out foretide-demo")(demo)


def demo(
    *,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same figures.")] = 7,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = Path("foretide-demo"),
    live: Annotated[bool, typer.Option(help="Draw the run as it goes; without a terminal, lines.")] = True,
    speed: Annotated[
        float, typer.Option("--speed", min=0.0, help="Virtual seconds per real second at most; 0 = no limit.")
    ] = 0.0,
) -> None:
    """Watch Foretide scale a simulated fleet through a day of LLM traffic, beside two HPAs. No cluster, no GPU.

    Writes report.html, summary.json and decisions.jsonl to DIR.
    """
    folder = writable(out)
    console = Console()
    began = time.perf_counter()
    bench = prepared(seed=seed, console=console)
    runs = race(bench, view=_view(console, live=live, end=bench.duration_s), pace=paced(speed))
    found = found_of(bench, runs, seconds=time.perf_counter() - began)
    story = story_of(found, again=f"foretide demo --seed {seed}")
    with into(folder):
        _write(found, story, folder)
    _say(story, folder / "report.html", console)


def scenario() -> "Scenario":
    """The day: Llama-3.1-70B on 4 x H100 per replica, a warm-node cold start, TTFT 1 s and TPOT 50 ms at p99."""
    from foretide.policies.flow import LatencyTarget, Objective
    from foretide.simulator.fleet import StartTier
    from foretide.simulator.generate import WorkloadShape
    from foretide.simulator.profiles import Deployment, find_profile
    from foretide.simulator.scenario import Pace, Scenario

    return Scenario(
        name="generated-chat",
        source=WorkloadShape(mean_rps=27.0, day_s=DAY_S),
        deployment=Deployment(find_profile(model="Llama-3.1-70B", gpu="H100", tp=4)),
        objective=Objective(ttft=LatencyTarget(99.0, 1.0), tpot=LatencyTarget(99.0, 0.05)),
        cold_start=StartTier(median_s=80.0, sigma=0.3),
        min_replicas=2,
        max_replicas=24,
        gpus_per_replica=4,
        history_days=DAYS_BEFORE,
        pace=Pace(season_s=DAY_S),
    )


def prepared(*, seed: int, console: Console) -> "Bench":
    """Generates the days and measures what one replica can carry."""
    from foretide.simulator.bench import prepare

    with console.status("measuring what one replica can carry, on the simulated engine"):
        return prepare(scenario(), seed=seed, cache=cache_folder())


def race(bench: "Bench", *, view: "View", pace: Callable[[float], None]) -> "tuple[PolicyRun, ...]":
    """Runs POLICIES side by side in virtual time, one scrape interval after the other."""
    from foretide.cli.watch import Watched, frame_of
    from foretide.simulator.replay import autoscaler
    from foretide.simulator.run import Run

    watched = tuple(Watched(Run(bench, autoscaler(name, bench))) for name in POLICIES)
    with view as shown:
        for now in _moments(bench):
            for one in watched:
                one.run.advance(now)
                one.look()
            shown.show(now=now, frame=lambda: frame_of(watched, title="foretide demo (simulated)"))
            pace(now)
    return tuple(one.run.finish() for one in watched)


def _moments(bench: "Bench") -> Iterator[float]:
    step, now = bench.scenario.pace.scrape_s, 0.0
    while now < bench.duration_s:
        now = min(now + step, bench.duration_s)
        yield now


def _view(console: Console, *, live: bool, end: float) -> "View":
    from foretide.cli.view import LiveView, PlainView

    return LiveView(console) if live and console.is_terminal else PlainView(console, every_s=end / LINES)


def paced(speed: float) -> Callable[[float], None]:
    """Waits where virtual time would run ahead of `speed` times real time."""
    if not speed:
        return lambda _: None
    began = time.monotonic()
    return lambda now: time.sleep(max(0.0, began + now / speed - time.monotonic()))


def found_of(bench: "Bench", runs: "tuple[PolicyRun, ...]", *, seconds: float) -> "Replay":
    from foretide.simulator.replay import Replay
    from foretide.simulator.summary import figures

    summary = {
        "scenario": bench.scenario.name,
        "seed": bench.seed,
        "wall_seconds": seconds,
        "policies": [figures(run=run, bench=bench) for run in runs],
    }
    return Replay(bench, runs, summary)


def story_of(found: "Replay", *, again: str) -> "Story":
    from foretide.cli.report import Story
    from foretide.simulator.rivals import WAITING_TARGET

    lead = LEAD.format(hours=DAY_S / 3600, requests=len(found.bench.trace), target=WAITING_TARGET)
    return Story("Foretide demo", lead, found.bench, found.runs, found.summary, again)


def _write(found: "Replay", story: "Story", folder: Path) -> None:
    from foretide.cli.report import write_report
    from foretide.simulator.replay import write

    write(found, folder)
    write_report(path=folder / "report.html", story=story)


def _say(story: "Story", report: Path, console: Console) -> None:
    from rich.table import Table

    from foretide.cli.report import rows

    table = Table(box=None, pad_edge=False)
    table.add_column("simulated", no_wrap=True)
    for run in story.runs:
        table.add_column(run.policy, justify="right", no_wrap=True)
    for label, cells in rows(story):
        table.add_row(label, *cells)
    console.print(table, highlight=False)
    console.print(f"\nThe whole story: {report}", highlight=False, soft_wrap=True)
