"""The admin's allow-list of endpoints: what is an address, for whom it is, and what is sent to it."""

from typing import Any

import pytest

from foretide.operator.seams import Key
from foretide.operator.settings import BadSettings
from foretide.operator.tuner.endpoint import EndpointSettings, offered

OWN = "http://gateway.{namespace}.svc:8001/limits/{name}"


def endpoint(**changes: Any) -> EndpointSettings:
    return EndpointSettings(**({"name": "gateway", "address": OWN} | changes))


def test_a_resource_fills_in_its_namespace_and_its_name_and_nothing_else() -> None:
    assert endpoint().url(Key("prod", "llama")) == "http://gateway.prod.svc:8001/limits/llama"


def test_an_address_for_all_is_open_to_those_that_are_named() -> None:
    shared = endpoint(address="http://gateway:8001/limit", namespaces=("prod",))
    assert shared.is_open_to("prod")
    assert not shared.is_open_to("other")
    assert endpoint().is_open_to("other")
    assert offered([shared, endpoint(name="own")], "prod") == "the admin offers: gateway, own"
    assert offered([shared], "other") == "the admin offers none to this namespace"


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("PUT", {"other": 1, "limits": {"max": 64, "rate": 5}}),
        ("PATCH", {"limits": {"max": 64}}),
        ("POST", {"limits": {"max": 64}}),
    ],
)
def test_a_put_sends_what_was_read_and_the_others_the_number_alone(method: str, sent: dict[str, Any]) -> None:
    body = {"other": 1, "limits": {"max": 100, "rate": 5}}
    assert endpoint(method=method, field="limits.max").message(body, 64) == sent
    assert body["limits"] == {"max": 100, "rate": 5}


def test_a_text_stays_a_text() -> None:
    assert endpoint().message({"limit": "100"}, 64) == {"limit": "64"}


REFUSED = [
    ({"address": "gateway:8001"}, "endpoint gateway: address 'gateway:8001': write http(s)://HOST[:PORT]/PATH"),
    ({"address": "ftp://{namespace}/x"}, "write http(s)://HOST[:PORT]/PATH"),
    ({"address": "http://{namespace}/x?limit=1"}, "write http(s)://HOST[:PORT]/PATH"),
    ({"address": "http://me:secret@{namespace}/x"}, "address carries a user; put the token into a file instead"),
    ({"address": "http://{name}.{namespace}.svc/x"}, "{namespace} may stand anywhere, {name} in the path"),
    ({"address": "http://{namespace}.svc/{pod}"}, "and nothing else in braces"),
    ({"address": "http://gateway/limit"}, "every namespace would set the same number: write {namespace}"),
    ({"method": "DELETE"}, "endpoint gateway: method 'DELETE': use one of PUT, PATCH, POST"),
    ({"field": "limits["}, "endpoint gateway: field: 'limits[' is no field path"),
    ({"field": "limits[0]"}, "endpoint gateway: field 'limits[0]': name fields only, like limits.max_requests"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_makes_no_sense_is_told_in_one_line(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadSettings) as caught:
        endpoint(**changes)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
