"""Any JSON for an InferenceAutoscaler: a resource that makes sense, or problems in one line each."""

import math
from typing import Any

from fuzz.damage import JSON, damaged
from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.metadata import misshapen
from foretide.operator.registry import Registry
from foretide.operator.resource import Parsed, Resource, parse

SOUND: dict[str, Any] = {
    "apiVersion": "autoscaling.foretide.io/v1alpha1",
    "kind": "InferenceAutoscaler",
    "metadata": {
        "namespace": "prod",
        "name": "llama",
        "uid": "1",
        "generation": 3,
        "creationTimestamp": "2026-11-27T00:00:00Z",
        "annotations": {"autoscaling.foretide.io/paused": "false", "autoscaling.foretide.io/approve": "5@1f0c9a3e"},
    },
    "spec": {
        "mode": "Approve",
        "model": "llama",
        "engine": "dynamo",
        "objective": {
            "ttft": {"percentile": "99.9", "threshold": "500ms"},
            "e2e": {"percentile": 95, "threshold": "1m30s"},
            "maxViolationProbability": "0.01",
            "window": "5m",
            "costs": {"gpuHour": "2.50", "violation": "0.002"},
        },
        "pools": [
            {
                "name": "main",
                "role": "aggregated",
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
                "accelerator": "H100",
                "gpusPerReplica": 1,
                "minReplicas": 0,
                "maxReplicas": 9,
            }
        ],
        "metrics": {"source": "default", "gateway": "front", "queries": {"running": 'a:b{c="d"}'}},
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"},
            "scaleDown": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]},
        },
        "schedule": [
            {
                "name": "launch",
                "start": "2027-03-01T09:00:00Z",
                "end": "2027-03-01T10:30:00Z",
                "expectedDemand": "3x",
                "confidence": "0.9",
            }
        ],
        "calendar": {
            "timeZone": "Europe/Berlin",
            "holidays": {"dates": ["2027-12-25"], "expectedDemand": "0.5x", "confidence": "0.8"},
        },
        "warm": {"scaleToZero": True, "keepAlive": "20m"},
        "actuation": "scale",
    },
    "status": {"conditions": []},
}


def test_the_sound_one_is_sound() -> None:
    assert parse(SOUND).problems == ()


@given(damaged(SOUND) | st.dictionaries(st.sampled_from(("metadata", "spec", "status")), JSON))
def test_any_body_is_a_resource_that_makes_sense_or_problems(body: Any) -> None:
    for strict in (False, True):
        found = parse(body, strict=strict)
        assert (found.resource is None) == bool(found.problems)
        _one_line_each(found)
        if found.resource is not None:
            _makes_sense(found.resource)
    if not misshapen(body.get("metadata") or {}):
        Registry().see(body)


def _one_line_each(found: Parsed) -> None:
    for line in (*found.problems, *found.warnings):
        assert line.startswith(("spec", "metadata"))
        assert "\n" not in line


def _makes_sense(found: Resource) -> None:
    pool, objective = found.pool, found.spec.objective
    assert 0 <= pool.min_replicas <= pool.max_replicas <= 10_000
    assert pool.max_replicas >= 1
    assert objective.declared()
    for target in objective.declared().values():
        assert 0 < target.percentile < 100
        assert 0.001 <= target.threshold_s <= 3600
    assert 0 < objective.max_violation_probability < 1
    assert 10 <= objective.window_s <= 86400
    assert math.isfinite(found.created)
    for event in found.spec.schedule:
        assert math.isfinite(event.start_s)
        assert math.isfinite(event.end_s)
