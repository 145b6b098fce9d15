"""`foretide tuner`: runs the concurrency tuner against a cluster, from a pod or from a desk."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.operate import identity, pairs, refusal, seconds_of, sources_of, to_its_end
from foretide.cli.problems import BadInput
from foretide.cli.profile import every_profile

if TYPE_CHECKING:
    from foretide.operator.tuner.decide import Maker
    from foretide.operator.tuner.endpoint import EndpointSettings


class Learner(StrEnum):
    BANDIT = "bandit"
    NETWORK = "network"


def register(app: typer.Typer) -> None:
    app.command(
        "tuner",
        help="Run the concurrency tuner: sets the number that spec.concurrency names, for resources in mode Auto.",
        epilog="Example: foretide tuner --kubeconfig ~/.kube/config --source default=http://127.0.0.1:9090",
    )(tuner)


def tuner(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    source: Annotated[
        list[str], typer.Option(help="A metric source, NAME=URL; repeatable. Resources name it in metrics.source.")
    ],
    source_ca: Annotated[list[str] | None, typer.Option(help="CA certificates of a source, NAME=FILE.")] = None,
    source_token: Annotated[list[str] | None, typer.Option(help="Bearer token of a source, NAME=FILE.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="How often the sources scrape the engines.")] = "15s",
    max_body: Annotated[int, typer.Option(help="Bytes that an answer of a source may have, up to 8 MiB.")] = 2**22,
    kubeconfig: Annotated[
        Path | None, typer.Option(envvar="KUBECONFIG", help="Without one: the pod's service account.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    namespace: Annotated[list[str] | None, typer.Option(help="Only these namespaces; repeatable.")] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="An HTTP admin endpoint that holds a limit, NAME=URL; {namespace} and {name} may stand in it."
        ),
    ] = None,
    endpoint_field: Annotated[
        list[str] | None, typer.Option(help="Where in its JSON the limit stands, NAME=FIELD; without one: limit.")
    ] = None,
    endpoint_method: Annotated[
        list[str] | None, typer.Option(help="How it is written, NAME=PUT, PATCH or POST; without one: PUT.")
    ] = None,
    endpoint_namespaces: Annotated[
        list[str] | None, typer.Option(help="Who may use it, NAME=NAMESPACE,...; needed without {namespace}.")
    ] = None,
    endpoint_ca: Annotated[list[str] | None, typer.Option(help="CA certificates of an endpoint, NAME=FILE.")] = None,
    endpoint_token: Annotated[list[str] | None, typer.Option(help="Bearer token of an endpoint, NAME=FILE.")] = None,
    learner: Annotated[
        Learner, typer.Option(help="Who proposes where a resource says tune: Learn; the network is experimental.")
    ] = Learner.BANDIT,
    window: Annotated[str, typer.Option(help="What a limit is judged by, and how often it may change.")] = "60s",
    cold_start: Annotated[str, typer.Option(help="Median time from order to ready, until starts were seen.")] = "120s",
    health: Annotated[str, typer.Option(help="HOST:PORT of /healthz and /metrics.")] = "127.0.0.1:8082",
    leader_elect: Annotated[bool, typer.Option(help="Take part in leader election by a Lease.")] = True,
    lease_namespace: Annotated[str, typer.Option(help="Namespace of the Lease foretide-tuner.")] = "foretide",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    from foretide.operator.settings import BadSettings, LeaseSettings, Settings
    from foretide.operator.tuner.serve import serve

    window_s, scrape_s = seconds_of("--window", window), seconds_of("--scrape-interval", scrape_interval)
    if window_s < 2 * scrape_s:
        raise refusal(f"--window: {window}: give at least two scrapes, {2 * scrape_s:g}s")
    try:
        settings = Settings(
            sources=sources_of(
                source, ca=source_ca or [], token=source_token or [], scrape=scrape_interval, max_body=max_body
            ),
            identity=identity(),
            namespaces=tuple(namespace or ()),
            kubeconfig=kubeconfig,
            context=context,
            cold_start_median_s=seconds_of("--cold-start", cold_start),
            health_address=health,
            lease=LeaseSettings(enabled=leader_elect, namespace=lease_namespace, name="foretide-tuner"),
        )
    except BadSettings as error:
        raise refusal(str(error)) from error
    allowed = endpoints_of(
        endpoint or [],
        field=endpoint_field or [],
        method=endpoint_method or [],
        namespaces=endpoint_namespaces or [],
        ca=endpoint_ca or [],
        token=endpoint_token or [],
    )
    every_profile(None)
    to_its_end(serve(settings, window_s=window_s, allowed=allowed, learner=_learner(learner)), verbose=verbose)


def _learner(chosen: Learner) -> "Maker":
    from foretide.operator.tuner.decide import bandit
    from foretide.policies.concurrency.network_agent import NetworkAgent
    from foretide.simulator.limit_network import BadNetwork, opened

    if chosen is Learner.BANDIT:
        return bandit
    try:
        scores = opened()
    except BadNetwork as error:
        raise refusal(str(error)) from error
    return lambda rule, bounds: NetworkAgent(scores, rule, bounds=bounds)


def endpoints_of(
    given: list[str], *, field: list[str], method: list[str], namespaces: list[str], ca: list[str], token: list[str]
) -> "dict[str, EndpointSettings]":
    """The allow-list by name. Raises BadInput, as one line with option, value and fix."""
    from foretide.operator.settings import BadSettings
    from foretide.operator.tuner.endpoint import EndpointSettings

    addresses = pairs("--endpoint", given)
    told = {
        option: pairs(f"--endpoint-{option}", values)
        for option, values in (
            ("field", field), ("method", method), ("namespaces", namespaces), ("ca", ca), ("token", token),
        )
    }  # fmt: skip
    for option, of in told.items():
        if strange := next((name for name in of if name not in addresses), None):
            raise BadInput(field=f"--endpoint-{option}", value=strange, fix="name an endpoint that --endpoint gives")
    try:
        return {
            name: EndpointSettings(
                name=name,
                address=address,
                field=told["field"].get(name, "limit"),
                method=told["method"].get(name, "PUT"),
                namespaces=tuple(one for one in told["namespaces"].get(name, "").split(",") if one),
                ca_file=Path(told["ca"][name]) if name in told["ca"] else None,
                token_file=Path(told["token"][name]) if name in told["token"] else None,
            )
            for name, address in addresses.items()
        }
    except BadSettings as error:
        raise refusal(str(error)) from error
