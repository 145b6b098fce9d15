"""What users write becomes typed values, or one clear line per mistake: field, value, fix."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from twins import resource

from foretide.operator.resource import PAUSED, parse
from foretide.operator.times import seconds
from foretide.policies.flow import DEFAULT_SCALE_DOWN, Costs, LatencyTarget, Mode, ScalingPolicy, ScalingSelect

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "inferenceautoscaler.yaml"


def problems(**spec: Any) -> tuple[str, ...]:
    return parse(resource(**spec)).problems


def pool(**changes: Any) -> list[dict[str, Any]]:
    return [{"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 16} | changes]


def test_the_ten_line_example_is_ten_lines_and_means_what_it_says() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    parsed = parse(yaml.safe_load(text))
    assert len(text.splitlines()) <= 10
    assert parsed.problems == ()
    assert parsed.resource is not None
    assert parsed.resource.spec.mode is Mode.RECOMMEND
    assert parsed.resource.spec.objective.ttft == LatencyTarget(99.0, 0.5)
    assert str(parsed.resource.pool.target) == "Deployment llama"
    assert (parsed.resource.pool.min_replicas, parsed.resource.pool.max_replicas) == (1, 16)


@pytest.mark.parametrize(
    ("text", "value"), [("500ms", 0.5), ("25ms", 0.025), ("5m", 300.0), ("1m30s", 90.0), ("1.5s", 1.5), ("2h", 7200.0)]
)
def test_durations_are_seconds(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["500", 500, "5 s", "-5s", "", "s", "1d", None, "1e3s"])
def test_a_duration_without_a_unit_is_refused_with_the_fix(text: object) -> None:
    with pytest.raises(ValueError, match="no unit; write a duration like 500ms"):
        seconds(text)


def test_a_threshold_without_a_unit_names_field_value_and_fix() -> None:
    found = problems(objective={"ttft": {"threshold": 500}})
    assert found == ("spec.objective.ttft.threshold: 500 has no unit; write a duration like 500ms, 25ms or 5m",)


@pytest.mark.parametrize("percentile", [0, 100, 101, -1, "101", "high", True, None])
def test_a_percentile_outside_0_to_100_is_refused(percentile: object) -> None:
    found = problems(objective={"ttft": {"percentile": percentile, "threshold": "500ms"}})
    assert len(found) == 1
    assert found[0].startswith("spec.objective.ttft.percentile: ")
    assert "99" in found[0]


@pytest.mark.parametrize(("percentile", "meant"), [(99, 99.0), ("99.9", 99.9), (50, 50.0)])
def test_percentiles_are_integers_or_quoted_decimals(percentile: object, meant: float) -> None:
    parsed = parse(resource(objective={"e2e": {"percentile": percentile, "threshold": "2s"}}))
    assert parsed.resource is not None
    assert parsed.resource.spec.objective.e2e == LatencyTarget(meant, 2.0)


def test_min_above_max_is_refused() -> None:
    assert problems(pools=pool(minReplicas=20)) == (
        "spec.pools[0]: minReplicas 20 is above maxReplicas 16; change one",
    )


def test_an_objective_that_declares_nothing_is_refused() -> None:
    found = problems(objective={})
    assert found == (
        "spec.objective: declares nothing; give at least one of ttft, tpot, e2e, like ttft: {threshold: 500ms}",
    )


@pytest.mark.parametrize("accepted", ["0", "1", "-0.1", "often", "nan", None])
def test_a_risk_that_is_no_probability_is_refused(accepted: object) -> None:
    found = problems(objective={"ttft": {"threshold": "1s"}, "maxViolationProbability": accepted})
    assert [line.partition(":")[0] for line in found] == ["spec.objective.maxViolationProbability"]


def test_prices_of_a_gpu_hour_and_of_a_miss_are_read_together() -> None:
    priced = {"ttft": {"threshold": "1s"}, "costs": {"gpuHour": "2.50", "violation": "0.002"}}
    found = parse(resource(objective=priced)).resource
    assert found is not None
    assert found.spec.objective.costs == Costs(gpu_hour=2.5, violation=0.002)


@pytest.mark.parametrize("price", ["0", "-1", "cheap", "nan", "inf", True, None])
def test_a_price_that_is_none_is_refused(price: object) -> None:
    found = problems(objective={"ttft": {"threshold": "1s"}, "costs": {"gpuHour": price, "violation": "1"}})
    assert [line.partition(":")[0] for line in found] == ["spec.objective.costs.gpuHour"]


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(objective={"ttft": {"threshold": "500"}}, pools=pool(minReplicas=-1, targetRef={}))
    assert [line.partition(":")[0] for line in found] == [
        "spec.objective.ttft.threshold",
        "spec.pools[0].targetRef.name",
        "spec.pools[0].minReplicas",
    ]


def test_an_unknown_field_is_a_warning_and_a_problem_only_when_strict() -> None:
    body = resource(warmPool=3)
    lenient, strict = parse(body), parse(body, strict=True)
    assert lenient.resource is not None
    assert lenient.warnings == ("spec.warmPool: unknown field; remove it or correct its name",)
    assert strict.resource is None
    assert strict.problems == lenient.warnings


@pytest.mark.parametrize(
    "objective",
    [
        {"ttft": {"threshold": "1s", "percentile": 10**400}},
        {"ttft": {"threshold": "1s"}, "maxViolationProbability": 10**400},
        {"ttft": {"threshold": "1s"}, "costs": {"gpuHour": 10**400, "violation": 1}},
    ],
    ids=["percentile", "risk", "price"],
)
def test_a_number_beyond_all_numbers_is_a_problem_and_no_crash(objective: dict[str, Any]) -> None:
    pool = {"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 3}
    (problem,) = parse({"spec": {"model": "x", "objective": objective, "pools": [pool]}}).problems
    assert problem.startswith("spec.objective.")


def test_an_unknown_field_does_not_hide_a_contradiction() -> None:
    pool = {"targetRef": {"name": "llama"}, "accelerator": "H100", "minReplicas": 0, "maxReplicas": 3}
    objective = {"ttft": {"threshold": "1s"}}
    found = parse({"spec": {"model": "x", "objective": objective, "pools": [pool], "warm": {"scaleToZer": True}}})
    assert found.resource is None
    assert found.problems[0].startswith("spec.pools[0].minReplicas: 0: needs warm: {scaleToZero: true}")
    assert found.warnings == ("spec.warm.scaleToZer: unknown field; did you mean scaleToZero?",)


def test_an_unknown_field_does_not_hide_a_mistake() -> None:
    parsed = parse(resource(warmPool=3, model=""))
    assert parsed.resource is None
    assert len(parsed.problems) == 1
    assert parsed.problems[0].startswith("spec.model: ")


@pytest.mark.parametrize("name", ["../secrets/x", "Llama", "a b", "x" * 254, ""])
def test_a_target_name_that_kubernetes_would_not_take_is_refused(name: str) -> None:
    assert problems(pools=pool(targetRef={"name": name}))


@pytest.mark.parametrize("version", ["apps/v1/../../api", "v1?x", "apps"])
def test_a_target_api_version_cannot_leave_its_path(version: str) -> None:
    assert problems(pools=pool(targetRef={"name": "x", "apiVersion": version}))


def test_the_pause_annotation_wins_over_the_mode() -> None:
    body = resource()
    body["metadata"]["annotations"] = {PAUSED: "true"}
    parsed = parse(body)
    assert parsed.resource is not None
    assert parsed.resource.spec.mode is Mode.PAUSED
    body["metadata"]["annotations"] = {PAUSED: "false"}
    resumed = parse(body)
    assert resumed.resource is not None
    assert resumed.resource.spec.mode is Mode.AUTO


def test_behavior_has_the_fields_of_hpa_and_keeps_defaults_for_what_is_not_given() -> None:
    up = {"selectPolicy": "Min", "policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}]}
    parsed = parse(resource(behavior={"scaleUp": up}))
    assert parsed.resource is not None
    behavior = parsed.resource.spec.behavior
    assert behavior.up.policies == (ScalingPolicy("Pods", 2, 30.0),)
    assert behavior.up.select is ScalingSelect.MIN
    assert behavior.down == DEFAULT_SCALE_DOWN


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": 3}, {"spec": {}}])
def test_a_body_without_a_spec_is_a_problem_and_no_crash(body: dict[str, Any]) -> None:
    parsed = parse(body)
    assert parsed.resource is None
    assert all(line.startswith("spec") for line in parsed.problems)
