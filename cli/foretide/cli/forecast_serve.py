"""`foretide forecast serve`: the network as a service of its own, for clusters with very many targets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.problems import BadInput

if TYPE_CHECKING:
    from foretide.forecaster.network.session import Session


def add_to(group: typer.Typer) -> None:
    group.command(
        "serve",
        help="Serve a checked network to operators that name it with --forecast-url.",
        epilog="Example: foretide forecast serve --network ./network --listen 127.0.0.1:8090",
    )(serve)


def serve(
    *,
    network: Annotated[Path, typer.Option(help="A folder with HEAD.json and HEAD.onnx of one or both heads.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT; the port 0 takes a free one.")] = "127.0.0.1:8090",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Processor threads of one question.")] = 1,
) -> None:
    import asyncio

    from foretide.forecaster.network.card import Refused
    from foretide.forecaster.network.schema import HEADS
    from foretide.forecaster.network.session import opened

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadInput(field="--listen", value=listen, fix="write HOST:PORT, like 127.0.0.1:8090")
    heads = [head for head in HEADS if (network / f"{head}.json").exists()]
    if not heads:
        raise BadInput(field="--network", value=network, fix=f"name a folder with one of {', '.join(HEADS)}.json")
    try:
        sessions = {head: opened(network, head, threads=threads) for head in heads}
    except Refused as error:
        raise BadInput(field="--network", value=network, fix=str(error)) from error
    asyncio.run(_until_stopped(sessions, host.strip("[]"), int(port)))


async def _until_stopped(sessions: "dict[str, Session]", host: str, port: int) -> None:
    import asyncio
    import signal

    from foretide.operator.forecast_service import serve as listening

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        runner = await listening(sessions, host=host, port=port)
    except OSError as error:
        raise BadInput(field="--listen", value=f"{host}:{port}", fix=f"{error.strerror}; name another") from error
    names = ", ".join(f"{head} ({session.name})" for head, session in sessions.items())
    typer.echo(f"serving {names} on {':'.join(map(str, runner.addresses[0][:2]))}")
    await stop.wait()
    await runner.cleanup()
