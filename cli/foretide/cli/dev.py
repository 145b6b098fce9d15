"""`foretide dev`: the local control plane, up, down, looked at, and traffic for it.

Promised: `up` returns when everything answers; `down` leaves no process and no file behind. NOT promised: more than
one bed in one folder; FORETIDE_HOME makes room for another.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.problems import BadInput
from foretide.cli.twin import add_twin_to

if TYPE_CHECKING:
    from foretide.cli.bed.bed import Bed
    from foretide.cli.bed.binaries import Module
    from foretide.cli.bed.plane import PlaneSettings

PURPOSE = {
    "etcd": "stores what the API server is told",
    "kube-apiserver": "the API",
    "kube-controller-manager": "Deployments, ReplicaSets, HPAs, nodes",
    "kube-scheduler": "places pods on nodes",
    "kwok": "plays the kubelets: pods start, become ready and stop",
    "prometheus": "scrapes the fleet twins",
}


def register(app: typer.Typer) -> None:
    dev = typer.Typer(
        help="A real control plane on this machine, without containers: etcd, Kubernetes, KWOK, Prometheus.",
        epilog="Example: foretide dev up --gpu-nodes 4 --start-delay 40s",
        no_args_is_help=True,
    )
    dev.command("up", epilog="Example: foretide dev up --gpu-nodes 4 --start-delay 40s --start-delay-max 90s")(up)
    dev.command("traffic", epilog="Example: foretide dev traffic default/chat --requests day.csv --compress 24")(
        traffic
    )
    add_twin_to(dev)
    dev.command("status", epilog="Example: foretide dev status")(status)
    dev.command("down", epilog="Example: foretide dev down")(down)
    dev.command("build", epilog="Example: FORETIDE_CACHE=/var/cache/foretide foretide dev build")(build)
    app.add_typer(dev, name="dev")


def up(
    *,
    gpu_nodes: Annotated[int, typer.Option(min=0, max=1000, help="Nodes to make.")] = 2,
    gpus_per_node: Annotated[int, typer.Option(min=0, max=64, help="GPUs of each.")] = 8,
    start_delay: Annotated[str, typer.Option(help="From scheduled to ready; foretide.io/start-delay wins.")] = "20s",
    start_delay_max: Annotated[str, typer.Option(help="Spread starts evenly up to this; none by default.")] = "",
    stop_delay: Annotated[str, typer.Option(help="From deleted to gone; foretide.io/stop-delay wins.")] = "1s",
    scrape_interval: Annotated[str, typer.Option(help="Of Prometheus.")] = "5s",
) -> None:
    """Start it in the background, apply the CRD, and print the KUBECONFIG to use and what comes next."""
    from foretide.cli.bed.kwok_stages import PodTimes
    from foretide.cli.bed.plane import PlaneSettings

    times = PodTimes(
        start_s=_seconds("--start-delay", start_delay),
        start_at_most_s=_seconds("--start-delay-max", start_delay_max) if start_delay_max else None,
        stop_s=_seconds("--stop-delay", stop_delay),
    )
    scrape_s = _seconds("--scrape-interval", scrape_interval)
    with _one_line():
        _refuse_a_second()
        bed = _started(PlaneSettings(pods=times, attached=False), scrape_s=scrape_s)
        _finish(bed, gpu_nodes=gpu_nodes, gpus=gpus_per_node)
    _show(bed)
    _show_what_is_next(bed)


def traffic(
    target: Annotated[str, typer.Argument(help="NAMESPACE/NAME of a Deployment.")],
    *,
    requests: Annotated[Path, typer.Option(help="A trace, in any format that `foretide replay` reads.")],
    compress: Annotated[float, typer.Option(min=0.01, help="Seconds of the trace in one second.")] = 1.0,
    scale: Annotated[float, typer.Option(min=0.0001, help="Requests for each one in the trace.")] = 1.0,
    model: Annotated[str, typer.Option(help="What the engines serve.")] = "meta-llama/Llama-3.1-8B",
    gpu: Annotated[str, typer.Option(help="What they run on.")] = "H100",
    tp: Annotated[int, typer.Option(min=1, help="GPUs of one engine.")] = 1,
) -> None:
    """Send simulated requests to a Deployment's ready pods, whose vLLM metrics Prometheus then scrapes."""
    from foretide.cli.bed.state import remember
    from foretide.cli.bed.traffic import Load

    namespace, slash, name = target.partition("/")
    if not slash or not name:
        raise BadInput(field="target", value=target, fix="write NAMESPACE/NAME of a Deployment")
    _refuse_a_bad_trace(requests)
    with _one_line():
        bed = _running()
        wanted = deployment(bed, namespace, name)["spec"]["selector"].get("matchLabels", {})
        selector = ",".join(f"{label}={value}" for label, value in wanted.items())
        load = Load(
            trace=requests.absolute(),
            namespace=namespace,
            selector=selector,
            compress=compress,
            scale=scale,
            model=model,
            gpu=gpu,
            tp=tp,
        )
        twin = bed.start_twin(load)
        remember(bed)
    typer.echo(f"{twin.process.name}  truth: {twin.url}/truth  record: {twin.record}  log: {twin.process.log}")


def status() -> None:
    """Say what runs, where it logs, and how to reach it."""
    with _one_line():
        _show(_running())


def down() -> None:
    """Stop it and remove what it wrote."""
    from foretide.cli.bed.state import home, resume

    with _one_line():
        bed = resume(home())
        if bed is None:
            typer.echo(f"nothing is up in {home()}")
            return
        ran = sum(process.alive for process in bed.processes)
        bed.stop()
        shutil.rmtree(bed.folder, ignore_errors=True)
        typer.echo(f"stopped {ran} processes, removed {bed.folder}")


