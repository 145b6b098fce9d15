"""`foretide tuner`: runs the concurrency tuner against a cluster, from a pod or from a desk."""

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.operate import identity, refusal, seconds_of, sources_of, to_its_end
from foretide.cli.profile import every_profile


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
    every_profile(None)
    to_its_end(serve(settings, window_s=window_s), verbose=verbose)
