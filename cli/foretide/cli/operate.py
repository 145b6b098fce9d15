"""`foretide operator`: runs the operator against a cluster, from a pod or from a desk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.problems import BadInput
from foretide.cli.profile import every_profile

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from foretide.operator.settings import Settings, SourceSettings


def register(app: typer.Typer) -> None:
    app.command(
        "operator",
        help="Run the operator: watches InferenceAutoscalers, reads Prometheus, writes replicas.",
        epilog="Example: foretide operator --kubeconfig ~/.kube/config --source default=http://127.0.0.1:9090",
    )(operate)


def operate(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    source: Annotated[
        list[str], typer.Option(help="A metric source, NAME=URL; repeatable. Resources name it in metrics.source.")
    ],
    source_ca: Annotated[list[str] | None, typer.Option(help="CA certificates of a source, NAME=FILE.")] = None,
    source_token: Annotated[list[str] | None, typer.Option(help="Bearer token of a source, NAME=FILE.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="How often the sources scrape the engines.")] = "15s",
    max_body: Annotated[int, typer.Option(help="Bytes that an answer of a source may have, up to 8 MiB.")] = 2**20,
    kubeconfig: Annotated[
        Path | None, typer.Option(envvar="KUBECONFIG", help="Without one: the pod's service account.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    namespace: Annotated[list[str] | None, typer.Option(help="Only these namespaces; repeatable.")] = None,
    plan_interval: Annotated[str, typer.Option(help="How often every target is planned.")] = "60s",
    relief_interval: Annotated[str, typer.Option(help="How often queues are looked at, to add only.")] = "5s",
    step: Annotated[str, typer.Option(help="Grid of demand and forecasts.")] = "30s",
    season: Annotated[str, typer.Option(help="The period after which demand looks alike.")] = "24h",
    first_life: Annotated[str, typer.Option(help="After a start nothing is lowered for this long.")] = "10m",
    backfill: Annotated[str, typer.Option(help="How much of the past is read at the start.")] = "24h",
    relist_interval: Annotated[str, typer.Option(help="How often the watch is checked by a list.")] = "60s",
    status_interval: Annotated[str, typer.Option(help="Unchanged verdicts are written at most this often.")] = "60s",
    writes_per_second: Annotated[
        float, typer.Option(help="Statuses and events at most; more of them wait. Scale writes never do.")
    ] = 20.0,
    cold_start: Annotated[str, typer.Option(help="Median time from order to ready, until starts were seen.")] = "120s",
    cold_start_sigma: Annotated[float, typer.Option(help="Sigma of the logarithm of that time.")] = 0.6,
    cache: Annotated[Path, typer.Option(help="Where measured capacities are kept.")] = Path("~/.cache/foretide"),
    forecast_network: Annotated[
        Path | None, typer.Option(help="A folder with a trained network; without one, none is asked.")
    ] = None,
    forecast_url: Annotated[
        str | None, typer.Option(help="A `foretide forecast serve` that answers in its place.")
    ] = None,
    forecast_ca: Annotated[Path | None, typer.Option(help="CA certificates of that service.")] = None,
    forecast_timeout: Annotated[str, typer.Option(help="How long that service may take.")] = "5s",
    journal: Annotated[Path | None, typer.Option(help="A file for every decision with its evidence.")] = None,
    health: Annotated[str, typer.Option(help="HOST:PORT of /healthz.")] = "127.0.0.1:8080",
    metrics: Annotated[str, typer.Option(help="HOST:PORT of /metrics.")] = "127.0.0.1:8081",
    keda: Annotated[str | None, typer.Option(help="HOST:PORT for KEDA to ask; without it, KEDA is not served.")] = None,
    keda_stale: Annotated[str, typer.Option(help="How old a decision may be that KEDA is told.")] = "3m",
    engine_address: Annotated[
        str,
        typer.Option(help="Where engines that sleep are called; {ip}, {port}, {pod} and {namespace} are the pod's."),
    ] = "http://{ip}:{port}",
    page: Annotated[
        str | None, typer.Option(help="HOST:PORT of a read-only page, like 127.0.0.1:8083; without it, there is none.")
    ] = None,
    page_host: Annotated[
        list[str] | None, typer.Option(help="A name for that page beside localhost; repeatable.")
    ] = None,
    leader_elect: Annotated[bool, typer.Option(help="Take part in leader election by a Lease.")] = True,
    lease_namespace: Annotated[str, typer.Option(help="Namespace of the Lease.")] = "foretide",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    from foretide.operator import settings as made

    try:
        settings = made.Settings(
            sources=sources_of(
                source, ca=source_ca or [], token=source_token or [], scrape=scrape_interval, max_body=max_body
            ),
            identity=identity(),
            namespaces=tuple(namespace or ()),
            kubeconfig=kubeconfig,
            context=context,
            plan_s=seconds_of("--plan-interval", plan_interval),
            relief_s=seconds_of("--relief-interval", relief_interval),
            step_s=seconds_of("--step", step),
            season_s=seconds_of("--season", season),
            first_life_s=seconds_of("--first-life", first_life),
            backfill_s=seconds_of("--backfill", backfill),
            relist_s=seconds_of("--relist-interval", relist_interval),
            status_s=seconds_of("--status-interval", status_interval),
            writes_per_s=writes_per_second,
            cold_start_median_s=seconds_of("--cold-start", cold_start),
            cold_start_sigma=cold_start_sigma,
            cache=cache,
            journal=journal,
            health_address=health,
            metrics_address=metrics,
            forecast=made.ForecastSettings(
                forecast_network, forecast_url, forecast_ca, seconds_of("--forecast-timeout", forecast_timeout)
            ),
            keda=made.KedaSettings(address=keda, stale_s=seconds_of("--keda-stale", keda_stale)),
            page=made.PageSettings(address=page, hosts=tuple(page_host or ())),
            engine_address=engine_address,
            lease=made.LeaseSettings(enabled=leader_elect, namespace=lease_namespace),
        )
    except made.BadSettings as error:
        raise refusal(str(error)) from error
    every_profile(None)
    _run(settings, verbose=verbose)


def _run(settings: "Settings", *, verbose: bool) -> None:
    import logging

    from foretide.operator.serve import serve

    if not verbose:
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
        logging.getLogger("kopf.activities.probe").setLevel(logging.WARNING)
        # One line per watch event says nothing that the sweep does not say better.
        logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    to_its_end(serve(settings), verbose=verbose)


def to_its_end(work: "Coroutine[Any, Any, None]", *, verbose: bool) -> None:
    """Runs a process of the operator's room, with its log on standard error."""
    import asyncio
    import logging

    from foretide.operator.credentials import NoCredentials

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    try:
        asyncio.run(work)
    except NoCredentials as error:
        raise refusal(str(error)) from error


