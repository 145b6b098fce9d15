"""`foretide dev twin`: the fleet twin in the foreground, as the bed starts it and as a pod runs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.operate import refusal
from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.cli.bed.traffic import Load


def add_twin_to(dev: typer.Typer) -> None:
    example = "foretide dev twin --trace day.csv --namespace models --selector app=llama --listen 127.0.0.1:8000"
    dev.command("twin", epilog=f"Example: {example}")(twin)


def twin(  # noqa: PLR0913 (every option of the command is an argument)
    *,
    trace: Annotated[Path, typer.Option(help="Requests, in any format that `foretide replay` reads.")],
    namespace: Annotated[str, typer.Option(help="Where the pods are.")],
    selector: Annotated[str, typer.Option(help="Labels of the pods, like app=llama.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT of /targets, /pods/POD/metrics and /truth.")],
    address: Annotated[str, typer.Option(help="HOST:PORT that /targets tells; empty: what it listens on.")] = "",
    kubeconfig: Annotated[Path | None, typer.Option(help="Left out in a pod: its own service account.")] = None,
    record: Annotated[Path | None, typer.Option(help="Keep the truth of every second here.")] = None,
    model: Annotated[str, typer.Option(help="What the engines serve.")] = "meta-llama/Llama-3.1-8B",
    gpu: Annotated[str, typer.Option(help="What they run on.")] = "H100",
    tp: Annotated[int, typer.Option(min=1, help="GPUs of one engine.")] = 1,
    compress: Annotated[float, typer.Option(min=0.01, help="Seconds of the trace in one second.")] = 1.0,
    scale: Annotated[float, typer.Option(min=0.0001, help="Requests for each one in the trace.")] = 1.0,
    repeat: Annotated[int, typer.Option(min=1, max=1000, help="How many times the trace is played.")] = 1,
    max_num_seqs: Annotated[int, typer.Option(min=1, help="Requests that run in one engine at once.")] = 256,
    seed: Annotated[int, typer.Option(help="Of the copies that --scale makes.")] = 0,
    ttft_s: Annotated[float, typer.Option(min=0.0, help="The promised first token, in seconds, for /truth.")] = 0.5,
    tpot_s: Annotated[float, typer.Option(min=0.0, help="The promised time per token, in seconds.")] = 0.025,
    gateway: Annotated[
        str, typer.Option(help="Workload name of a gateway in front, whose metrics are served too.")
    ] = "",
    wake_s: Annotated[float, typer.Option(min=0.0, help="Seconds that an engine takes to wake from sleep.")] = 2.0,
    old_names: Annotated[bool, typer.Option("--old-names", help="Metric names of before vLLM 0.10.")] = False,
) -> None:
    """Simulate the engines in real pods: serve a trace to those that are ready, and answer Prometheus for them."""
    from foretide.cli.bed.traffic import Load

    host, port = _host_and_port("--listen", listen)
    if address:
        _host_and_port("--address", address)
    load = Load(
        trace=trace,
        namespace=namespace,
        selector=selector,
        model=model,
        gpu=gpu,
        tp=tp,
        compress=compress,
        scale=scale,
        repeat=repeat,
        max_num_seqs=max_num_seqs,
        seed=seed,
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        gateway=gateway,
        wake_s=wake_s,
        old_names=old_names,
    )
    _serve(load, host=host, port=port, address=address or listen, kubeconfig=kubeconfig, record=record)


def _serve(load: "Load", *, host: str, port: int, address: str, kubeconfig: Path | None, record: Path | None) -> None:
    import asyncio

    from foretide.cli.bed.twin import Place, serve_twin
    from foretide.operator.credentials import NoCredentials, credentials_from
    from foretide.simulator.profile_file import BadProfile
    from foretide.simulator.profiles import NoProfile
    from foretide.simulator.requests import BadTrace

    try:
        place = Place(host, port, address, credentials_from(kubeconfig), record)
        asyncio.run(serve_twin(load, place))
    except (BadTrace, BadProfile, NoProfile, NoCredentials) as error:
        raise refusal(str(error)) from error
    except OSError as error:
        raise BadInput(field="--listen", value=f"{host}:{port}", fix=error.strerror or str(error)) from error


def _host_and_port(option: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 2**16):
        raise BadInput(field=option, value=text, fix="write HOST:PORT, like 127.0.0.1:8000")
    return host, int(port)