def build(
    *,
    extra: Annotated[
        list[str] | None, typer.Option("--with", help="Build this too: keda, for the tests with a real one (12 min).")
    ] = None,
) -> None:
    """Build what is not in the cache yet: etcd, Kubernetes, KWOK, Prometheus and Helm, from their Go modules."""
    from foretide.cli.bed.binaries import EVERYTHING, EXTRAS, programs

    for name in extra or ():
        if name not in EXTRAS:
            raise BadInput(field="--with", value=name, fix=f"write one of: {', '.join(EXTRAS)}")
    wanted = (*EVERYTHING, *(program for name in extra or () for program in EXTRAS[name].programs))

    began = time.monotonic()
    with _one_line():
        found = programs(wanted, build=True, watching=_watching)
    for folder in sorted({path.parent for path in found.values()}):
        typer.echo(f"{folder}: {', '.join(sorted(name for name, path in found.items() if path.parent == folder))}")
    typer.echo(f"{len(found)} programs are there ({time.monotonic() - began:.0f} s)")


def _started(settings: "PlaneSettings", *, scrape_s: float) -> "Bed":
    from foretide.cli.bed.bed import Bed
    from foretide.cli.bed.state import emptied, home

    # what an earlier bed left behind, were it only etcd's data, is not this one's
    return Bed.start(folder=emptied(home()), settings=settings, scrape_s=scrape_s, watching=_watching)


def _finish(bed: "Bed", *, gpu_nodes: int, gpus: int) -> None:
    from foretide.cli.bed.state import remember

    try:
        remember(bed)
        bed.add_gpu_nodes(gpu_nodes, gpus=gpus)
        remember(bed)
        _make_ready_for_the_operator(bed)
    except BaseException:
        bed.stop()
        raise


def _make_ready_for_the_operator(bed: "Bed") -> None:
    from foretide.operator.schema import crd_path
    from foretide.operator.settings import LeaseSettings

    bed.kubectl("apply", "-f", str(crd_path()))
    bed.add_namespace(LeaseSettings().namespace)


def _refuse_a_second() -> None:
    from foretide.cli.bed.state import home, resume

    bed = resume(home())
    if bed and any(process.alive for process in bed.processes):
        raise BadInput(field="dev up", value=home(), fix="a bed is up here; run `foretide dev down` first")


def _running() -> "Bed":
    from foretide.cli.bed.state import home, resume

    bed = resume(home())
    if bed is None:
        raise BadInput(field="dev", value=home(), fix="nothing is up here; run `foretide dev up`")
    return bed


def _show(bed: "Bed") -> None:
    typer.echo(f"export KUBECONFIG={bed.kubeconfig}")
    typer.echo(f"export PATH={bed.programs['kubectl'].parent}:$PATH  # kubectl")
    typer.echo(f"prometheus: {bed.prometheus.url}\n")
    width = max(len(process.name) for process in bed.processes)
    for process in bed.processes:
        state = f"pid {process.pid}" if process.alive else f"ENDED: {process.last_words}"
        typer.echo(f"{process.name:{width}}  {state:<12}  {PURPOSE.get(process.name, 'simulated engines behind pods')}")
        typer.echo(f"{'':{width}}  {process.log}")


def _show_what_is_next(bed: "Bed") -> None:
    typer.echo("\nThe CRD is applied, and the operator's namespace is there. Next, after the two exports above:")
    source = f"--source default={bed.prometheus.url} --scrape-interval {bed.prometheus.scrape_s:g}s"
    typer.echo(f"  foretide operator {source}")


def _refuse_a_bad_trace(path: Path) -> None:
    """Here and not in the twin, whose last words would be all that is left of the reason."""
    from foretide.cli.replay import in_one_line
    from foretide.simulator.requests import read_requests

    with in_one_line():
        read_requests(path)


def deployment(bed: "Bed", namespace: str, name: str) -> dict[str, Any]:
    """The Deployment as the API server has it. Raises BadInput when there is none."""
    from foretide.cli.bed.processes import BedFailed

    try:
        return bed.get("-n", namespace, f"deployment/{name}")
    except BedFailed as problem:
        if "(NotFound)" not in str(problem):
            raise
        fix = "no such Deployment; create it or correct the name"
        raise BadInput(field="target", value=f"{namespace}/{name}", fix=fix) from problem


def _seconds(option: str, text: str) -> float:
    from foretide.operator.times import seconds

    try:
        return seconds(text)
    except ValueError:
        raise BadInput(field=option, value=text, fix="write a duration with its unit, like 500ms, 5s or 10m") from None


@contextmanager
def _one_line() -> Iterator[None]:
    """Says what failed below in one line."""
    from foretide.cli.bed.processes import BedFailed

    try:
        yield
    except BedFailed as problem:
        raise BadInput(field="dev", value="failed", fix=str(problem)) from problem


def _watching(module: "Module") -> AbstractContextManager[None]:
    """One line per module: what is built, and for how long."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    text = f"building {', '.join(module.programs)}"
    if not console.is_terminal:
        return _plainly(text, lambda line: console.print(line, highlight=False))

    @contextmanager
    def lively() -> Iterator[None]:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as live:
            task = live.add_task(text, total=1)
            yield
            live.update(task, completed=1)

    return lively()


@contextmanager
def _plainly(text: str, say: Callable[[str], None]) -> Iterator[None]:
    began = time.monotonic()
    say(f"{text} ...")
    yield
    say(f"{text}: {time.monotonic() - began:.0f} s")
