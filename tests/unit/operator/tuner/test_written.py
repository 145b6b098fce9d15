"""`spec.concurrency`: what makes sense becomes a value, what does not one line with field, value and fix."""

from typing import Any

import pytest
from twins import resource

from foretide.operator.resource import parse
from foretide.operator.seams import TargetRef
from foretide.operator.tuner.path import field_path
from foretide.operator.tuner.pattern import Pattern
from foretide.operator.tuner.written import Endpoint, Knob, Tuning
from foretide.policies.concurrency.window import Bounds

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "name": "llama"}
LIVE = {"objectRef": MAP, "fieldPath": "data.limit"}
ARGUMENT = {
    "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
    "fieldPath": "spec.template.spec.containers[engine].args[--max-num-seqs]",
}
CANARY = {"objectRef": MAP | {"name": "llama-canary"}, "fieldPath": "data.limit", "podLabels": {"role": "canary"}}


def concurrency(**changes: Any) -> dict[str, Any]:
    return {"knob": LIVE, "min": 8, "max": 256} | changes


def tuning(**changes: Any) -> Tuning:
    found = parse(resource(concurrency=concurrency(**changes)), strict=True)
    assert found.problems == ()
    assert found.resource is not None
    assert found.resource.tuning is not None
    return found.resource.tuning


def test_without_it_nothing_is_tuned() -> None:
    found = parse(resource()).resource
    assert found is not None
    assert found.tuning is None


def test_the_least_that_can_be_written_means_the_rule() -> None:
    knob = Knob(TargetRef("v1", "ConfigMap", "llama"), field_path("data.limit"), restarts_pods=False)
    assert tuning() == Tuning(knob, Bounds(8, 256), change_interval_s=21600.0)


def test_a_pod_template_restarts_pods_unless_its_owner_knows_better() -> None:
    assert tuning(knob=ARGUMENT).knob.restarts_pods
    assert not tuning(knob=ARGUMENT | {"restartsPods": False}).knob.restarts_pods
    assert tuning(knob=LIVE | {"restartsPods": True}).knob.restarts_pods


def test_an_endpoint_is_named_alone_and_restarts_nothing() -> None:
    found = tuning(knob={"endpoint": "gateway"})
    assert found.knob == Endpoint("gateway")
    assert not found.knob.restarts_pods
    assert found.numbers() == "endpoint gateway"


def test_a_pattern_is_part_of_what_is_tuned() -> None:
    found = tuning(knob=LIVE | {"pattern": "max_num_seqs: {}"})
    assert isinstance(found.knob, Knob)
    assert found.knob.pattern == Pattern("max_num_seqs: {}")
    assert found.numbers() == "v1 ConfigMap llama data.limit 'max_num_seqs: {}'"


def test_learning_needs_a_canary_and_knows_its_pods() -> None:
    found = tuning(tune="Learn", canary=CANARY)
    assert found.canary is not None
    assert found.canary.covers({"role": "canary", "app": "llama"})
    assert not found.canary.covers({"app": "llama"})
    assert not found.canary.covers(None)


REFUSED = [
    ({"min": 300}, "spec.concurrency: min 300 is above max 256; change one"),
    ({"min": 0}, "spec.concurrency.min: 0: "),
    ({"tune": "Auto"}, "spec.concurrency.tune: 'Auto': "),
    ({"tune": "Learn"}, "spec.concurrency: tune Learn needs a canary"),
    ({"tune": "Learn", "canary": LIVE | {"podLabels": {"a": "b"}}}, "canary names the knob itself"),
    ({"tune": "Learn", "canary": CANARY, "knob": ARGUMENT}, "restarts pods; use tune: Rule"),
    ({"lossBudget": "2"}, "spec.concurrency.lossBudget: '2' is not a share of requests; write a number from 0 to 1"),
    ({"changeInterval": "6"}, "spec.concurrency.changeInterval: '6' has no unit"),
    ({"changeInterval": "1s"}, "spec.concurrency.changeInterval: '1s' must be between 1m and 720h"),
    (
        {"knob": LIVE | {"fieldPath": "data["}},
        "spec.concurrency.knob.fieldPath: 'data[' is no field path; write it like",
    ),
    ({"knob": LIVE | {"fieldPath": "spec.replicas"}}, "'spec.replicas' leads through replicas"),
    ({"knob": LIVE | {"fieldPath": 7}}, "spec.concurrency.knob.fieldPath: 7 is no field path"),
    (
        {"knob": LIVE | {"objectRef": MAP | {"kind": "Secret"}}},
        "spec.concurrency.knob.objectRef.kind: 'Secret' is never written by the tuner; name the object that holds",
    ),
    ({"knob": LIVE | {"objectRef": MAP | {"kind": "ClusterRoleBinding"}}}, "'ClusterRoleBinding' is never written"),
    ({"knob": LIVE | {"objectRef": MAP | {"namespace": "kube-system"}}}, "objectRef.namespace: unknown field"),
    (
        {"knob": {"fieldPath": "data.limit"}},
        "spec.concurrency.knob: objectRef is missing; give objectRef and fieldPath",
    ),
    ({"knob": {"objectRef": MAP}}, "spec.concurrency.knob: fieldPath is missing; give objectRef and fieldPath"),
    (
        {"knob": LIVE | {"pattern": "max: 8"}},
        "spec.concurrency.knob.pattern: 'max: 8' shows no number; write the words",
    ),
    ({"knob": LIVE | {"pattern": 7}}, "spec.concurrency.knob.pattern: 7 is no pattern; write it as text"),
    ({"knob": LIVE | {"endpoint": "gateway"}}, "spec.concurrency.knob: endpoint stands for the whole knob; leave out"),
    ({"knob": {"endpoint": "http://a/b"}}, "spec.concurrency.knob.endpoint: 'http://a/b': "),
    ({"knob": {"endpoint": "gateway"}, "tune": "Learn"}, "tune Learn needs objects, and knob is an endpoint"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_makes_no_sense_is_one_line_with_field_value_and_fix(changes: dict[str, Any], why: str) -> None:
    (problem,) = parse(resource(concurrency=concurrency(**changes)), strict=True).problems
    assert problem.startswith("spec.concurrency")
    assert why in problem
