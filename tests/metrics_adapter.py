"""An adapter for `external.metrics.k8s.io` and `custom.metrics.k8s.io`: HPAs ask it, a test decides the answer.

It is registered as KEDA's and Prometheus' adapters are, through APIServices, whose Service here is only another name
for `localhost`, with a certificate of an authority of its own. An HPA asks once per sync, after it has read the scale
of its target and before it decides: what a test changes while it answers is seen from the next sync on, never before.
"""

import json
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.certificates import Authority, KeyPair
from foretide.cli.bed.processes import LOOPBACK, free_port, wait_for

EXTERNAL, CUSTOM = ("external.metrics.k8s.io", "v1beta1"), ("custom.metrics.k8s.io", "v1beta2")
SERVICE = "metrics-adapter"

Told = Mapping[str, str]
"""Quantities as Kubernetes writes them, by pod or, of an external metric, by series. None is no metric."""
Answer = Callable[[str], Awaitable[Told]]
"""The name of the metric -> what its HPA is told."""


@dataclass(slots=True)
class Adapter:
    """A running adapter."""

    port: int
    answer: Answer

    async def external(self, request: web.Request) -> web.Response:
        metric = request.match_info["metric"]
        told, stamp = await self.answer(metric), _now()
        items = [
            {"metricName": metric, "metricLabels": {"series": series}, "timestamp": stamp, "value": value}
            for series, value in told.items()
        ]
        return _list("ExternalMetricValueList", EXTERNAL, items)

    async def of_pods(self, request: web.Request) -> web.Response:
        metric, namespace = request.match_info["metric"], request.match_info["namespace"]
        told, stamp = await self.answer(metric), _now()
        items = [
            {
                "describedObject": {"kind": "Pod", "apiVersion": "v1", "namespace": namespace, "name": pod},
                "metric": {"name": metric},
                "timestamp": stamp,
                "value": value,
            }
            for pod, value in told.items()
        ]
        return _list("MetricValueList", CUSTOM, items)


@asynccontextmanager
async def serving(namespace: str, folder: Path, answer: Answer) -> AsyncIterator[Adapter]:
    """An adapter that the bed's API server can forward to, until the context ends."""
    authority = Authority("adapter-ca", folder)
    pair = authority.issue("adapter", hosts=(f"{SERVICE}.{namespace}.svc", "localhost"))
    adapter = Adapter(free_port(), answer)
    application = web.Application()
    for api in (EXTERNAL, CUSTOM):
        application.router.add_get(_root(api), _discovery(api))
    application.router.add_get(f"{_root(EXTERNAL)}/namespaces/{{namespace}}/{{metric}}", adapter.external)
    application.router.add_get(f"{_root(CUSTOM)}/namespaces/{{namespace}}/pods/{{all}}/{{metric}}", adapter.of_pods)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, adapter.port, ssl_context=_tls(pair)).start()
        yield adapter
    finally:
        await runner.cleanup()


def register(bed: Bed, namespace: str, folder: Path, port: int) -> None:
    """Tells the API server about the adapter, and waits until it has found it."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    bed.apply(service, namespace=namespace)
    authority = (folder / "adapter-ca.crt").read_bytes()
    bed.apply(*(_api_service(api, namespace, authority, port) for api in (EXTERNAL, CUSTOM)))
    wait_for(lambda: _available(bed), what="the APIServices of the metrics")


def unregister(bed: Bed) -> None:
    """Must be called: no namespace can be deleted while an APIService leads nowhere."""
    names = [f"{version}.{group}" for group, version in (EXTERNAL, CUSTOM)]
    bed.kubectl("delete", "apiservice", *names, "--ignore-not-found")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _root(api: tuple[str, str]) -> str:
    return f"/apis/{api[0]}/{api[1]}"


def _discovery(api: tuple[str, str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def discover(_: web.Request) -> web.Response:
        content = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "/".join(api), "resources": []}
        return web.Response(text=json.dumps(content), content_type="application/json")

    return discover


def _list(kind: str, api: tuple[str, str], items: list[dict[str, Any]]) -> web.Response:
    content = {"kind": kind, "apiVersion": "/".join(api), "metadata": {}, "items": items}
    return web.Response(text=json.dumps(content), content_type="application/json")


def _api_service(api: tuple[str, str], namespace: str, authority: bytes, port: int) -> dict[str, Any]:
    group, version = api
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"name": SERVICE, "namespace": namespace, "port": port},
            "caBundle": b64encode(authority).decode("ascii"),
        },
    }


def _available(bed: Bed) -> bool:
    services = [bed.get("apiservice", f"{version}.{group}") for group, version in (EXTERNAL, CUSTOM)]
    conditions = [service.get("status", {}).get("conditions", ()) for service in services]
    return all(any((one["type"], one["status"]) == ("Available", "True") for one in each) for each in conditions)


def _tls(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
