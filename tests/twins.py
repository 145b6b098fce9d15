"""In-memory twins of the operator's seams: a clock to turn, a cluster and a Prometheus to fill, a journal to read."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from foretide.operator.gates import AWAKE, Nap, condition
from foretide.operator.seams import Body, ClusterError, Key, Scale, Scrape, Series, TargetRef, Written
from foretide.policies.flow import Trust, frozen

START = 1_700_000_000.0 // 3600 * 3600


@dataclass
class ClockTwin:
    """Time passes when somebody sleeps, or when a test says so; `skew` moves the wall clock alone."""

    time: float = START
    skew: float = 0.0

    def now(self) -> float:
        return self.time + self.skew

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class ClusterTwin:
    """Targets by name with replicas and a version; every pod is ready, since long ago unless `ready_at` says."""

    resources: dict[Key, dict[str, Any]] = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    ready_at: dict[str, float] = field(default_factory=dict)
    other_scalers: list[Body] = field(default_factory=list)
    failing: dict[str, ClusterError] = field(default_factory=dict)
    annotations: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of pods, by name."""
    meddle: Mapping[str, int] = field(default_factory=dict)
    """Target -> count that somebody else writes between our look and our write, once."""
    writes: list[tuple[str, int]] = field(default_factory=list)
    naps: dict[str, str] = field(default_factory=dict)
    """Of pods, by name."""
    gated: bool = False
    """Whether pods have our readiness gate: then they are ready while it is open."""
    held_by: tuple[str, int, str] = ("", 0, "")
    """The placeholder's Deployment, and the priority of its pods and their class; each has a node."""
    unready: set[str] = field(default_factory=set)
    """Pods that still start."""
    manager: str = "foretide"
    """Who wrote replicas last."""
    statuses: dict[Key, dict[str, Any]] = field(default_factory=dict)
    status_writes: int = 0
    events: list[Body] = field(default_factory=list)

    def _may(self, call: str) -> None:
        if call in self.failing:
            raise self.failing[call]

    async def autoscalers(self) -> Sequence[Body]:
        self._may("autoscalers")
        return list(self.resources.values())

    async def scale(self, namespace: str, ref: TargetRef) -> Scale:
        self._may("scale")
        if ref.name not in self.replicas:
            raise ClusterError(f"{ref} not found", status=404)
        return Scale(self.replicas[ref.name], str(self.versions[ref.name]), f"app={ref.name}")

    async def write_scale(self, namespace: str, ref: TargetRef, *, replicas: int, version: str) -> Written:
        self._may("write_scale")
        if ref.name in self.meddle:
            self.replicas[ref.name], self.meddle = self.meddle[ref.name], {}
            self.versions[ref.name] += 1
        if version != str(self.versions[ref.name]):
            return Written.MOVED
        self.writes.append((ref.name, replicas))
        self.manager = "foretide"
        self.replicas[ref.name] = replicas
        self.versions[ref.name] += 1
        return Written.DONE

    async def writer(self, namespace: str, ref: TargetRef) -> str:
        self._may("writer")
        return self.manager

    def set_by_hand(self, name: str, replicas: int, *, manager: str = "kubectl") -> None:
        """Somebody else writes the count."""
        self.replicas[name], self.manager = replicas, manager
        self.versions[name] += 1

    async def pods(self, namespace: str, selector: str) -> Sequence[Body]:
        self._may("pods")
        name = selector.removeprefix("app=")
        names = [f"{name}-{i}" for i in range(self.replicas[name])]
        found = [self._pod(each) for each in names]
        if name == self.held_by[0]:
            spec = {"nodeName": "gpu-0", "priority": self.held_by[1], "priorityClassName": self.held_by[2]}
            return [each | {"spec": spec} for each in found]
        for each in found:
            each["metadata"]["annotations"] = dict(self.annotations.get(each["metadata"]["name"], {}))
        return found

    def _pod(self, name: str) -> dict[str, Any]:
        nap = Nap(self.naps.get(name, ""))
        ready = name not in self.unready and (not self.gated or nap is Nap.AWAKE)
        found = pod(name, ready=ready, ready_at=self.ready_at.get(name))
        if self.gated:
            found["spec"] = {"readinessGates": [{"conditionType": AWAKE}]}
            found["status"]["conditions"].append(condition(nap, time="2023-11-14T22:00:00Z"))
        return found

    async def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str | None]) -> None:
        self._may("annotate_pod")
        kept = {**self.annotations.get(name, {}), **annotations}
        self.annotations[name] = {key: value for key, value in kept.items() if value is not None}

    async def set_nap(self, namespace: str, name: str, nap: str, *, at: float, message: str = "") -> None:
        self._may("set_nap")
        self.naps[name] = nap

    async def rivals(self, namespace: str) -> Sequence[Body]:
        self._may("rivals")
        return self.other_scalers

    async def write_status(self, key: Key, status: Mapping[str, Any]) -> None:
        self._may("write_status")
        self.status_writes += 1
        self.statuses[key] = merged(self.statuses.get(key, {}), status)

    async def emit(self, event: Body) -> None:
        self._may("emit")
        self.events.append(event)


