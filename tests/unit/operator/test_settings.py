"""Settings refuse contradictions in one line."""

from typing import Any

import pytest

from foretide.operator.settings import BadSettings, KedaSettings, LeaseSettings, PageSettings, Settings, SourceSettings

SOURCE = SourceSettings("default", "https://prometheus.monitoring:9090/prom")


def settings(**changes: Any) -> Settings:
    return Settings(**{"sources": {"default": SOURCE}, "identity": "a"} | changes)


def test_the_defaults_agree_with_each_other() -> None:
    assert settings().rhythm.plan_s == 60.0


@pytest.mark.parametrize(
    "address", ["prometheus:9090", "ftp://x", "file:///etc/passwd", "http://", "http://u:p@x", "http://x?a=b", ""]
)
def test_an_address_that_is_no_plain_http_address_is_refused(address: str) -> None:
    with pytest.raises(BadSettings, match="source default: address"):
        SourceSettings("default", address)


@pytest.mark.parametrize(
    "changes",
    [
        {"sources": {}},
        {"plan_s": 0.0},
        {"plan_s": float("nan")},
        {"relief_s": 61.0},
        {"first_life_s": 15.0},
        {"paths": 8},
        {"step_s": float("inf")},
        {"plan_s": 200.0, "keda": KedaSettings("x:1")},
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSettings) as refusal:
        settings(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("body", [0, 100, 9 * 2**20])
def test_a_body_limit_outside_its_bounds_is_refused(body: int) -> None:
    with pytest.raises(BadSettings, match="max body"):
        SourceSettings("default", "http://x", max_body=body)


def test_a_lease_that_ends_before_its_renewal_is_refused() -> None:
    with pytest.raises(BadSettings, match="renew deadline"):
        LeaseSettings(duration_s=5.0)


@pytest.mark.parametrize("address", ["9091", ":9091", "host:", "host:x", "host:70000", ""])
def test_an_address_for_keda_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(BadSettings, match=f"^keda: {address}: write HOST:PORT"):
        KedaSettings(address)


@pytest.mark.parametrize(
    ("address", "hosts", "words"),
    [
        ("8083", (), "^page: 8083: write HOST:PORT"),
        ("127.0.0.1:99999", (), "^page: 127.0.0.1:99999: write HOST:PORT"),
        ("127.0.0.1:8083", ("http://x",), "^page host: 'http://x': write a name without a port"),
        ("127.0.0.1:8083", ("x:80",), "^page host: 'x:80': write a name"),
        (None, ("x",), "^page host: x: there is no page"),
    ],
)
def test_a_page_that_cannot_be_is_refused(address: str | None, hosts: tuple[str, ...], words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        PageSettings(address, hosts)