def sources_of(
    given: list[str], *, ca: list[str], token: list[str], scrape: str, max_body: int
) -> "dict[str, SourceSettings]":
    from foretide.operator.settings import SourceSettings

    authorities, tokens = pairs("--source-ca", ca), pairs("--source-token", token)
    addresses = pairs("--source", given)
    for name in (*authorities, *tokens):
        if name not in addresses:
            raise BadInput(field="--source-ca/--source-token", value=name, fix="name a source that --source gives")
    return {
        name: SourceSettings(
            name=name,
            address=address,
            ca_file=Path(authorities[name]) if name in authorities else None,
            token_file=Path(tokens[name]) if name in tokens else None,
            scrape_s=seconds_of("--scrape-interval", scrape),
            max_body=max_body,
        )
        for name, address in addresses.items()
    }


def pairs(option: str, given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise BadInput(field=option, value=text, fix="write NAME=VALUE")
        pairs[name] = value
    return pairs


def seconds_of(option: str, text: str) -> float:
    from foretide.operator.times import seconds

    try:
        return seconds(text)
    except ValueError:
        raise BadInput(field=option, value=text, fix="write a duration with its unit, like 500ms, 5s or 10m") from None


def refusal(message: str) -> BadInput:
    """A one-line message of another room, which has the same form: field, value, fix."""
    field, _, rest = message.partition(": ")
    value, _, fix = rest.partition(": ")
    return BadInput(field=field, value=value, fix=fix or "see --help")


def identity() -> str:
    """Who we are among several operators: the pod's or machine's name, and a number of this life."""
    import secrets
    import socket

    return f"{socket.gethostname()[:40]}-{secrets.token_hex(4)}"
