"""The fleet twin as a process: `python -m foretide.cli.bed.twin`. It watches pods, serves requests, answers scrapes.

    /targets              the pods with a ready engine, for Prometheus' http_sd_configs
    /pods/POD/metrics     what vLLM in that pod would say
    /truth                what really happened, for test oracles

Promised: loopback only; time is real, engines are simulated. NOT promised: that it ends with its trace. The engines
stay, idle, until the process is ended.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from foretide.cli.bed.fleet_twin import FleetTwin, Promise, Seen
from foretide.cli.bed.processes import LOOPBACK
from foretide.cli.bed.vllm_metrics import exposition
from foretide.operator.credentials import NoCredentials, from_kubeconfig
from foretide.operator.kube import Kubernetes
from foretide.operator.seams import ClusterError
from foretide.simulator.profile_file import BadProfile, own_profiles
from foretide.simulator.profiles import Deployment, NoProfile, find_profile
from foretide.simulator.requests import BadTrace, RequestTrace, read_requests

LOOK_EVERY_S = 0.5
RECORD_EVERY_S = 1.0


class TwinProcess:
    """Real time around a FleetTwin."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._twin = FleetTwin(
            deployment=_deployment(options), trace=_trace(options), promise=Promise(options.ttft_s, options.tpot_s)
        )
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set."""
        runner = web.AppRunner(self._routes(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, self._options.port).start()
        tasks = [asyncio.ensure_future(one) for one in (until.wait(), self._look(), self._record())]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await runner.cleanup()
        for task in done:
            task.result()

    async def _look(self) -> None:
        options = self._options
        async with Kubernetes(from_kubeconfig(options.kubeconfig)) as cluster:
            while True:
                try:
                    pods = await cluster.pods(options.namespace, options.selector)
                except ClusterError as problem:
                    # an engine does not stop because the API server does: serve with the pods last seen
                    sys.stderr.write(f"{problem}\n")
                else:
                    self._now().see([Seen.of(pod) for pod in pods])
                await asyncio.sleep(LOOK_EVERY_S)

    async def _record(self) -> None:
        with self._options.record.open("a", encoding="utf-8") as file:
            while True:
                file.write(json.dumps(self._now().truth()) + "\n")
                file.flush()
                await asyncio.sleep(RECORD_EVERY_S)

    def _now(self) -> FleetTwin:
        """The twin, brought up to the present."""
        self._twin.advance(self._clock() - self._began)
        return self._twin

    def _routes(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/targets", self._targets)
        app.router.add_get("/pods/{pod}/metrics", self._metrics)
        app.router.add_get("/truth", self._truth)
        return app

    async def _targets(self, _: web.Request) -> web.Response:
        address, namespace = f"{LOOPBACK}:{self._options.port}", self._options.namespace
        return web.json_response(
            [
                {
                    "targets": [address],
                    "labels": {
                        "__metrics_path__": f"/pods/{pod}/metrics",
                        "instance": pod,
                        "namespace": namespace,
                        "pod": pod,
                    },
                }
                for pod in self._now().scraped
            ]
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        engine = self._now().metrics(request.match_info["pod"])
        if engine is None:
            raise web.HTTPNotFound
        body = exposition(engine, model=self._options.model, old_names=self._options.old_names)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _truth(self, _: web.Request) -> web.Response:
        return web.json_response(self._now().truth())


def _deployment(options: argparse.Namespace) -> Deployment:
    profile = find_profile(model=options.model, gpu=options.gpu, tp=options.tp, own=own_profiles())
    return Deployment(profile=profile, max_num_seqs=options.max_num_seqs)


def _trace(options: argparse.Namespace) -> RequestTrace:
    trace = read_requests(options.trace)
    if options.scale != 1.0:
        trace = trace.scaled(options.scale, seed=options.seed)
    return RequestTrace(
        arrival_s=trace.arrival_s / options.compress,
        prompt_tokens=trace.prompt_tokens,
        output_tokens=trace.output_tokens,
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="foretide.cli.bed.twin", description="Simulated engines behind real pods.")
    for name in ("kubeconfig", "trace", "record"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("namespace", "selector"):
        parser.add_argument(f"--{name}", required=True)
    for name, default in {"model": "Llama-3.1-8B", "gpu": "H100"}.items():
        parser.add_argument(f"--{name}", default=default)
    for name, count in {"port": None, "tp": 1, "max-num-seqs": 256, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=count, required=count is None)
    for name, number in {"compress": 1.0, "scale": 1.0, "ttft-s": 0.5, "tpot-s": 0.025}.items():
        parser.add_argument(f"--{name}", type=float, default=number)
    parser.add_argument("--old-names", action="store_true")
    return parser.parse_args(arguments)


async def _serve(options: argparse.Namespace) -> None:
    until = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, until.set)
    await TwinProcess(options).run(until)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until it is told to end. Bad input is one line and exit code 2."""
    options = _options(arguments)
    try:
        asyncio.run(_serve(options))
    except (BadTrace, BadProfile, NoProfile, NoCredentials, OSError) as problem:
        sys.stderr.write(f"{' '.join(str(problem).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
