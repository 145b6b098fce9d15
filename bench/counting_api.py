"""A Kubernetes API in memory behind the operator's own client, and a Prometheus of idle gateways: both count.

Every request that the client would put on the wire is counted by what it does. Bodies go through JSON as they would.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretide.operator.credentials import Credentials
from foretide.operator.kube import Kubernetes
from foretide.operator.seams import Scrape, Series
from foretide.policies.flow import Trust, frozen

DAY_S, BURSTS_S = 86400.0, 10800.0
CREATED = "2026-01-01T00:00:00Z"
READY = [
    {"type": "PodScheduled", "status": "True", "lastTransitionTime": CREATED},
    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:01:30Z"},
]
SCALE = re.compile(r"/apis/apps/v1/namespaces/([^/]+)/deployments/([^/]+)/scale$")
PODS = re.compile(r"/api/v1/namespaces/([^/]+)/pods$")
STATUS = re.compile(r"/inferenceautoscalers/[^/]+/status$")


@dataclass
class World:
    """Deployments with their counts, and the resources that scale them."""

    replicas: dict[tuple[str, str], int] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def answer(self, method: str, path: str, params: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The body that an API server would send."""
        if found := SCALE.search(path):
            self.requests["GET scale" if method == "GET" else "PATCH scale"] += 1
            if body:
                self.replicas[found[1], found[2]] = json.loads(body)["spec"]["replicas"]
            return self._scale(found[1], found[2])
        if found := PODS.search(path):
            self.requests["LIST pods"] += 1
            return self._pods(found[1], params["labelSelector"].removeprefix("app="))
        if STATUS.search(path):
            self.requests["PATCH status"] += 1
            return {}
        return self._others(method, path)

    def _others(self, method: str, path: str) -> dict[str, Any]:
        if path == "/apis/apps/v1":
            self.requests["discovery"] += 1
            kinds = [{"name": name, "kind": "Deployment"} for name in ("deployments", "deployments/scale")]
            return {"resources": kinds}
        if path.endswith("/inferenceautoscalers"):
            self.requests["LIST resources"] += 1
            return {"items": self.resources, "metadata": {}}
        if path.endswith("/events"):
            self.requests["POST event"] += 1
            return {}
        self.requests["LIST other autoscalers" if method == "GET" else f"{method} other"] += 1
        return {"items": [], "metadata": {}}

    def _scale(self, namespace: str, name: str) -> dict[str, Any]:
        count = self.replicas[namespace, name]
        status = {"replicas": count, "selector": f"app={name}"}
        return {"metadata": {"resourceVersion": "1"}, "spec": {"replicas": count}, "status": status}

    def _pods(self, namespace: str, name: str) -> dict[str, Any]:
        return {"items": [pod(f"{name}-{i}") for i in range(self.replicas[namespace, name])], "metadata": {}}


class CountingApi(Kubernetes):
    """The operator's client, whose requests end here."""

    def __init__(self, world: World) -> None:
        super().__init__(Credentials(server="https://nowhere"))
        self.world = world

    async def _send(
        self,
        method: str,
        path: str,
        json: Any,
        params: Mapping[str, str] | None,
        headers: dict[str, str],  # noqa: ARG002 (as the client has it)
    ) -> tuple[int, bytes]:
        body = dumped(json) if json is not None else b""
        return 200, dumped(self.world.answer(method, path, params or {}, body))


class Gateways:
    """A metric source with one endpoint picker per target, all alike, scraped every 15 s since for ever."""

    LABELS = re.compile(r'pod=~"(.+?)-\.\+"')
    STEP_S = 15.0

    def __init__(self, pods: Mapping[str, str], *, rate: float, burst: int, around: float) -> None:
        """`rate` requests/s at random, and a `burst` of them every three hours, for two days `around` a time."""
        self._pods = pods
        """Gateway -> namespace."""
        self._from = around - 1.5 * DAY_S
        at = self._from + np.arange(2 * DAY_S / self.STEP_S) * self.STEP_S
        came = np.random.default_rng(1).poisson(rate * self.STEP_S, len(at))
        self._done = np.cumsum(came) + burst * np.floor(at / BURSTS_S)
        self.queries = 0

    async def query(self, promql: str, *, at: float) -> Scrape:
        found = re.search(r"\[(\d+)ms\]$", promql)
        assert found, "the loop asks for raw samples of a window"
        first = np.ceil((at - int(found[1]) / 1000) / self.STEP_S) * self.STEP_S
        return self._scrape(promql, np.arange(first, at + 1e-9, self.STEP_S))

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        return self._scrape(promql, np.arange(start, end + 1e-9, step))

    def _scrape(self, promql: str, at: np.ndarray[Any, Any]) -> Scrape:
        self.queries += 1
        asked = self.LABELS.search(promql)
        assert asked, "every target names its gateway"
        wanted = re.compile(asked[1].replace("\\\\", "\\"))
        return Scrape(
            tuple(one for name in self._pods if wanted.fullmatch(name) for one in self._gateway(name, at)), Trust.FRESH
        )

    def _gateway(self, name: str, at: np.ndarray[Any, Any]) -> list[Series]:
        done = frozen(self._done[((at - self._from) / self.STEP_S).astype(np.int64)])
        idle = frozen(np.zeros(len(at)))
        told = {
            "llm_d_epp_request_running": idle,
            "llm_d_epp_per_endpoint_queue_size": idle,
            "llm_d_epp_flow_control_queue_size": idle,
            "llm_d_epp_request_duration_seconds_count": done,
            "llm_d_epp_request_input_tokens_sum": frozen(1000 * done),
            "llm_d_epp_request_output_tokens_sum": frozen(200 * done),
        }
        place = {"namespace": self._pods[name], "pod": f"{name}-0"}
        return [Series({"__name__": metric, **place}, frozen(at), values) for metric, values in told.items()]


def pod(name: str) -> dict[str, Any]:
    """One that is ready since long ago."""
    meta = {"name": name, "labels": {"pod-template-hash": "abc"}, "creationTimestamp": CREATED}
    return {"metadata": meta, "status": {"phase": "Running", "conditions": READY}}


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()
