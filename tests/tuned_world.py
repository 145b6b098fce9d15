"""A fleet with a limit in an object, for the tuner's shipped turns: its engines count, and somebody may meddle."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from patching import applied
from twins import START, merged, pod, resource

from foretide.operator.kube import AUTOSCALERS
from foretide.operator.seams import Body, ClusterError, Scale, Scrape, Series, TargetRef
from foretide.operator.settings import Settings, SourceSettings
from foretide.operator.tuner.endpoints import Endpoints
from foretide.operator.tuner.looking import Looking
from foretide.operator.tuner.objects import Objects
from foretide.operator.tuner.told import Told
from foretide.operator.tuner.turns import Turner
from foretide.operator.tuner.writing import Writing
from foretide.policies.flow import Trust, frozen

WINDOW_S, SCRAPE_S = 60.0, 15.0
BEST = 69
"""n* of an 8B model on one H100 at 4000 prompt and 200 output tokens and a TPOT of 50 ms."""
MAP, DEPLOYMENT = ("ConfigMap", "llama"), ("Deployment", "llama")
KNOB = {"objectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "llama"}, "fieldPath": "data.limit"}
ARGUMENT = {
    "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
    "fieldPath": "spec.template.spec.containers[engine].args[--max-num-seqs]",
}
KINDS = {
    "/api/v1": [("ConfigMap", "configmaps", True), ("Namespace", "namespaces", False)],
    "/apis/apps/v1": [("Deployment", "deployments", True)],
}


def config_map(limit: object = "100", name: str = "llama") -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": name, "uid": f"map-{name}"}, "data": {"limit": limit}}


def tuned(mode: str = "Auto", knob: Any = KNOB, **concurrency: Any) -> dict[str, Any]:
    return resource(
        mode=mode,
        model="Llama-3.1-8B",
        objective={"ttft": {"threshold": "2s"}, "tpot": {"threshold": "50ms"}},
        concurrency={"knob": knob, "min": 8, "max": 256, **concurrency},
    )


@dataclass
class World:
    """One resource, its object, and pods whose shares of good requests depend on the limit that each runs."""

    body: dict[str, Any] = field(default_factory=tuned)
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=lambda: {MAP: config_map()})
    pods_of: dict[str, list[str]] = field(default_factory=lambda: {"app=llama": ["llama-0", "llama-1", "llama-2"]})
    share: Callable[[int], float] = lambda _: 0.9
    limit_of: Callable[["World", str], int] = lambda world, _: world.mapped()
    requests: int = 400
    """Each pod ends in a window."""
    busy: float = 100.0
    prompt: float = 4000.0
    template: str = "abc"
    ready_at: float = START - 7200.0
    ready: bool = True
    leads: bool = True
    trust: Trust = Trust.FRESH
    failing: dict[str, ClusterError] = field(default_factory=dict)
    """By method."""
    meddle: Callable[["World"], None] | None = None
    """Somebody between our look and our write."""
    now: float = START
    rows: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    patches: list[Any] = field(default_factory=list)
    endpoints: Endpoints = field(default_factory=lambda: Endpoints({}))

    def __post_init__(self) -> None:
        source = SourceSettings("default", "http://prometheus:9090", scrape_s=SCRAPE_S)
        settings = Settings({"default": source}, "test", cache=Path("/nowhere"))
        objects, sources = Objects(self), {"default": self}
        self.turner = Turner(
            looking=Looking(
                cluster=self,
                objects=objects,
                endpoints=self.endpoints,
                sources=sources,
                settings=settings,
                window_s=WINDOW_S,
            ),
            writing=Writing(
                cluster=self,
                objects=objects,
                endpoints=self.endpoints,
                leads=lambda: self.leads,
                identity="test",
            ),
            start_s=120.0,
            window_s=WINDOW_S,
        )

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["status"]["concurrency"]
        return found

    @property
    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.events]

    def mapped(self) -> int:
        """The limit of the ConfigMap, where there is one."""
        written = str(self.objects.get(MAP, config_map())["data"]["limit"])
        return int(written) if written.isdecimal() else 100

    async def window(self, count: int = 1) -> Told | None:
        """A window passes and is looked at; the last of so many."""
        found = None
        for _ in range(count):
            self._pass()
            found = await self.turner.turn(self.body, now=self.now)
        return found

    def _pass(self) -> None:
        for _ in range(int(WINDOW_S / SCRAPE_S)):
            self.now += SCRAPE_S
            for names in self.pods_of.values():
                for name in names:
                    self._count(name)

    def _count(self, name: str) -> None:
        rows = self.rows.setdefault(name, [(self.now - SCRAPE_S, 0.0, 0.0)])
        ended = self.requests * SCRAPE_S / WINDOW_S
        _, done, good = rows[-1]
        rows.append((self.now, done + ended, good + ended * self.share(self.limit_of(self, name))))

    # what Kubernetes is asked

    async def scale(self, namespace: str, ref: TargetRef) -> Scale:
        return Scale(3, "1", "app=llama")

    async def pods(self, namespace: str, selector: str) -> list[Body]:
        found = [pod(name, ready=self.ready, ready_at=self.ready_at) for name in self.pods_of.get(selector, [])]
        for each in found:
            each["metadata"]["labels"] = {"pod-template-hash": self.template}
        return list(found)

    async def emit(self, event: Body) -> None:
        self.events.append(event)

    async def call(
        self, method: str, path: str, *, json: Any = None, params: Any = None, content_type: str = ""
    ) -> dict[str, Any]:
        if path in KINDS:
            kinds = [{"kind": kind, "name": name, "namespaced": inside} for kind, name, inside in KINDS[path]]
            return {"resources": kinds}
        if path.startswith(AUTOSCALERS):
            return self._status(json)
        if method in self.failing:
            raise self.failing[method]
        name = path.rpartition("/")[2]
        key = ("ConfigMap" if "configmaps" in path else "Deployment", name)
        if key not in self.objects:
            raise ClusterError(f"{method} {path}: 404", status=404)
        if method == "PATCH":
            self._patch(key, json, params)
        return self.objects[key]

    def _status(self, change: Any) -> dict[str, Any]:
        if "status" in self.failing:
            raise self.failing["status"]
        self.body["status"] = merged(self.body["status"], change["status"])
        return self.body

    def _patch(self, key: tuple[str, str], patch: Any, params: Any) -> None:
        assert params == {"fieldManager": "foretide-tuner"}
        if self.meddle is not None:
            self.meddle(self)
            self.meddle = None
        try:
            self.objects[key] = applied(self.objects[key], patch)
        except AssertionError as error:
            raise ClusterError("a test failed", status=422) from error
        self.patches.append(patch)

    # what Prometheus is asked

    async def query(self, promql: str, *, at: float) -> Scrape:
        if self.trust is not Trust.FRESH:
            return Scrape((), self.trust, "source default: unreachable")
        found = re.search(r"\[(\d+)ms\]$", promql)
        assert found
        start = at - int(found[1]) / 1000
        made = self._latencies if "_bucket" in promql else self._counters
        return Scrape(tuple(one for name in self.rows for one in made(name, start, at)), Trust.FRESH)

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        raise NotImplementedError

    def _counters(self, name: str, start: float, end: float) -> list[Series]:
        at, done, _ = self._columns(name, start, end)
        flat = np.ones(len(at))
        values = {
            "vllm:num_requests_running": self.busy * flat,
            "vllm:num_requests_waiting": 0.0 * flat,
            "vllm:request_success_total": done,
            "vllm:request_prompt_tokens_sum": self.prompt * done,
            "vllm:request_generation_tokens_sum": 200.0 * done,
        }
        labels = {"namespace": "prod", "pod": name}
        return [Series({"__name__": metric, **labels}, at, frozen(value)) for metric, value in values.items()]

    def _latencies(self, name: str, start: float, end: float) -> list[Series]:
        at, done, good = self._columns(name, start, end)
        labels = {"namespace": "prod", "pod": name}
        found = []
        for metric, within in (("vllm:time_to_first_token_seconds", done),
                               ("vllm:request_time_per_output_token_seconds", good)):  # fmt: skip
            for le, value in (("0.05", within), ("2.5", done), ("+Inf", done)):
                found.append(Series({"__name__": f"{metric}_bucket", "le": le, **labels}, at, frozen(value)))
        return found

    def _columns(self, name: str, start: float, end: float) -> tuple[Any, ...]:
        rows = np.array([row for row in self.rows[name] if start < row[0] <= end]).reshape(-1, 3)
        return tuple(frozen(column) for column in rows.T)
