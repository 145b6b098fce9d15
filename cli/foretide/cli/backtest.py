"""`foretide backtest`: a target's own past from Prometheus, replayed with the counts that stood then and with ours.

Nothing is written to the cluster. What is promised: both are judged by the same simulation of the same requests.
NOT promised: the latencies that users saw; see docs/backtest.md for what is recorded, reconstructed and simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foretide.cli.inspect import Context, Kubeconfig, fetched
from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, cache_folder, in_one_line, into, print_summary, progress, writable, write_page
from foretide.cli.style import percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from foretide.operator.recorded import Recorded
    from foretide.operator.resource import Resource
    from foretide.operator.settings import SourceSettings
    from foretide.simulator.backtest import Counts

SHORTEST_S, LONGEST_S = 600.0, 30 * 86400.0
MOST_BRIDGED = 0.2
"""Where more of the time was not measured, a straight line over the gaps is no longer the traffic."""
LARGEST_BODY = 2**23


@dataclass(frozen=True, slots=True, eq=False)
class _Played:
    """A recording made playable, and how sound it is."""

    scenario: Path
    counts: "Counts"
    span_s: float
    bridged: float
    """Share of the time that was not measured."""
    censored: float
    """Share of the time in which users may have asked for more."""


def register(app: typer.Typer) -> None:
    app.command(
        "backtest",
        epilog="Example: foretide backtest --prometheus http://127.0.0.1:9090 --target prod/llama --out out/backtest",
    )(backtest_command)


def backtest_command(  # noqa: PLR0913 (one for each option)
    *,
    prometheus: Annotated[str, typer.Option(help="Address of a Prometheus that scrapes the engines.")],
    target: Annotated[str, typer.Option(metavar="NAMESPACE/NAME", help="Which InferenceAutoscaler.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.")],
    manifest: Annotated[
        Path | None, typer.Option("--manifest", "-f", help="Its manifest, where it is not in the cluster (yet).")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How much of the past is read, like 48h.")] = "48h",
    judge: Annotated[
        str | None, typer.Option("--judge", help="How much of its end is judged.", show_default="half")
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="A[,B...]", help="Beside the present counts.")
    ] = "foretide",
    cold_start: Annotated[str, typer.Option("--cold-start", help="Median time from order to ready.")] = "120s",
    ca: Annotated[Path | None, typer.Option(help="CA certificates of the Prometheus.")] = None,
    token: Annotated[Path | None, typer.Option(help="A file with a bearer token.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="How often it scrapes the engines.")] = "15s",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the summary is printed.")] = Format.TABLE,
) -> None:
    """Replay a target's own past: what its present autoscaler cost and kept, and what Foretide would have. Simulated.

    Writes requests.csv.gz, scenario.yaml, summary.json, decisions.jsonl and report.html to DIR.
    """
    from foretide.simulator.backtest import backtest

    span_s, lead_s, scrape_s = (
        _seconds(field, text)
        for field, text in (("--since", since), ("--cold-start", cold_start), ("--scrape-interval", scrape_interval))
    )
    if not SHORTEST_S <= span_s <= LONGEST_S:
        raise BadInput(field="--since", value=since, fix="give 10m to 720h")
    body = _from_file(manifest, target) if manifest else fetched(target, kubeconfig, context)
    resource = _resource(body, target)
    source = _source(prometheus, ca, token, scrape_s)
    with progress() as told, in_one_line(), into(out):
        past = _recorded(source, resource, span_s, lambda share: told("reading Prometheus", share))
        played = _written_down(past, resource, body, lead_s, writable(out))
        judged_s = played.span_s / 2 if judge is None else _seconds("--judge", judge)
        found = backtest(
            played.scenario,
            played.counts,
            train_until=max(0.0, played.span_s - judged_s),
            policies=[name.strip() for name in policy.split(",") if name.strip()],
            cache=cache_folder(),
            progress=told,
        )
        write_page(found, out=out, again=f"foretide replay {played.scenario} --policy {policy} --out {out}")
    print_summary(found.summary, output)
    if output is Format.TABLE:
        _print_verdict(played, found.summary)


def _seconds(field: str, text: str) -> float:
    from foretide.operator.times import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise BadInput(field=field, value=text, fix=str(error)) from error


def _from_file(manifest: Path, target: str) -> Mapping[str, Any]:
    from foretide.cli.validate import documents

    for document in documents(manifest):
        meta = document.get("metadata") if isinstance(document, dict) else None
        if isinstance(meta, dict) and f"{meta.get('namespace') or 'default'}/{meta.get('name')}" == target:
            return dict(document)
    raise BadInput(field="--target", value=target, fix=f"{manifest} holds no InferenceAutoscaler of that name")


def _resource(body: Mapping[str, Any], target: str) -> "Resource":
    from foretide.operator.resource import parse

    parsed = parse(body)
    if parsed.resource is None:
        raise BadInput(field="--target", value=target, fix="; ".join(parsed.problems))
    if parsed.resource.decode is not None:
        raise BadInput(
            field="--target", value=target, fix="has two pools, and one is replayed; name a target of one pool"
        )
    return parsed.resource


def _source(address: str, ca: Path | None, token: Path | None, scrape_s: float) -> "SourceSettings":
    from foretide.operator.settings import BadSettings, SourceSettings

    try:
        return SourceSettings(
            "default", address, ca_file=ca, token_file=token, scrape_s=scrape_s, max_body=LARGEST_BODY
        )
    except BadSettings as error:
        raise BadInput(field="--prometheus", value=address, fix=str(error)) from error


def _recorded(
    source: "SourceSettings", resource: "Resource", span_s: float, told: "Callable[[float], None]"
) -> "Recorded":
    import asyncio
    import time

    from foretide.operator.past_demand import NoHistory
    from foretide.operator.recorded import recorded
    from foretide.simulator.backtest import STEP_S

    try:
        asked = recorded(source, resource, now=time.time(), span_s=span_s, step=STEP_S, progress=told)
        return asyncio.run(asked)
    except NoHistory as error:
        raise BadInput(field="--target", value=None, fix=str(error).removeprefix("--target: ")) from error


def _written_down(past: "Recorded", resource: "Resource", body: Mapping[str, Any], lead_s: float, out: Path) -> _Played:
    """The recording as requests and a scenario in `out`, with the counts of the same time."""
    import numpy as np

    from foretide.simulator.backtest import STEP_S, Counts, Setting, write_down
    from foretide.simulator.reconstruct import bridged, reconstructed

    if not np.isfinite(past.counts.replicas).any():
        fix = "the source knows no replica counts of it; let it scrape kube-state-metrics or the engines"
        raise BadInput(field="--target", value=resource.key, fix=fix)
    try:
        whole = bridged(past.demand)
    except ValueError as error:
        raise BadInput(
            field="--target", value=resource.key, fix=f"{error} in that time; read more with --since"
        ) from error
    if whole.share > MOST_BRIDGED:
        fix = "choose a stretch that was measured with --since"
        raise BadInput(field="gaps", value=f"{whole.share:.0%} of the time was not measured", fix=fix)
    setting = Setting(
        name=f"{resource.key} as recorded",
        deployment={
            "model": resource.model,
            "gpu": resource.pool.accelerator,
            "tp": resource.pool.gpus_per_replica,
        },
        objective=body["spec"]["objective"],
        behavior=body["spec"].get("behavior") or {},
        limits={"min": resource.pool.min_replicas, "max": resource.pool.max_replicas},
        cold_start_s=lead_s,
    )
    trace = reconstructed(whole.rows, step=STEP_S, longest=_room(resource), seed=0)
    counts = Counts(past.counts.replicas[whole.first : whole.first + len(whole.rows)], past.counts.ordered)
    flags = past.demand.flags[whole.first : whole.first + len(whole.rows)]
    return _Played(
        write_down(setting, trace, out=out), counts, len(whole.rows) * STEP_S, whole.share, float(flags.mean())
    )


def _room(resource: "Resource") -> int:
    """Tokens that fit into one replica. Raises BadInput where there is no profile."""
    from foretide.cli.profile import known_profile
    from foretide.simulator.profiles import Deployment

    pool = resource.pool
    return Deployment(known_profile(resource.model, pool.accelerator, pool.gpus_per_replica, None)).room


def _print_verdict(played: _Played, summary: Mapping[str, Any]) -> None:
    """What was saved and kept, in words, and how much of the recording is sound."""
    console = Console(highlight=False)
    for row in summary["compared"]:
        less = row["gpu_hours_saved"] >= 0
        share = "" if row["share_saved"] is None else f" ({percent(abs(row['share_saved']))})"
        kept = {name: "-" if held is None else percent(held) for name, held in row["window_attainment"].items()}
        console.print(
            f"{row['policy']}: {abs(row['gpu_hours_saved']):.2f} GPU-hours{share} {'fewer' if less else 'more'} than "
            f"the present counts; windows kept: {kept[row['policy']]} beside {kept['present']}",
            soft_wrap=True,
            markup=False,
        )
    console.print(
        f"reconstructed from {_span(played.span_s)} of demand: {percent(played.bridged)} of it bridged gaps, "
        f"{percent(played.censored)} may hide demand",
        soft_wrap=True,
        markup=False,
    )


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"
