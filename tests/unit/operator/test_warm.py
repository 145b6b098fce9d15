"""`spec.warm`: what goes to zero must be able to come back, and every contradiction is told in one line."""

from typing import Any

import pytest

from foretide.operator.resource import parse
from foretide.policies.declared import Between, Rest

POOL = {"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 4, "minReplicas": 0}


GONE_AT_ZERO = (
    "spec.warm.scaleToZero: true: engine vllm reports from pods that are gone at zero; "
    "use engine epp or dynamo, or custom with metrics.gateway"
)


SLEEPING = {"name": "sleeping", "wakeTime": "3s", "price": "0.1", "keepFor": "10m", "port": 8000}
HOLD = {"name": "placeholder", "wakeTime": "40s", "price": "0.05", "deployment": "hold"}


def tiers(*written: dict[str, Any], **warm: Any) -> dict[str, Any]:
    """Changes of a resource; what is None is left out."""
    kept = [{name: value for name, value in one.items() if value is not None} for one in written]
    return {"warm": {"scaleToZero": True, "tiers": kept, **warm}}


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
        (
            tiers(SLEEPING | {"port": None}),
            "spec.warm.tiers[0]: sleeping has no wake path; give the port",
        ),  # no wake path
        (tiers(HOLD | {"deployment": None}), "spec.warm.tiers[0]: placeholder has no pods; give the deployment"),
        (
            tiers(HOLD | {"deployment": "llama"}, placeholderPriorityClass="low"),
            "spec.warm.tiers: placeholder: deployment llama is the target itself",
        ),
        (tiers(SLEEPING, SLEEPING), "spec.warm: tiers: sleeping is there twice; keep one"),
        (tiers(HOLD), "spec.warm: placeholderPriorityClass: missing, and tiers has placeholder; name the class"),
        (tiers(SLEEPING | {"price": "1.5"}), "spec.warm.tiers[0].price: '1.5' must be a share of a ready replica"),
        (tiers(SLEEPING | {"wakeTime": "0s"}), "spec.warm.tiers[0].wakeTime: '0s' must be above 0s and at most 24h"),
        (
            {"pool": {"minReplicas": 1}, "warm": {"tiers": [SLEEPING]}},
            "spec.warm.tiers: sleeping: needs scaleToZero: true",
        ),
    ],
)
def test_contradictions_are_told_with_their_fix(changes: dict[str, Any], said: str) -> None:
    assert any(problem.startswith(said) for problem in parse(resource(**changes)).problems)


def test_tiers_go_from_the_coldest_on_however_they_are_written() -> None:
    parsed = parse(resource(**tiers(SLEEPING, HOLD, placeholderPriorityClass="low")))
    assert parsed.problems == ()
    assert parsed.resource is not None
    rest = parsed.resource.spec.rest
    assert rest == Rest(None, (Between("placeholder", 40.0, 0.05, None), Between("sleeping", 3.0, 0.1, 600.0)))
    assert parsed.resource.warm.tier("sleeping") is not None
