"""`spec.warm`: what goes to zero must be able to come back, and every contradiction is told in one line."""

from typing import Any

import pytest

from foretide.operator.resource import parse
from foretide.policies.declared import Rest

POOL = {"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 4, "minReplicas": 0}


GONE_AT_ZERO = (
    "spec.warm.scaleToZero: true: engine vllm reports from pods that are gone at zero; "
    "use engine epp or dynamo, or custom with metrics.gateway"
)


def resource(*, pool: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    usual = {
        "model": "llama",
        "engine": "epp",
        "metrics": {"gateway": "llama-epp"},
        "objective": {"ttft": {"threshold": "1s"}},
        "pools": [POOL | (pool or {})],
        "warm": {"scaleToZero": True},
    }
    return {"metadata": {"name": "llama", "namespace": "ml"}, "spec": usual | spec}


def test_a_target_behind_a_gateway_may_rest() -> None:
    parsed = parse(resource())
    assert not parsed.problems
    assert parsed.resource is not None
    assert parsed.resource.spec.rest == Rest(None)
    assert parsed.resource.pool.min_replicas == 0


@pytest.mark.parametrize(("written", "seconds"), [("auto", None), ("20m", 1200.0), ("1m", 60.0), ("24h", 86400.0)])
def test_keep_alive_is_auto_or_a_duration(written: str, seconds: float | None) -> None:
    parsed = parse(resource(warm={"scaleToZero": True, "keepAlive": written}))
    assert parsed.resource is not None
    assert parsed.resource.spec.rest == Rest(seconds)


def test_without_scale_to_zero_nothing_rests() -> None:
    parsed = parse(resource(pool={"minReplicas": 1}, warm={"keepAlive": "20m"}))
    assert parsed.resource is not None
    assert parsed.resource.spec.rest is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"warm": {}}, "spec.pools[0].minReplicas: 0: needs warm: {scaleToZero: true}, or give at least 1"),
        ({"pool": {"minReplicas": 2}}, "spec.warm.scaleToZero: true: pools[0].minReplicas is 2; set it to 0"),
        (
            {"engine": "vllm", "metrics": {}},
            GONE_AT_ZERO,
        ),
        (
            {"warm": {"scaleToZero": True, "keepAlive": "30s"}},
            "spec.warm.keepAlive: '30s' must be auto, or between 1m and 24h",
        ),
    ],
)
def test_contradictions_are_told_with_their_fix(changes: dict[str, Any], said: str) -> None:
    assert said in parse(resource(**changes)).problems
