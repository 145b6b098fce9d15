"""`foretide validate --live`: which signals of a manifest's engine a Prometheus has, and whether demand can be read.

What is NOT promised: a look at the cluster. Pods are known by their metrics alone, named after the target.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from foretide.cli.inspect import Output, dump, table
from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.operator.found import Verdict
    from foretide.operator.resource import Resource
    from foretide.operator.settings import SourceSettings

COLUMNS = ("SIGNAL", "METRIC", "SERIES", "NEWEST", "WITHOUT IT")


@dataclass(frozen=True, slots=True)
class Where:
    """The Prometheus to ask, as given on the command line."""

    address: str
    ca: Path | None
    token: Path | None
    scrape_interval: str


def live(bodies: Sequence[Mapping[str, Any]], where: Where, *, namespace: str | None, output: Output) -> bool:
    """Prints what was found of each resource; whether all of them can be decided on."""
    from foretide.operator.resource import parse

    resources = [parse(_placed(body, namespace)).resource for body in bodies]
    told = [(one, _asked(where, one)) for one in resources if one is not None]
    if output is Output.TABLE:
        typer.echo("\n\n".join(_page(resource, verdict) for resource, verdict in told))
    else:
        dump([_summary(resource, verdict) for resource, verdict in told], output)
    return all(verdict.decides for _, verdict in told)


def _placed(body: Mapping[str, Any], namespace: str | None) -> Mapping[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}} if namespace else body


def _asked(where: Where, resource: "Resource") -> "Verdict":
    from foretide.operator.found import found_signals
    from foretide.operator.prometheus import Prometheus

    source = _source(where, resource.source)

    async def ask() -> "Verdict":
        async with Prometheus(source) as metrics:
            return await found_signals(metrics, resource, now=time.time(), scrape_s=source.scrape_s)

    return asyncio.run(ask())


def _source(where: Where, name: str) -> "SourceSettings":
    from foretide.operator.settings import BadSettings, SourceSettings
    from foretide.operator.times import seconds

    try:
        scrape_s = seconds(where.scrape_interval)
    except ValueError as error:
        raise BadInput(field="--scrape-interval", value=where.scrape_interval, fix=str(error)) from error
    try:
        return SourceSettings(name, where.address, ca_file=where.ca, token_file=where.token, scrape_s=scrape_s)
    except BadSettings as error:
        raise BadInput(field="--prometheus", value=where.address, fix=str(error)) from error


def _page(resource: "Resource", verdict: "Verdict") -> str:
    from foretide.operator.engines.written import as_written

    rows = [
        (as_written(one.word), one.metric or "none", str(one.series), _age(one.age_s), one.without)
        for one in verdict.signals
    ]
    head = f"{resource.key}: engine {resource.preset.engine}: {_told(verdict)}"
    return f"{head}\n{table([COLUMNS, *rows])}"


def _told(verdict: "Verdict") -> str:
    return verdict.message if verdict.decides else f"demand cannot be read: {verdict.message}"


def _age(age_s: float | None) -> str:
    return "" if age_s is None else f"{age_s:.0f}s"


def _summary(resource: "Resource", verdict: "Verdict") -> dict[str, Any]:
    from foretide.operator.engines.written import as_written

    return {
        "namespace": resource.key.namespace,
        "name": resource.key.name,
        "engine": resource.preset.engine,
        "decides": verdict.decides,
        "message": _told(verdict),
        "signals": [
            {
                "signal": as_written(one.word),
                "metric": one.metric or None,
                "series": one.series,
                "newestAgeSeconds": None if one.age_s is None else round(one.age_s, 1),
                "without": one.without or None,
            }
            for one in verdict.signals
        ],
    }