@dataclass
class MetricsTwin:
    """Engines by namespace and pod, each a table of our words over time; `trust` spoils every answer."""

    engines: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    trust: Trust = Trust.FRESH
    asked: list[str] = field(default_factory=list)

    NAMES = {  # noqa: RUF012 (a twin is short-lived)
        "running": "vllm:num_requests_running",
        "waiting": "vllm:num_requests_waiting",
        "finished": "vllm:request_success_total",
        "prompt_tokens": "vllm:request_prompt_tokens_sum",
        "output_tokens": "vllm:request_generation_tokens_sum",
        "gap_s": "vllm:inter_token_latency_seconds_sum",
        "gaps": "vllm:inter_token_latency_seconds_count",
    }

    async def query(self, promql: str, *, at: float) -> Scrape:
        self.asked.append(promql)
        found = re.search(r"\[(\d+)ms\]$", promql)
        assert found, "the loop asks for raw samples of a window"
        return self._scrape(at - int(found[1]) / 1000, at, 0.0)

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        self.asked.append(promql)
        return self._scrape(start, end, step)

    def _scrape(self, start: float, end: float, step: float) -> Scrape:
        if self.trust not in (Trust.FRESH, Trust.PARTIAL):
            return Scrape((), self.trust, "the twin was told to fail")
        series = []
        for (namespace, pod_name), table in self.engines.items():
            at = np.asarray(table["at"])
            rows = (at > start) & (at <= end) if not step else (at >= start) & (at <= end) & (at % step == 0)
            for word, name in self.NAMES.items():
                labels = {"__name__": name, "namespace": namespace, "pod": pod_name}
                if rows.any() and word in table:
                    series.append(Series(labels, frozen(at[rows]), frozen(np.asarray(table[word])[rows])))
        return Scrape(tuple(series), self.trust, "warned" if self.trust is Trust.PARTIAL else "")


@dataclass
class JournalTwin:
    records: list[Mapping[str, Any]] = field(default_factory=list)
    keeps: bool = True

    def append(self, record: Mapping[str, Any]) -> None:
        self.records.append(record)


def merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON merge patch, as the API server applies it."""
    result = dict(old)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            below = result.get(name)
            result[name] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def pod(name: str, *, ready: bool = True, ready_at: float | None = None, **changes: Any) -> dict[str, Any]:
    """A pod that became ready 90 s after its creation."""
    since = datetime.fromtimestamp(START - 600.0 if ready_at is None else ready_at, UTC)
    conditions = [{"type": "PodScheduled", "status": "True"}]
    if ready:
        conditions.append({"type": "Ready", "status": "True", "lastTransitionTime": since.isoformat()})
    labels = {"pod-template-hash": "abc"}
    meta = {"name": name, "labels": labels, "creationTimestamp": (since - timedelta(seconds=90)).isoformat()}
    return {"metadata": meta, "status": {"phase": "Running", "conditions": conditions}, **changes}


def engine(*, rate: float, start: float, end: float, every: float = 15.0, waiting: float = 0.0) -> dict[str, Any]:
    """An engine that takes `rate` requests/s of 1000 prompt and 200 output tokens, scraped from `start` to `end`."""
    at = np.arange(start, end + 0.001, every)
    done = np.maximum(0.0, rate * (at - start))
    flat = np.ones(len(at))
    return {
        "at": at,
        "finished": done,
        "running": 2.0 * flat,
        "waiting": waiting * flat,
        "prompt_tokens": 1000 * done,
        "output_tokens": 200 * done,
    }


def resource(name: str = "llama", **spec: Any) -> dict[str, Any]:
    """A valid InferenceAutoscaler in mode Auto; `spec` replaces fields."""
    usual = {
        "mode": "Auto",
        "model": "llama",
        "objective": {"ttft": {"percentile": 99, "threshold": "500ms"}},
        "pools": [{"targetRef": {"name": name}, "accelerator": "H100", "minReplicas": 1, "maxReplicas": 20}],
    }
    meta = {"namespace": "prod", "name": name, "uid": f"uid-{name}", "generation": 1}
    return {"metadata": meta | {"creationTimestamp": "2023-11-14T21:00:00Z"}, "spec": usual | spec, "status": {}}
