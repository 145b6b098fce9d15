"""The engines behind real pods: the simulated fleet follows the pods that exist, and says what really happened.

Promised: nothing but time, requests and pods goes in; the same ones give the same answers. A ready pod serves; one that
ends drains until it is gone; one that loses readiness loses its requests and starts anew. NOT promised: retries. A
request whose pod vanished is never answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.cli.bed.twin_gateway import Passed
from foretide.simulator.engine_metrics import EngineMetrics, Finished
from foretide.simulator.fleet import Fleet, PodCounters, StartTier
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import RequestTrace

WINDOW_S = 60.0
RATE_WINDOW_S = 10.0
NOT_OURS = StartTier(median_s=1.0, sigma=0.0)
"""Starts take the time that the pods take; the fleet's own cold start is never used."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One pod, as the API server has it."""

    name: str
    uid: str
    ready: bool
    ending: bool = False

    @classmethod
    def of(cls, pod: Mapping[str, Any]) -> "Seen":
        conditions = (pod.get("status") or {}).get("conditions") or []
        ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
        about = pod["metadata"]
        return cls(str(about["name"]), str(about["uid"]), ready=ready, ending="deletionTimestamp" in about)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a request is to get, in seconds."""

    ttft_s: float
    tpot_s: float


class FleetTwin:
    """A simulated fleet whose members are the pods it is shown. Times are seconds since it began."""

    def __init__(self, *, deployment: Deployment, trace: RequestTrace, promise: Promise) -> None:
        self._fleet = Fleet(deployment=deployment, trace=trace, replicas=0, cold_start=NOT_OURS, seed=0)
        self._trace = trace
        self._promise = promise
        self._pods: dict[str, Seen] = {}
        self._engines: dict[str, EngineMetrics] = {}

    def see(self, pods: Sequence[Seen]) -> None:
        """The pods that exist now; those not shown are gone."""
        now = {pod.name: pod for pod in pods}
        for name, before in list(self._pods.items()):
            if name not in now or now[name].uid != before.uid:
                self._leaves(name)
        for pod in pods:
            if pod.name in self._pods:
                self._changes(self._pods[pod.name], pod)
            elif not pod.ending:
                self._joins(pod)

    def advance(self, until: float) -> None:
        """All that happens up to `until`; earlier times are ignored."""
        if until > self._fleet.now:
            self._fleet.advance(until)

    @property
    def scraped(self) -> list[str]:
        """Pods whose engine answers, in order of name."""
        return sorted(self._engines)

    def metrics(self, name: str) -> EngineMetrics | None:
        """What the engine in this pod has counted; None where no engine answers."""
        engine = self._engines.get(name)
        if engine is None:
            return None
        engine.add(Finished.of(self._fleet.observations(name)))
        counters = self._fleet.counters().get(name)
        engine.running = counters.running if counters else 0
        engine.waiting = counters.waiting if counters else 0
        engine.kv_usage = counters.kv_usage if counters else 0.0
        return engine

    def passed(self) -> Passed:
        """What a gateway in front has seen go through."""
        outcome = self._fleet.outcome()
        done = np.isfinite(outcome.e2e_s)
        arrived, finished = len(done), int(done.sum())
        tokens = (self._trace.prompt_tokens, self._trace.output_tokens)
        prompt, output = (int(column[:arrived][done].sum()) for column in tokens)
        return Passed(self._fleet.at_the_door, arrived - finished, finished, prompt, output)

    def truth(self) -> dict[str, Any]:
        """What really happened, for test oracles and plots. Shares are None where nothing is decided yet."""
        fleet, outcome = self._fleet, self._fleet.outcome()
        engines, counts = fleet.counters().values(), fleet.counts()
        arrived, age = len(outcome.arrival_s), fleet.now - outcome.arrival_s
        return {
            "t": round(fleet.now, 3),
            "arrived": arrived,
            "finished": int(np.isfinite(outcome.e2e_s).sum()),
            "ended": arrived == len(self._trace),
            "arrival_rate": float((age < RATE_WINDOW_S).sum()) / min(RATE_WINDOW_S, max(fleet.now, 1.0)),
            "at_the_door": fleet.at_the_door,
            "waiting": fleet.at_the_door + _total(engines, "waiting"),
            "running": _total(engines, "running"),
            "ready": counts.ready,
            "starting": counts.starting,
            "draining": counts.draining,
            "window_s": WINDOW_S,
            "window": self._kept(age < WINDOW_S),
            "all": self._kept(np.ones(arrived, dtype=np.bool_)),
        }

    def _joins(self, pod: Seen) -> None:
        self._pods[pod.name] = pod
        self._fleet.add_replica(pod.name, ready=False)
        if pod.ready:
            self._serves(pod.name)

    def _changes(self, before: Seen, pod: Seen) -> None:
        self._pods[pod.name] = pod
        if before.ending:
            return
        if pod.ending:
            self._fleet.drain(pod.name)
        elif pod.ready and not before.ready:
            self._serves(pod.name)
        elif before.ready and not pod.ready:
            self._leaves(pod.name)
            self._joins(pod)

    def _serves(self, name: str) -> None:
        self._engines[name] = EngineMetrics()
        # The first call begins to watch; later, what waits at the door would be served unseen.
        self._fleet.observations(name)
        self._fleet.mark_ready(name)

    def _leaves(self, name: str) -> None:
        self._pods.pop(name)
        self._engines.pop(name, None)
        self._fleet.remove(name)

    def _kept(self, among: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[str, Any]:
        """Shares kept. `joint` counts a request as broken once it is later than all that it was promised;
        `ttft` and `tpot` are of finished requests only, because a replica tells of both at the end.
        """
        outcome, promise = self._fleet.outcome(), self._promise
        later_tokens = np.maximum(self._trace.output_tokens[: len(outcome.arrival_s)] - 1, 0)
        first_in_time = outcome.ttft_s <= promise.ttft_s
        rest_in_time = (outcome.tpot_s <= promise.tpot_s) | (later_tokens == 0)
        finished = among & np.isfinite(outcome.e2e_s)
        overdue = self._fleet.now - outcome.arrival_s > promise.ttft_s + promise.tpot_s * later_tokens
        decided = finished | (among & overdue)
        return {
            "decided": int(decided.sum()),
            "ttft": _share(first_in_time, finished),
            "tpot": _share(rest_in_time, finished),
            "joint": _share(first_in_time & rest_in_time & np.isfinite(outcome.e2e_s), decided),
        }


def _share(kept: np.ndarray[Any, np.dtype[np.bool_]], decided: np.ndarray[Any, np.dtype[np.bool_]]) -> float | None:
    return float(kept[decided].mean()) if decided.any() else None


def _total(engines: Iterable[PodCounters], gauge: str) -> int:
    return sum(int(getattr(engine, gauge)) for engine in engines)
