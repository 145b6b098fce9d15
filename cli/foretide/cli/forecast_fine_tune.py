"""`foretide forecast fine-tune`: lets the network go on learning from one target's own history, as a Job would."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.problems import BadInput
from foretide.cli.training import head_of, needs_training, settings_of, trained, workload_of

if TYPE_CHECKING:
    from foretide.operator.settings import SourceSettings
    from foretide.policies.flow import DemandHistory

STEP_S = 60.0


def add_to(group: typer.Typer) -> None:
    group.command(
        "fine-tune",
        help="Fine-tune a network on a target's history in Prometheus; publishes it only where it forecasts better.",
        epilog="Example: foretide forecast fine-tune --prometheus http://127.0.0.1:9090 --target prod/llama "
        "--base ./network --out ./fine-tuned",
    )(fine_tune)


def fine_tune(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    prometheus: Annotated[str, typer.Option(help="Address of a Prometheus that scrapes the engines.")],
    target: Annotated[str, typer.Option(help="NAMESPACE/NAME of the Deployment whose pods serve.")],
    base: Annotated[
        list[Path], typer.Option(help="The network to start from: a folder. Given twice: the first that has the head.")
    ],
    out: Annotated[Path, typer.Option(help="Where the series and, where it is better, the new network go.")],
    head: Annotated[str, typer.Option(help="Which head: replica or node.")] = "replica",
    days: Annotated[int, typer.Option(min=1, max=90, help="How much history is read.")] = 14,
    steps: Annotated[int, typer.Option(min=1, max=100_000, help="Training steps.")] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the training.")] = 0,
    ca: Annotated[Path | None, typer.Option(help="CA certificates of the Prometheus.")] = None,
    token: Annotated[Path | None, typer.Option(help="A file with a bearer token.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="How often it scrapes the engines.")] = "15s",
) -> None:
    import asyncio

    from foretide.operator.past_demand import NoHistory, write_series
    from foretide.operator.settings import BadSettings, SourceSettings
    from foretide.operator.times import seconds

    head_of(head)
    namespace, _, name = target.partition("/")
    if not namespace or not name:
        raise BadInput(field="--target", value=target, fix="write NAMESPACE/NAME")
    try:
        scrape = seconds(scrape_interval)
        source = SourceSettings("default", prometheus, ca_file=ca, token_file=token, scrape_s=scrape, max_body=2**23)
        history = asyncio.run(_history(source, namespace, name, days))
    except (BadSettings, NoHistory, ValueError) as error:
        raise BadInput(field="fine-tune", value=target, fix=str(error)) from error
    series = out / f"{namespace}-{name}.csv"
    write_series(history, series)
    typer.echo(f"{len(history.values)} minutes of {target} in {series}")
    _train(history, base=_first(base, head), head=head, out=out, name=target, steps=steps, seed=seed)


def _first(folders: list[Path], head: str) -> Path:
    """The first folder with the head; without one, the last, so that its absence is told by name."""
    return next((folder for folder in folders if (folder / f"{head}.json").exists()), folders[-1])


async def _history(source: "SourceSettings", namespace: str, name: str, days: int) -> "DemandHistory":
    import time

    from foretide.operator.past_demand import DAY_S, past_demand, target_of
    from foretide.operator.prometheus import Prometheus
    from foretide.operator.reading import Reading
    from foretide.operator.settings import Settings

    settings = Settings({source.name: source}, "fine-tune", step_s=STEP_S, backfill_s=DAY_S)
    async with Prometheus(source) as metrics:
        reading = Reading(settings, {source.name: metrics})
        resource = target_of(namespace, name)
        return await past_demand(reading, resource, settings=settings, now=time.time(), span_s=days * DAY_S)


def _train(history: "DemandHistory", *, base: Path, head: str, out: Path, name: str, steps: int, seed: int) -> None:
    needs_training()  # only now: the series is of use to whoever trains elsewhere
    schema = head_of(head)
    workload = workload_of(name, history.values, step_s=history.step, start_s=history.start, schema=schema)
    settings = settings_of(steps=steps, batch=64, rate=5e-4, seed=seed)

    def report(step: int, loss: float, score: float) -> None:
        typer.echo(f"step {step}: loss {loss:.3f}, held-out score {score:.4f}")

    outcome = trained(workload, schema, settings, start=base, out=out, report=report, fields=("--target", "--base"))
    verdict = f"published in {out}" if outcome.card else "nothing better was found, nothing was published"
    typer.echo(f"held-out score {outcome.before:.4f} -> {outcome.after:.4f} on {outcome.windows} windows: {verdict}")
