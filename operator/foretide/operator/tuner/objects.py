"""Any object of a namespace, read and changed by a JSON patch under a field manager of our own.

What is NOT promised: rights. The chart grants them for the kinds that its `tuner.knobs` lists, and for no others.
"""

from enum import StrEnum
from typing import Any, Protocol

from foretide.operator.seams import Body, ClusterError, TargetRef
from foretide.operator.tuner.knob import Patch

FIELD_MANAGER = "foretide-tuner"
JSON_PATCH = "application/json-patch+json"


class Put(StrEnum):
    DONE = "done"
    MOVED = "moved"
    """Something that the patch relies on is no longer as it was read."""


class Caller(Protocol):
    """What of `Kubernetes` is needed here."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]: ...


class Objects:
    """Both calls raise ClusterError."""

    def __init__(self, cluster: Caller) -> None:
        self._cluster = cluster
        self._plurals: dict[tuple[str, str], str] = {}

    async def get(self, namespace: str, ref: TargetRef) -> Body:
        return await self._cluster.call("GET", await self._path(namespace, ref))

    async def put(self, namespace: str, ref: TargetRef, patch: Patch) -> Put:
        """Never retried here. A patch whose tests fail is answered with 422, as is one that makes no sense."""
        path, params = await self._path(namespace, ref), {"fieldManager": FIELD_MANAGER}
        try:
            await self._cluster.call("PATCH", path, json=patch, params=params, content_type=JSON_PATCH)
        except ClusterError as error:
            if error.status in (409, 422) and not await self._still_fits(path, patch):
                return Put.MOVED
            raise
        return Put.DONE

    async def _still_fits(self, path: str, patch: Patch) -> bool:
        body = await self._cluster.call("GET", path)
        return all(_at(body, one["path"]) == one["value"] for one in patch if one["op"] == "test")

    async def _path(self, namespace: str, ref: TargetRef) -> str:
        folder = f"/apis/{ref.api_version}" if "/" in ref.api_version else f"/api/{ref.api_version}"
        return f"{folder}/namespaces/{namespace}/{await self._plural(folder, ref)}/{ref.name}"

    async def _plural(self, folder: str, ref: TargetRef) -> str:
        if known := self._plurals.get((folder, ref.kind)):
            return known
        found = await self._cluster.call("GET", folder)
        for item in found.get("resources") or []:
            if item.get("kind") == ref.kind and "/" not in item["name"]:
                if not item.get("namespaced"):
                    raise ClusterError(f"kind {ref.kind} lies in no namespace; name an object of one", status=400)
                self._plurals[folder, ref.kind] = str(item["name"])
                return str(item["name"])
        raise ClusterError(f"{ref.api_version} has no kind {ref.kind}; correct apiVersion or kind", status=404)


def _at(body: Any, pointer: str) -> Any:
    """The value at a JSON pointer; None where there is none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            body = body[int(name)] if isinstance(body, list) else body[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return body
