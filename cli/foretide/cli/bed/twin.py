"""The fleet twin as a process (`foretide dev twin`): it watches pods, serves requests, answers scrapes.

    /targets              the pods with a ready engine, for Prometheus' http_sd_configs
    /pods/POD/metrics     what vLLM in that pod would say
    /pods/POD/sleep       and /wake_up, /is_sleeping: as vLLM has them
    /gateway/metrics      what a gateway in front would say, where one is named
    /truth                what really happened, for test oracles

Promised: time is real, engines are simulated. NOT promised: that it ends with its trace. The engines stay, idle, until
the process is ended.
"""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from foretide.cli.bed.fleet_twin import FleetTwin, Promise, Seen
from foretide.cli.bed.traffic import Load
from foretide.cli.bed.twin_gateway import gateway_page
from foretide.cli.bed.twin_sleep import Sleepers
from foretide.cli.bed.vllm_metrics import exposition
from foretide.operator.credentials import Credentials
from foretide.operator.kube import Kubernetes
from foretide.operator.seams import Body, ClusterError
from foretide.policies.flow import Floats, frozen
from foretide.simulator.profile_file import own_profiles
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace, read_requests

LOOK_EVERY_S = 0.5
RECORD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a twin listens, and how it reaches the pods."""

    host: str
    port: int
    address: str
    """HOST:PORT by which Prometheus reaches it."""
    credentials: Credentials
    record: Path | None = None
    """Where the truth of every second is kept, as lines of JSON."""


class TwinProcess:
    """Real time around a FleetTwin. Raises BadTrace, BadProfile or NoProfile for a load that cannot be served."""

    def __init__(self, load: Load, place: Place) -> None:
        self._load, self._place = load, place
        self._twin = FleetTwin(
            deployment=_deployment(load), trace=_trace(load), promise=Promise(load.ttft_s, load.tpot_s)
        )
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._sleepers = Sleepers(wake_s=load.wake_s, clock=self._clock)

    async def run(self, until: asyncio.Event) -> None:
        """Serves until the event is set."""
        runner = web.AppRunner(self._routes(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, self._place.host, self._place.port).start()
        keeping = (self._record(self._place.record),) if self._place.record else ()
        tasks = [asyncio.ensure_future(one) for one in (until.wait(), self._look(), *keeping)]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await runner.cleanup()
        for task in done:
            task.result()

    async def _look(self) -> None:
        async with Kubernetes(self._place.credentials) as cluster:
            while True:
                try:
                    pods = await cluster.pods(self._load.namespace, self._load.selector)
                except ClusterError as problem:
                    # an engine does not stop because the API server does: serve with the pods last seen
                    sys.stderr.write(f"{problem}\n")
                else:
                    self._now().see([self._seen(pod) for pod in pods])
                await asyncio.sleep(LOOK_EVERY_S)

    def _seen(self, pod: Body) -> Seen:
        """An engine that sleeps takes nothing, whatever its pod says."""
        found = Seen.of(pod)
        return replace(found, ready=found.ready and not self._sleepers.sleeps(found.name))

    async def _record(self, path: Path) -> None:
        with path.open("a", encoding="utf-8") as file:
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
        app.router.add_get("/gateway/metrics", self._gateway)
        app.router.add_get("/truth", self._truth)
        app.router.add_routes(self._sleepers.routes())
        return app

    async def _targets(self, _: web.Request) -> web.Response:
        found = [self._target(pod, f"/pods/{pod}/metrics") for pod in self._now().scraped]
        gateway = self._load.gateway
        return web.json_response([*found, *([self._target(f"{gateway}-0", "/gateway/metrics")] if gateway else [])])

    def _target(self, pod: str, path: str) -> dict[str, Any]:
        where = {"instance": pod, "namespace": self._load.namespace, "pod": pod}
        return {"targets": [self._place.address], "labels": {"__metrics_path__": path, **where}}

    async def _gateway(self, _: web.Request) -> web.Response:
        if not self._load.gateway:
            raise web.HTTPNotFound
        body = gateway_page(self._now().passed(), model=self._load.model)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _metrics(self, request: web.Request) -> web.Response:
        engine = self._now().metrics(request.match_info["pod"])
        if engine is None:
            raise web.HTTPNotFound
        body = exposition(engine, model=self._load.model, old_names=self._load.old_names)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _truth(self, _: web.Request) -> web.Response:
        return web.json_response(self._now().truth())


def _deployment(load: Load) -> Deployment:
    profile = find_profile(model=load.model, gpu=load.gpu, tp=load.tp, own=own_profiles())
    return Deployment(profile=profile, max_num_seqs=load.max_num_seqs)


def _trace(load: Load) -> RequestTrace:
    trace = read_requests(load.trace)
    if load.scale != 1.0:
        trace = trace.scaled(load.scale, seed=load.seed)
    return RequestTrace(
        arrival_s=repeated(trace.arrival_s / load.compress, times=load.repeat),
        prompt_tokens=np.tile(trace.prompt_tokens, load.repeat),
        output_tokens=np.tile(trace.output_tokens, load.repeat),
    )


def repeated(arrival_s: Floats, *, times: int) -> Floats:
    """The arrivals, `times` times over; between two rounds lies a mean gap, so that the rate stays what it is."""
    if times == 1 or not len(arrival_s):
        return arrival_s
    last = float(arrival_s[-1])
    period = last + last / max(len(arrival_s) - 1, 1)
    return frozen(np.concatenate([arrival_s + period * turn for turn in range(times)]))


async def serve_twin(load: Load, place: Place) -> None:
    """Runs until it is told to end. Raises what TwinProcess raises, and OSError where it cannot listen."""
    until = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, until.set)
    await TwinProcess(load, place).run(until)
