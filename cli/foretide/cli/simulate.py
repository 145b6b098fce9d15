"""`foretide simulate`: a request trace on replicas of one deployment; what every request would have waited, simulated.

Promised: the rows come out in the order of the trace, and the summary names the speed factor that was used. NOT
promised: that the factor 1 is your engine. Real ones are a tenth slower in the median; measure some requests and use
`--calibrate`.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from foretide.cli.layout import Laid, Layout
from foretide.cli.problems import BadInput
from foretide.cli.profile import Profiles, deployed, known_profile
from foretide.cli.replay import Format, in_one_line, into, writable

if TYPE_CHECKING:
    from foretide.simulator.fleet import RequestOutcome
    from foretide.simulator.profiles import Deployment
    from foretide.simulator.requests import RequestTrace

EXAMPLE = (
    "Example: foretide simulate --model Llama-3.1-8B --gpu H100 --tp 1 --requests trace.csv"
    " --calibrate measured.csv --calibrate-first 60 --out out/simulated"
)
TIMES = ("ttft_s", "tpot_s", "e2e_s")
MOST_REPLICAS = 1000
FIGURES = ("mean", "p50", "p90", "p99")


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times slower than the profile, and how that is known."""

    factor: float
    source: str


def register(app: typer.Typer) -> None:
    app.command("simulate", epilog=EXAMPLE)(simulate_command)


