"""Any object by its kind: the path from discovery, the patch under our name, and who was faster."""

from typing import Any

import pytest
from patching import applied

from foretide.operator.seams import ClusterError, TargetRef
from foretide.operator.tuner.objects import Objects, Put

REF = TargetRef("v1", "ConfigMap", "llama")
PATCH = [
    {"op": "test", "path": "/data/a~1b", "value": "1"},
    {"op": "replace", "path": "/data/a~1b", "value": "2"},
]


class Server:
    """Knows one ConfigMap; `fails` is what the next patch is answered with."""

    def __init__(self, fails: ClusterError | None = None) -> None:
        self.body: dict[str, Any] = {"data": {"a/b": "1"}}
        self.fails, self.asked = fails, list[tuple[str, str]]()

    async def call(
        self, method: str, path: str, *, json: Any = None, params: Any = None, content_type: str = ""
    ) -> dict[str, Any]:
        self.asked.append((method, path))
        if path == "/api/v1":
            kinds = [("configmaps", "ConfigMap", True), ("pods/log", "Pod", True), ("nodes", "Node", False)]
            return {"resources": [{"name": name, "kind": kind, "namespaced": here} for name, kind, here in kinds]}
        if method == "PATCH":
            assert (params, content_type) == ({"fieldManager": "foretide-tuner"}, "application/json-patch+json")
            if self.fails:
                raise self.fails
            self.body = applied(self.body, json)
        return self.body


async def test_a_kind_is_found_once_and_its_object_changed() -> None:
    server = Server()
    objects = Objects(server)
    assert await objects.put("prod", REF, PATCH) is Put.DONE
    assert await objects.get("prod", REF) == {"data": {"a/b": "2"}}
    path = "/api/v1/namespaces/prod/configmaps/llama"
    assert server.asked == [("GET", "/api/v1"), ("PATCH", path), ("GET", path)]


async def test_a_test_that_failed_because_somebody_wrote_is_a_move_and_else_a_refusal() -> None:
    server = Server(ClusterError("no", status=422))
    with pytest.raises(ClusterError):
        await Objects(server).put("prod", REF, PATCH)
    server.body = {"data": {"a/b": "9"}}
    assert await Objects(server).put("prod", REF, PATCH) is Put.MOVED
    server.body = {"data": {}}
    assert await Objects(server).put("prod", REF, PATCH) is Put.MOVED


@pytest.mark.parametrize(("kind", "why"), [("Node", "lies in no namespace"), ("Pod", "has no kind Pod")])
async def test_a_kind_that_is_none_or_lies_in_no_namespace_is_refused(kind: str, why: str) -> None:
    with pytest.raises(ClusterError, match=why):
        await Objects(Server()).get("prod", TargetRef("v1", kind, "x"))
