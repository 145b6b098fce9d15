"""Cluster over HTTP: the few calls that the operator makes of Kubernetes, with total timeouts and bounded bodies.

Own, small client: the usual ones keep a thread pool per watch, have no timeouts and grow without bound
(reliability.md 3.5). Lists are paged. A 401 re-reads the token once. Nothing else is retried: the sweep is the retry.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import aiohttp

from foretide.operator.credentials import Credentials
from foretide.operator.gates import Nap, condition
from foretide.operator.resource import GROUP, PLURAL, VERSION
from foretide.operator.seams import Body, ClusterError, Key, NotScalable, Scale, TargetRef, Written
from foretide.operator.times import written_time
from foretide.operator.wire import TooLarge, bounded_body, parsed

FIELD_MANAGER = "foretide"
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
MAX_BODY = 32 * 2**20
PAGE = 500
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE = "application/strategic-merge-patch+json"
"""Conditions of a pod are told apart by their type; a merge patch would replace them all."""
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Of a target no more is read than its metadata, whatever its pods are given."""
HPAS = "/apis/autoscaling/v2"
SCALED_OBJECTS = "/apis/keda.sh/v1alpha1"
AUTOSCALERS = f"/apis/{GROUP}/{VERSION}"


class Kubernetes:
    """A Cluster. Use as an async context manager."""

    def __init__(self, credentials: Credentials, *, namespaces: Sequence[str] = ()) -> None:
        self._credentials = credentials
        self._namespaces = tuple(namespaces)
        self._token = credentials.current_token()
        self._plurals: dict[tuple[str, str], str] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._credentials.ssl_context(), limit=16)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, trust_env=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def autoscalers(self) -> Sequence[Body]:
        found: list[Body] = []
        for folder in self._folders():
            found += await self._list(f"{AUTOSCALERS}{folder}/{PLURAL}")
        return found

    async def autoscaler(self, key: Key) -> Body:
        return await self.call("GET", f"{AUTOSCALERS}/namespaces/{key.namespace}/{PLURAL}/{key.name}")

    async def scale(self, namespace: str, ref: TargetRef) -> Scale:
        body = await self.call("GET", await self._scale_path(namespace, ref))
        return Scale(
            replicas=int((body.get("spec") or {}).get("replicas") or 0),
            version=str(body["metadata"]["resourceVersion"]),
            selector=str((body.get("status") or {}).get("selector") or ""),
        )

    async def write_scale(self, namespace: str, ref: TargetRef, *, replicas: int, version: str) -> Written:
        patch = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        try:
            await self._patch(await self._scale_path(namespace, ref), patch)
        except ClusterError as error:
            if error.status == 409:
                return Written.MOVED
            raise
        return Written.DONE

    async def writer(self, namespace: str, ref: TargetRef) -> str:
        path = (await self._scale_path(namespace, ref)).removesuffix("/scale")
        found = await self.call("GET", path, accept=METADATA)
        return _writer((found.get("metadata") or {}).get("managedFields") or ())

    async def pods(self, namespace: str, selector: str) -> Sequence[Body]:
        return await self._list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)

    async def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str | None]) -> None:
        patch = {"metadata": {"annotations": dict(annotations)}}
        await self._patch(f"/api/v1/namespaces/{namespace}/pods/{name}", patch)

    async def set_nap(self, namespace: str, name: str, nap: str, *, at: float, message: str = "") -> None:
        patch = {"status": {"conditions": [condition(Nap(nap), time=written_time(at), message=message[:512])]}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        params = {"fieldManager": FIELD_MANAGER}
        await self.call("PATCH", path, json=patch, params=params, content_type=STRATEGIC_MERGE)

    async def rivals(self, namespace: str) -> Sequence[Body]:
        scaled_objects: list[Body] = []
        try:
            scaled_objects = await self._list(f"{SCALED_OBJECTS}/namespaces/{namespace}/scaledobjects")
        except ClusterError as error:
            if error.status != 404:  # KEDA is not installed
                raise
        # KEDA works through an HPA of its own: the ScaledObject comes first, so that a person is sent to the cause.
        return scaled_objects + await self._list(f"{HPAS}/namespaces/{namespace}/horizontalpodautoscalers")

    async def write_status(self, key: Key, status: Mapping[str, Any]) -> None:
        path = f"{AUTOSCALERS}/namespaces/{key.namespace}/{PLURAL}/{key.name}/status"
        await self._patch(path, {"status": dict(status)})

    async def emit(self, event: Body) -> None:
        namespace = event["metadata"]["namespace"]
        await self.call("POST", f"/api/v1/namespaces/{namespace}/events", json=event)

    async def lease(self, namespace: str, name: str) -> Body:
        return await self.call("GET", f"{_leases(namespace)}/{name}")

    async def create_lease(self, namespace: str, body: Body) -> Body:
        return await self.call("POST", _leases(namespace), json=body)

    async def update_lease(self, namespace: str, name: str, body: Body) -> Body:
        return await self.call("PUT", f"{_leases(namespace)}/{name}", json=body)

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """One request, one JSON object. Raises ClusterError with the API server's own message."""
        headers = {"Accept": accept} | ({"Content-Type": content_type} if json is not None else {})
        status, body = await self._send(method, path, json, params, headers)
        if status == 401 and self._renewed_token():
            status, body = await self._send(method, path, json, params, headers)
        content = parsed(body)
        if status >= 300:
            message = content.get("message") if isinstance(content, dict) else None
            raise ClusterError(f"{method} {path}: {status} {str(message or 'no message')[:300]}", status=status)
        if not isinstance(content, dict):
            raise ClusterError(f"{method} {path}: the answer is no JSON object", status=status)
        return content

    async def _send(
        self, method: str, path: str, json: Any, params: Mapping[str, str] | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise RuntimeError("Kubernetes is to be used as an async context manager")
        if self._token:
            headers = headers | {"Authorization": f"Bearer {self._token}"}
        url = self._credentials.server + path
        try:
            async with self._session.request(
                method, url, json=json, params=params, headers=headers, allow_redirects=False
            ) as response:
                return response.status, await bounded_body(response, MAX_BODY)
        except (TimeoutError, aiohttp.ClientError, TooLarge, OSError) as error:
            raise ClusterError(f"{method} {path}: {type(error).__name__}") from error

    async def _patch(self, path: str, patch: Mapping[str, Any]) -> None:
        await self.call("PATCH", path, json=patch, params={"fieldManager": FIELD_MANAGER}, content_type=MERGE_PATCH)

    async def _list(self, path: str, **params: str) -> list[Body]:
        items: list[Body] = []
        query = {"limit": str(PAGE), **params}
        while True:
            page = await self.call("GET", path, params=query)
            items += page.get("items") or []
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return items
            query["continue"] = following

    async def _scale_path(self, namespace: str, ref: TargetRef) -> str:
        folder = f"/apis/{ref.api_version}" if "/" in ref.api_version else f"/api/{ref.api_version}"
        return f"{folder}/namespaces/{namespace}/{await self._plural(folder, ref)}/{ref.name}/scale"

    async def _plural(self, folder: str, ref: TargetRef) -> str:
        """The resource name of a kind, from discovery. ClusterError 404 when the kind has no /scale."""
        known = self._plurals.get((folder, ref.kind))
        if known:
            return known
        found = await self.call("GET", folder)
        names = {item["name"]: item for item in found.get("resources") or []}
        for name, item in names.items():
            if item.get("kind") == ref.kind and "/" not in name:
                if f"{name}/scale" not in names:
                    raise NotScalable(f"{ref.api_version} {ref.kind} has no scale subresource", status=404)
                self._plurals[folder, ref.kind] = str(name)
                return str(name)
        raise NotScalable(f"{ref.api_version} has no kind {ref.kind}", status=404)

    def _folders(self) -> Sequence[str]:
        return [f"/namespaces/{name}" for name in self._namespaces] if self._namespaces else [""]

    def _renewed_token(self) -> bool:
        before, self._token = self._token, self._credentials.current_token()
        return self._token != before


def _writer(managed: Sequence[Body]) -> str:
    """Of the managers of `spec.replicas` the newest."""
    owning = [entry for entry in managed if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})]
    newest = max(owning, key=lambda entry: str(entry.get("time") or ""), default={})
    return str(newest.get("manager") or "")


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
