"""The schema on a real API server: what is refused there never reaches the operator."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import BedFailed
from foretide.operator.resource import parse
from foretide.operator.status import shortened

pytestmark = pytest.mark.bed
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "inferenceautoscaler.yaml"


def example(**changes: Any) -> dict[str, Any]:
    """The ten-line resource; a change is `a.b.0.c=value`, with `__` for the dots."""
    body: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for path, value in changes.items():
        *steps, last = path.split("__")
        inner: Any = body["spec"]
        for step in steps:
            inner = inner[int(step)] if step.isdigit() else inner.setdefault(step, {})
        inner[last] = copy.deepcopy(value)
    return body


def created(bed: Bed, body: dict[str, Any], namespace: str, *options: str) -> dict[str, Any]:
    """What the API server makes of a resource. Raises BedFailed with its complaint."""
    arguments = ("create", "-n", namespace, "-o", "json", *options, "-f", "-")
    stored: dict[str, Any] = json.loads(bed.kubectl(*arguments, stdin=json.dumps(body)))
    return stored


def test_the_ten_line_resource_is_stored_with_every_default(with_crd: Bed, namespace: str) -> None:
    spec = created(with_crd, example(), namespace)["spec"]
    assert spec["mode"] == "Recommend"
    assert spec["engine"] == "vllm"
    assert spec["metrics"] == {"source": "default"}
    assert spec["warm"] == {"scaleToZero": False, "keepAlive": "auto"}
    assert spec["objective"]["maxViolationProbability"] == "0.01"
    assert spec["objective"]["window"] == "5m"
    pool = spec["pools"][0]
    assert (pool["name"], pool["role"], pool["minReplicas"], pool["gpusPerReplica"]) == ("main", "aggregated", 1, 1)
    assert pool["targetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}


def test_the_operator_reads_the_stored_resource_as_it_reads_the_written_one(with_crd: Bed, namespace: str) -> None:
    stored, written = parse(created(with_crd, example(), namespace)), parse(example())
    assert stored.problems == ()
    assert stored.resource is not None
    assert written.resource is not None
    assert stored.resource.pool == written.resource.pool
    assert stored.resource.spec.objective == written.resource.spec.objective


EVENT = {"start": "2027-03-01T09:00:00Z", "end": "2027-03-01T10:30:00Z", "expectedDemand": "3x"}
HOLIDAYS = {"dates": ["2027-12-25"], "expectedDemand": "0.5x"}
FIVE = dict.fromkeys(("running", "waiting", "finished", "promptTokens", "outputTokens"), "my_metric{}")
RESTS = {"engine": "dynamo", "pools__0__minReplicas": 0, "warm__scaleToZero": True}
MAP = {"objectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "llama"}, "fieldPath": "data['max-num.seqs']"}
ARGUMENT = {
    "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
    "fieldPath": "spec.template.spec.containers[engine].args[--max-num-seqs]",
}
TUNED = {"knob": MAP, "min": 8, "max": 256}
ELSEWHERE = MAP | {"fieldPath": "data.canary", "podLabels": {"a": "b"}}
ACCEPTED = [
    {"concurrency": TUNED | {"knob": {"endpoint": "gateway"}}},
    {"concurrency": TUNED | {"knob": MAP | {"pattern": "max_num_seqs: {}"}}},
    {"concurrency": TUNED},
    {"concurrency": TUNED | {"knob": ARGUMENT | {"restartsPods": True}, "changeInterval": "30m", "tune": "Off"}},
    {"concurrency": TUNED | {"tune": "Learn", "lossBudget": "0.01", "canary": ELSEWHERE}},
    {"actuation": "keda"},
    RESTS,
    {**RESTS, "warm__keepAlive": "20m"},
    {**RESTS, "engine": "custom", "metrics": {"gateway": "envoy", "queries": FIVE}},
    {"objective__ttft__percentile": 50},
    {"objective__ttft__percentile": "99.9"},
    {"objective__ttft__threshold": "1m30s"},
    {"objective__tpot": {"threshold": "25ms"}},
    {"objective__window": "90s"},
    {"objective__maxViolationProbability": "0.0005"},
    {"objective__costs": {"gpuHour": "2.50", "violation": "0.002"}},
    {"mode": "Paused"},
    *({"engine": engine} for engine in ("vllm", "sglang", "tgi", "trtllm", "triton", "dynamo")),
    {"engine": "epp", "metrics": {"gateway": "llama-epp"}},
    {"metrics": {"queries": {"finished": 'my:requests_total{outcome="ok", way="a.b+"}', "rejected": "lost"}}},
    {"engine": "custom", "metrics": {"gateway": "envoy", "queries": FIVE}},
    {"pools__0__targetRef": {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "x"}},
    {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled"}}},
    {"schedule": [EVENT, EVENT | {"name": "launch", "expectedDemand": "250/s", "confidence": "1"}]},
    {"calendar": {"timeZone": "America/Argentina/Buenos_Aires"}},
    {"calendar": {"holidays": {"dates": ["2027-12-25", "2027-12-26"], "expectedDemand": "0.5x", "confidence": "0.8"}}},
]


@pytest.mark.parametrize("changes", ACCEPTED, ids=str)
def test_what_is_meant_is_accepted_by_schema_and_operator(
    with_crd: Bed, namespace: str, changes: dict[str, Any]
) -> None:
    stored = created(with_crd, example(**changes), namespace, "--dry-run=server")
    assert parse(stored).problems == ()


REFUSED = [
    ({"concurrency": TUNED | {"min": 300}}, "spec.concurrency.min", "min is above max; lower min or raise max"),
    ({"concurrency": TUNED | {"tune": "Learn"}}, "spec.concurrency.tune", "needs a canary"),
    (
        {"concurrency": TUNED | {"knob": MAP | {"endpoint": "gateway"}}},
        "spec.concurrency.knob",
        "give objectRef and fieldPath, or endpoint alone",
    ),
    (
        {"concurrency": TUNED | {"knob": MAP | {"pattern": "max: 8"}}},
        "spec.concurrency.knob.pattern",
        "'max: 8' shows no number; write the words around it",
    ),
    ({"concurrency": TUNED | {"knob": {"endpoint": "http://x"}}}, "spec.concurrency.knob.endpoint", "should match"),
    ({"concurrency": TUNED | {"tune": "Auto"}}, "spec.concurrency.tune", '"Rule", "Learn", "Off"'),
    ({"concurrency__min": 8}, "spec.concurrency.knob", "Required"),
    ({"concurrency": TUNED | {"lossBudget": "2"}}, "spec.concurrency.lossBudget", "'2' is not a share of requests"),
    ({"concurrency": TUNED | {"changeInterval": "1s"}}, "spec.concurrency.changeInterval", "between 1m and 720h"),
    (
        {"concurrency": TUNED, "concurrency__knob__objectRef__kind": "Secret"},
        "spec.concurrency.knob.objectRef.kind",
        "'Secret' is never written by the tuner",
    ),
    (
        {"concurrency": TUNED, "concurrency__knob__fieldPath": "data[*]"},
        "spec.concurrency.knob.fieldPath",
        '"data[*]" is no field path; write it like',
    ),
    (
        {"objective__ttft__threshold": 500},
        "spec.objective.ttft.threshold",
        "'500' needs a number and a unit, like 500ms",
    ),
    ({"objective__ttft__threshold": "500"}, "spec.objective.ttft.threshold", "'500' needs a number and a unit"),
    ({"objective__ttft__threshold": "-5s"}, "spec.objective.ttft.threshold", "like 500ms"),
    ({"objective__ttft__threshold": "0ms"}, "spec.objective.ttft.threshold", "between 1ms and 1h"),
    ({"objective__ttft__threshold": "2h"}, "spec.objective.ttft.threshold", "'2h' must be between 1ms and 1h"),
    ({"objective__ttft__percentile": 0}, "spec.objective.ttft.percentile", "'0' must be above 0 and below 100"),
    ({"objective__ttft__percentile": 101}, "spec.objective.ttft.percentile", "'101' must be above 0 and below 100"),
    ({"objective__ttft__percentile": "100"}, "spec.objective.ttft.percentile", "above 0 and below 100"),
    ({"objective__ttft__percentile": 99.9}, "spec.objective.ttft.percentile", "integer,string"),
    ({"objective": {}}, "spec.objective", "at least one of ttft, tpot, e2e"),
    ({"objective__maxViolationProbability": "1.5"}, "spec.objective.maxViolationProbability", "'1.5' is not a prob"),
    ({"objective__maxViolationProbability": "0.0"}, "spec.objective.maxViolationProbability", "above 0 and below 1"),
    ({"objective__costs": {"gpuHour": "2.50"}}, "spec.objective.costs.violation", "Required"),
    ({"objective__costs": {"gpuHour": "0", "violation": "1"}}, "spec.objective.costs.gpuHour", "'0' is not a price"),
    ({"objective__costs": {"gpuHour": "$2", "violation": "1"}}, "spec.objective.costs.gpuHour", "'$2' is not a price"),
    ({"objective__costs": {"gpuHour": "2", "violation": "-1"}}, "spec.objective.costs.violation", "number above 0"),
    ({"objective__window": "5"}, "spec.objective.window", "'5' is not a duration with a unit"),
    ({"objective__window": "1s"}, "spec.objective.window", "'1s' must be between 10s and 24h"),
    ({"pools__0__minReplicas": 20}, "spec.pools[0].minReplicas", "minReplicas is above maxReplicas"),
    ({"pools__0__maxReplicas": 4.5}, "spec.pools[0].maxReplicas", "integer"),
    ({"pools__0__maxReplicas": "4"}, "spec.pools[0].maxReplicas", "integer"),
    ({"pools__0__maxReplicas": 2**40}, "spec.pools[0].maxReplicas", "10000"),
    ({"pools__0__targetRef__name": "../secrets/x"}, "spec.pools[0].targetRef.name", "should match"),
    ({"pools__0__accelerator": ""}, "spec.pools[0].accelerator", "at least 1 char"),
    ({"pools": []}, "spec.pools", "at least 1 item"),
    ({"mode": "Automatic"}, "spec.mode", '"Recommend", "Approve", "RaiseOnly", "Auto", "Paused"'),
    ({"engine": "ollama"}, "spec.engine", "vllm"),
    ({"engine": "epp"}, "spec.metrics.gateway", "like llama-epp"),
    ({"engine": "tgi", "metrics": {"gateway": "x"}}, "spec.metrics.gateway", "leave the gateway out"),
    ({"engine": "custom"}, "spec.metrics.queries", "engine custom needs running, waiting, finished"),
    ({"engine": "custom", "metrics": {"queries": {"running": "a"}}}, "spec.metrics.queries", "needs running, waiting"),
    ({"metrics": {"queries": {"running": "sum(a)"}}}, "spec.metrics.queries.running", "'sum(a)' is not one metric"),
    ({"metrics": {"queries": {"running": 'a{b=~"c"}'}}}, "spec.metrics.queries.running", "is not one metric"),
    ({"actuation": "kubectl"}, "spec.actuation", '"scale", "keda"'),
    ({"behavior": {"scaleUp": {"policies": [{"type": "Pods"}]}}}, "spec.behavior.scaleUp.policies[0]", "Required"),
    ({"schedule": [EVENT | {"expectedDemand": "3"}]}, "spec.schedule[0].expectedDemand", "'3' has no unit"),
    ({"schedule": [EVENT | {"confidence": "2"}]}, "spec.schedule[0].confidence", "'2' is not a probability"),
    ({"schedule": [EVENT | {"end": EVENT["start"]}]}, "spec.schedule[0]", "end must come after start"),
    ({"calendar": {"timeZone": "../etc"}}, "spec.calendar.timeZone", "should match"),
    ({"calendar": {"holidays": HOLIDAYS | {"dates": ["25.12.2027"]}}}, "spec.calendar.holidays.dates[0]", "type date"),
    ({"calendar": {"holidays": HOLIDAYS | {"dates": []}}}, "spec.calendar.holidays.dates", "at least 1 item"),
    ({"calendar": {"holidays": HOLIDAYS | {"expectedDemand": "half"}}}, "spec.calendar.holidays.exp", "has no unit"),
    ({"calendar": {"holidays": {"dates": ["2027-12-25"]}}}, "spec.calendar.holidays.expectedDemand", "Required"),
    ({"pools__0__minReplicas": 0}, "spec.pools", "minReplicas 0 needs warm: {scaleToZero: true}"),
    ({"warm": {"scaleToZero": True}}, "spec.warm.scaleToZero", "needs minReplicas 0"),
    ({**RESTS, "engine": "vllm"}, "spec.warm.scaleToZero", "an engine that is seen from its gateway"),
    ({**RESTS, "warm__keepAlive": "20"}, "spec.warm.keepAlive", "'20' is neither auto nor a duration"),
    ({**RESTS, "warm__keepAlive": "10s"}, "spec.warm.keepAlive", "'10s' must be between 1m and 24h"),
    ({"warmPool": 3}, "spec.warmPool", "unknown field"),
    ({"pools__0__maxReplica": 3}, "spec.pools[0].maxReplica", "unknown field"),
]


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED, ids=str)
def test_what_makes_no_sense_is_refused_with_its_field_and_a_way_out(
    with_crd: Bed, namespace: str, changes: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(BedFailed) as refusal:
        created(with_crd, example(**changes), namespace, "--dry-run=server")
    message = str(refusal.value)
    assert field in message
    assert words in message


def test_two_pools_of_one_role_are_refused(with_crd: Bed, namespace: str) -> None:
    body = example()
    body["spec"]["pools"].append(body["spec"]["pools"][0] | {"name": "other"})
    with pytest.raises(BedFailed, match="give one pool of role aggregated, or one of role prefill"):
        created(with_crd, body, namespace)


def test_a_target_cannot_be_exchanged_for_another(with_crd: Bed, namespace: str) -> None:
    created(with_crd, example(), namespace)
    patch = json.dumps([{"op": "replace", "path": "/spec/pools/0/targetRef/name", "value": "other"}])
    with pytest.raises(BedFailed, match="targetRef is immutable"):
        with_crd.kubectl("patch", "-n", namespace, "infa", "llama", "--type=json", "-p", patch)


def test_without_strict_validation_an_unknown_field_is_pruned_and_the_operator_warns(
    with_crd: Bed, namespace: str
) -> None:
    from foretide.operator.registry import Registry

    body = json.dumps(example(warmPool=3))
    with_crd.kubectl("apply", "-n", namespace, "--validate=ignore", "-f", "-", stdin=body)
    stored = with_crd.get("-n", namespace, "infa", "llama")
    registry = Registry()
    registry.see(stored)
    assert "warmPool" not in stored["spec"]
    assert registry.entries()[0].resource is not None
    assert registry.entries()[0].warnings == ("spec.warmPool: unknown field; remove it or correct its name",)


def test_a_status_cannot_be_written_with_the_spec_nor_with_a_wrong_type(with_crd: Bed, namespace: str) -> None:
    stored = created(with_crd, example() | {"status": {"acceptedGeneration": 7}}, namespace)
    assert "status" not in stored
    patch = json.dumps({"status": {"acceptedGeneration": "seven"}})
    with pytest.raises(BedFailed, match="acceptedGeneration"):
        with_crd.kubectl("patch", "-n", namespace, "infa", "llama", "--subresource=status", "--type=merge", "-p", patch)


def test_get_prints_the_columns_an_on_call_engineer_reads(with_crd: Bed, namespace: str) -> None:
    created(with_crd, example(), namespace)
    status = {
        "pools": [{"name": "main", "current": 3, "desired": 5}],
        "lastDecision": {"violationProbability": {"atDesired": "0.0040"}},
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "DemandRises",
                "message": shortened("x" * 600),
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    patch = json.dumps({"status": status})
    with_crd.kubectl("patch", "-n", namespace, "infa", "llama", "--subresource=status", "--type=merge", "-p", patch)
    header, row = with_crd.kubectl("get", "-n", namespace, "infa").splitlines()
    assert header.split() == ["NAME", "TARGET", "MODE", "REPLICAS", "DESIRED", "RISK", "REASON", "AGE"]
    assert row.split()[:7] == ["llama", "llama", "Recommend", "3", "5", "0.0040", "DemandRises"]
