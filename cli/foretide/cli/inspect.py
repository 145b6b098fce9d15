"""`foretide status` and `foretide explain`: what the operator has published, for a person or a program.

What is NOT promised: anything newer than the status in the cluster; both commands only read.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.limit_story import limit_lines
from foretide.cli.problems import BadInput
from foretide.cli.warm_story import warm_lines

if TYPE_CHECKING:
    from foretide.operator.kube import Kubernetes
    from foretide.operator.seams import Key

Body = Mapping[str, Any]
COLUMNS = ("NAMESPACE", "NAME", "TARGET", "MODE", "REPLICAS", "DESIRED", "READY", "RISK", "REASON", "SHADOW")
COUNTS = {"replicas": "current", "desired": "desired", "ready": "ready"}
"""Our words -> those of status.pools."""


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Kubeconfig = Annotated[
    Path | None, typer.Option(envvar="KUBECONFIG", help="Default: ~/.kube/config, or the pod's own.")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
Format = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]


def register(app: typer.Typer) -> None:
    app.command(
        "status",
        help="All InferenceAutoscalers: replicas, what is asked for, the risk taken, and why.",
        epilog="Example: foretide status -n prod -o json",
    )(status)
    app.command(
        "explain",
        help="One InferenceAutoscaler: its last decision, the alternatives, the forecast and the latest changes.",
        epilog="Example: foretide explain prod/llama",
    )(explain)


def status(
    *,
    namespace: Annotated[list[str] | None, typer.Option("--namespace", "-n", help="Only here; repeatable.")] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    async def listed(cluster: "Kubernetes") -> Sequence[Body]:
        return await cluster.autoscalers()

    found = _asked(listed, kubeconfig, context, namespaces=tuple(namespace or ()))
    if output is not Output.TABLE:
        dump([summary(body) for body in found], output)
    elif not found:
        typer.echo("no InferenceAutoscalers; write one like docs/examples/inferenceautoscaler.yaml")
    else:
        typer.echo(table([COLUMNS, *(_row(body) for body in found)]))


def explain(
    target: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME", help="Which InferenceAutoscaler.")],
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    output: Format = Output.TABLE,
) -> None:
    body = fetched(target, kubeconfig, context)
    if output is Output.TABLE:
        typer.echo("\n".join(explained(body)))
    else:
        dump(summary(body), output)


def fetched(target: str, kubeconfig: Path | None, context: str | None) -> Body:
    """The InferenceAutoscaler NAMESPACE/NAME as the cluster has it. Raises BadInput."""
    from foretide.operator.seams import Key

    namespace, slash, name = target.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise BadInput(field="NAMESPACE/NAME", value=target, fix="write it like prod/llama")

    async def one(cluster: "Kubernetes") -> Body:
        return await _found(cluster, Key(namespace, name))

    found: Body = _asked(one, kubeconfig, context)
    return found


def explained(body: Body) -> list[str]:
    """The story of a resource, line by line."""
    meta, spec, told = body["metadata"], body["spec"], body.get("status") or {}
    conditions = {item["type"]: item for item in told.get("conditions") or ()}
    ready = conditions.get("Ready")
    if ready is None:
        fix = "start one with `foretide operator`, or look into its log"
        alone = f"{meta['namespace']}/{meta['name']}: no operator has looked at it yet; {fix}"
        return [alone, *limit_lines(spec, told.get("concurrency") or {})]
    decision = told.get("lastDecision") or {}
    return [
        f"{meta['namespace']}/{meta['name']}  mode {spec.get('mode')}  {ready['reason']}",
        f"  {ready['message']}",
        *_decision_lines(decision, told.get("pools") or ()),
        *_forecast_lines(decision.get("forecast") or {}),
        *(f"  {item['type']}: {item['message']}" for item in conditions.values() if _is_trouble(item)),
        *_approval_lines(meta, told.get("pendingApproval") or {}),
        *limit_lines(spec, told.get("concurrency") or {}),
        *_scorecard_lines(told.get("scorecard") or {}),
        *warm_lines(told.get("warm") or {}),
        *_history_lines(told.get("history") or ()),
    ]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, as kubectl prints them."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _decision_lines(decision: Body, pools: Sequence[Body]) -> list[str]:
    lines = [
        f"  pool {pool['name']}: {pool.get('current')} replicas, {pool.get('desired')} desired; "
        f"{pool.get('ready')} ready, {pool.get('starting')} starting, {pool.get('unschedulable')} unschedulable"
        for pool in pools
    ]
    risks = decision.get("violationProbability") or {}
    words = {"oneFewer": "one fewer", "atDesired": "as proposed", "oneMore": "one more"}
    if risks:
        told = ", ".join(f"{words[name]} {risks[name]}" for name in words if name in risks)
        lines.append(f"  probability that a window breaks the objective: {told}")
    costs = decision.get("expectedCostPerHour") or {}
    if costs:
        told = ", ".join(f"{words[name]} {costs[name]}" for name in words if name in costs)
        lines.append(f"  expected cost per hour, GPUs and missed requests: {told}")
    if decision.get("binding"):
        lines.append(f"  decided by {decision['binding']}, {decision.get('leadTime')} ahead")
    if decision.get("capacity"):
        lines.append(f"  capacity: {decision['capacity']}")
    return lines


def _forecast_lines(forecast: Body) -> list[str]:
    if not forecast:
        return []
    line = f"  forecast of the peak ({forecast.get('model')}): median {forecast.get('p50')}, 95 % {forecast.get('p95')}"
    score = f"; CRPS {forecast['crps']}, skill against the last value {forecast['skill']}" if "crps" in forecast else ""
    return [line + score]


def _approval_lines(meta: Body, pending: Body) -> list[str]:
    if not pending:
        return []
    what = f"{pending.get('from')} -> {pending.get('to')}"
    value = f"autoscaling.foretide.io/approve={pending.get('to')}@{pending.get('id')}"
    command = f"kubectl annotate -n {meta['namespace']} infa {meta['name']} --overwrite {value}"
    return [f"  waits for approval until {pending.get('expires')}: {what}; {command}"]


def _scorecard_lines(card: Body) -> list[str]:
    """What was compared in two lines: both counts, and what is not known."""
    if not card:
        return []
    hours, left = card.get("hours"), card.get("leftOut") or {}
    whose = {"what ran": card.get("present") or {}, "Foretide": card.get("foretide") or {}}
    figures = [
        f"{who} {one.get('gpuHours')} GPU-h, kept {_share(one.get('promiseKept'))}" for who, one in whose.items()
    ]
    causes = ", ".join(
        f"{why} {left[why]} h" for why in ("missing", "censored", "unwatched") if float(left.get(why, 0))
    )
    return [
        f"  shadow, estimated over {hours} h since {card.get('since')}: {'; '.join(figures)} of windows",
        f"  left out of it: {_share(left.get('share'))} of the time{f' ({causes})' if causes else ''}",
    ]


def _shadow(card: Body) -> str | None:
    """GPU-hours that Foretide would have run, against those that ran, and windows kept by both."""
    ran, would = (card.get(who) or {} for who in ("present", "foretide"))
    if "promiseKept" not in ran or "promiseKept" not in would or not float(ran["gpuHours"]):
        return None
    change = float(would["gpuHours"]) / float(ran["gpuHours"]) - 1
    return f"{change:+.1%} GPU-h, kept {_share(ran['promiseKept'])} -> {_share(would['promiseKept'])}"


def _share(written: str | None) -> str:
    return "?" if written is None else f"{float(written):.2%}"


def _history_lines(history: Sequence[Body]) -> list[str]:
    if not history:
        return []
    lines = [
        f"    {item['time']}  {_of_pool(item)}{item['from']} -> {item['to']}  {item['reason']}: {item['message']}"
        for item in history
    ]
    return ["  latest changes:", *lines]


def _of_pool(change: Body) -> str:
    """Which of two pools changed."""
    return f"{change['pool']} " if "pool" in change else ""


def _is_trouble(condition: Body) -> bool:
    if condition["type"] in ("Ready", "ScalingActive"):
        return False
    return bool(condition["status"] == ("True" if condition["type"] == "Conflict" else "False"))


def _row(body: Body) -> tuple[str, ...]:
    told = summary(body)
    return tuple("" if told[name.lower()] is None else str(told[name.lower()]) for name in COLUMNS)


def summary(body: Body) -> dict[str, Any]:
    """What a table or a program is told of a resource."""
    meta, spec, told = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    pools = told.get("pools") or ()
    target = _first(spec.get("pools")).get("targetRef") or {}
    ready = _first([item for item in told.get("conditions") or () if item["type"] == "Ready"])
    risk = ((told.get("lastDecision") or {}).get("violationProbability") or {}).get("atDesired")
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "target": target.get("name"),
        "mode": spec.get("mode"),
        **{name: _of_each(pools, key) for name, key in COUNTS.items()},
        "risk": risk,
        "reason": ready.get("reason"),
        "shadow": _shadow(told.get("scorecard") or {}),
        "status": told,
    }


def _of_each(pools: Sequence[Body], key: str) -> int | str | None:
    """The count of one pool; of two, both as text, prefill first, like 2+3."""
    counts = [pool.get(key) for pool in pools]
    return "+".join(map(str, counts)) if len(counts) > 1 else next(iter(counts), None)


def _first(items: Sequence[Body] | None) -> Body:
    return items[0] if items else {}


def dump(value: Any, output: Output) -> None:
    """Prints a value for a program."""
    import yaml

    typer.echo(
        json.dumps(value, indent=2) if output is Output.JSON else yaml.safe_dump(value, sort_keys=False).rstrip()
    )


def _asked(
    question: "Callable[[Kubernetes], Coroutine[Any, Any, Any]]",
    kubeconfig: Path | None,
    context: str | None,
    *,
    namespaces: Sequence[str] = (),
) -> Any:
    """What the cluster answers. Bad credentials and refusals become one line."""
    import asyncio

    from foretide.operator.credentials import NoCredentials
    from foretide.operator.kube import Kubernetes
    from foretide.operator.seams import ClusterError

    async def ask() -> Any:
        async with Kubernetes(_credentials(kubeconfig, context), namespaces=namespaces) as cluster:
            return await question(cluster)

    try:
        return asyncio.run(ask())
    except NoCredentials as error:
        raise BadInput(field="--kubeconfig", value=kubeconfig or "~/.kube/config", fix=str(error)) from error
    except ClusterError as error:
        missing, refused = "the CRD is not there; run `foretide crd | kubectl apply -f -`", "see the message"
        raise BadInput(field="cluster", value=str(error), fix=missing if error.status == 404 else refused) from error


async def _found(cluster: "Kubernetes", key: "Key") -> Body:
    """The resource. A cluster that has the CRD and not the resource is told apart from one without the CRD."""
    from foretide.operator.seams import ClusterError

    try:
        return await cluster.autoscaler(key)
    except ClusterError as error:
        if error.status != 404:
            raise
        there = ", ".join(sorted(str(body["metadata"]["name"]) for body in await cluster.autoscalers())) or "none"
        fix = f"no such InferenceAutoscaler; there are: {there}"
        raise BadInput(field="NAMESPACE/NAME", value=key, fix=fix) from error


def _credentials(kubeconfig: Path | None, context: str | None) -> Any:
    import os

    from foretide.operator.credentials import from_kubeconfig, in_cluster

    usual = Path("~/.kube/config").expanduser()
    if kubeconfig is None and not usual.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster(os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    return from_kubeconfig(kubeconfig or usual, context=context)