def simulate_command(  # noqa: PLR0913 (one for each option)
    *,
    model: Annotated[str, typer.Option("--model", metavar="M", help="A model with a profile.", show_default=False)],
    gpu: Annotated[str, typer.Option("--gpu", metavar="G", help="The kind of GPU.", show_default=False)],
    requests: Annotated[Path, typer.Option("--requests", metavar="FILE", help="A request trace.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    tp: Annotated[int, typer.Option("--tp", min=1, help="GPUs per replica (tensor parallelism).")] = 1,
    replicas: Annotated[
        int | None,
        typer.Option("--replicas", min=1, max=MOST_REPLICAS, help="Replicas behind one door.", show_default="1"),
    ] = None,
    routing: Annotated[
        str | None,
        typer.Option(
            "--routing",
            metavar="NAME",
            help="round-robin, least-outstanding, queue-and-kv or prefix-aware.",
            show_default="least-outstanding",
        ),
    ] = None,
    layout: Annotated[
        Layout, typer.Option("--layout", help="Prompts and generation together, in two pools, or in shares of a GPU.")
    ] = Layout.AGGREGATED,
    prefill_replicas: Annotated[
        int | None,
        typer.Option(
            "--prefill-replicas", metavar="P", min=1, max=MOST_REPLICAS, help="Disaggregated.", show_default="1"
        ),
    ] = None,
    decode_replicas: Annotated[
        int | None,
        typer.Option(
            "--decode-replicas", metavar="D", min=1, max=MOST_REPLICAS, help="Disaggregated.", show_default="1"
        ),
    ] = None,
    link_gbps: Annotated[
        float | None, typer.Option("--link-gbps", help="Into each decode replica, gigabits/s.", show_default="200")
    ] = None,
    kv_bytes: Annotated[
        int | None, typer.Option("--kv-bytes", min=1, help="Of a token in the cache.", show_default="the model's")
    ] = None,
    prefill_share: Annotated[
        float | None, typer.Option("--prefill-share", help="Of a partitioned GPU.", show_default="0.5")
    ] = None,
    decode_knee: Annotated[
        float | None, typer.Option("--decode-knee", help="Share at which decoding is full speed.", show_default="0.5")
    ] = None,
    prefix_cache: Annotated[
        bool, typer.Option("--prefix-cache", help="Reuse prefixes; needs hash ids in the trace.")
    ] = False,
    max_num_seqs: Annotated[int, typer.Option("--max-num-seqs", min=1, help="Requests in one batch.")] = 256,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Tokens per step (max_num_batched_tokens).")] = 2048,
    kv_tokens: Annotated[
        int | None, typer.Option("--kv-tokens", min=1, help="The engine's KV capacity.", show_default="the profile's")
    ] = None,
    speed_factor: Annotated[
        float | None, typer.Option("--speed-factor", help="Times slower than the profile.", show_default="1")
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option("--calibrate", metavar="FILE", help="Measured request times to fit that factor to.")
    ] = None,
    calibrate_first: Annotated[
        int | None, typer.Option("--calibrate-first", metavar="K", min=1, help="Fit to the first K of them only.")
    ] = None,
    profiles: Profiles = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the summary is printed.")] = Format.TABLE,
) -> None:
    """Simulate a request trace on replicas of one deployment.

    Writes requests.parquet and summary.json to DIR.
    """
    _check_speed(speed_factor, calibrate, calibrate_first)
    _check_routing(routing)
    laid = Laid(
        layout, replicas, routing, prefill_replicas, decode_replicas, link_gbps, kv_bytes, prefill_share, decode_knee
    )
    laid.check(prefix_cache=prefix_cache, calibrate=calibrate)
    profile = known_profile(model, gpu, tp, profiles)
    deployment = deployed(
        profile, max_num_seqs=max_num_seqs, chunk=chunk, kv_tokens=kv_tokens, prefix_cache=prefix_cache
    )
    with in_one_line():
        trace, names = _trace(requests)
        writable(out)
        if prefix_cache and trace.blocks is None:
            raise BadInput(field="--prefix-cache", value=requests.name, fix="needs hash_ids of prompts in this file")
        speed = _speed(deployment, speed_factor, calibrate, first=calibrate_first, replicas=replicas or 1)
        deployment = replace(deployment, speed_factor=speed.factor)
        begun = time.perf_counter()
        with _fits():
            found = laid.serve(deployment, trace)
        took = time.perf_counter() - begun
    summary = _summary(found, deployment, laid=laid, speed=speed, wall_seconds=took)
    _write(out, trace, names, found, summary)
    _print(summary, output, shown=laid.shown())


def _check_speed(speed_factor: float | None, calibrate: Path | None, first: int | None) -> None:
    if speed_factor is not None and calibrate is not None:
        raise BadInput(field="--speed-factor", value=speed_factor, fix="give it, or --calibrate, not both")
    if speed_factor is not None and not 0 < speed_factor < float("inf"):
        raise BadInput(field="--speed-factor", value=speed_factor, fix="give a finite number above 0")
    if first is not None and calibrate is None:
        raise BadInput(field="--calibrate-first", value=first, fix="needs --calibrate with a file of measured times")


def _check_routing(name: str | None) -> None:
    from foretide.simulator.routing import NAMES

    if name is not None and name not in NAMES:
        raise BadInput(field="--routing", value=name, fix=f"give one of {', '.join(NAMES)}")


def _trace(path: Path) -> tuple["RequestTrace", list[Any]]:
    """The requests and what they are called: the file's `request_id` where it has one, else their row from 0 on."""
    from foretide.simulator.requests import read_requests, read_table

    trace = read_requests(path)
    names: list[Any] = list(range(len(trace)))
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
        table = read_table(path)
        names = table["request_id"].tolist() if "request_id" in table.columns else names
    return trace, names


def _speed(
    deployment: "Deployment", given: float | None, measured: Path | None, *, first: int | None, replicas: int
) -> Speed:
    from foretide.simulator.calibrate import fit_speed_factor, read_measured

    if measured is None:
        return Speed(1.0 if given is None else given, "the profile's own" if given is None else "given")
    run = read_measured(measured)
    count = len(run.trace) if first is None else first
    if count > len(run.trace):
        raise BadInput(field="--calibrate-first", value=count, fix=f"{measured.name} has {len(run.trace)} requests")
    with _fits():
        factor = fit_speed_factor(deployment=deployment, measured=run, first=count, replicas=replicas)
    return Speed(factor, f"fitted to the TPOT of the first {count} requests of {measured.name}")


@contextmanager
def _fits() -> Iterator[None]:
    """Turns the simulator's refusal of a request that is longer than the KV cache into BadInput."""
    from foretide.simulator.requests import BadTrace

    try:
        yield
    except BadTrace:
        raise
    except ValueError as error:
        _, room, fix = (*str(error).split(": ", 2), "", "")[:3]
        raise BadInput(field="--kv-tokens", value=room, fix=fix) from error


def _summary(
    found: "RequestOutcome", deployment: "Deployment", *, laid: Laid, speed: Speed, wall_seconds: float
) -> dict[str, Any]:
    from foretide.simulator.score import percentiles

    profile = deployment.profile
    summary: dict[str, Any] = {
        "simulated": True,
        "model": profile.model,
        "gpu": profile.gpu,
        "tp": profile.tp,
        **laid.told(),
        "max_num_seqs": deployment.max_num_seqs,
        "chunk": deployment.chunk,
        "kv_tokens": deployment.room,
        "speed_factor": speed.factor,
        "speed_factor_source": speed.source,
        "profile_source": profile.provenance,
        "requests": len(found.arrival_s),
        "wall_seconds": wall_seconds,
    }
    for name in TIMES:
        times = getattr(found, name)
        known = times[times == times]  # noqa: PLR0124 (NaN: an answer of one token has no TPOT)
        summary[name] = {"mean": float(known.mean()) if len(known) else None} | percentiles(times)
    return summary


def _write(
    out: Path, trace: "RequestTrace", names: list[Any], found: "RequestOutcome", summary: dict[str, Any]
) -> None:
    import pandas as pd

    table = pd.DataFrame(
        {
            "request_id": names,
            "arrival_s": trace.arrival_s,
            "prompt_tokens": trace.prompt_tokens,
            "output_tokens": trace.output_tokens,
            **{name: getattr(found, name) for name in TIMES},
        }
    )
    with into(out):
        table.to_parquet(out / "requests.parquet", index=False)
        (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def _print(summary: dict[str, Any], output: Format, *, shown: str) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(summary, indent=2))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(summary, sort_keys=False), nl=False)
    else:
        console = Console(highlight=False)
        console.print(times_table(summary))
        factor, source = summary["speed_factor"], summary["speed_factor_source"]
        deployment = f"{shown} x {summary['model']} on {summary['gpu']} TP{summary['tp']}"
        console.print(f"{deployment}, speed factor {factor:.3f}: {source}", markup=False, soft_wrap=True)


def times_table(summary: dict[str, Any]) -> Table:
    """TTFT, TPOT and latency in milliseconds, one row each; fits into 80 columns."""
    shown = Table(title=f"{summary['requests']:,} requests, simulated in {summary['wall_seconds']:.1f} s", box=None)
    shown.add_column("milliseconds", no_wrap=True)
    for figure in FIGURES:
        shown.add_column(figure, justify="right", no_wrap=True)
    for name, head in zip(TIMES, ("TTFT", "TPOT", "latency"), strict=True):
        row = summary[name]
        shown.add_row(head, *("-" if row[at] is None else f"{1000 * row[at]:,.1f}" for at in FIGURES))
    return shown
