"""The status: what an on-call engineer needs, within the schema's limits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from given import NOW, evidence, forecast, history, pool
from hypothesis import given
from hypothesis import strategies as st
from twins import resource

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.look import Look, Unresolved
from foretide.operator.registry import Entry, Registry
from foretide.operator.seams import Key, Scale
from foretide.operator.status import MESSAGE_LIMIT, Turn, shortened, signature, status_of
from foretide.operator.times import written_time as when
from foretide.policies.decide import plan
from foretide.policies.flow import Costs, Evidence, ForecastScore, Trust

CRD = Path(__file__).parents[3] / "operator" / "foretide" / "operator" / "crd" / "inferenceautoscalers.yaml"


def entry(**spec: Any) -> Entry:
    registry = Registry()
    registry.see(resource(**spec))
    found = registry.get(Key("prod", "llama"))
    assert found is not None
    return found


def turn(given_evidence: Evidence, **changes: Any) -> Turn:
    look = Look(Scale(given_evidence.pool.desired, "7", "app=llama"), (), given_evidence.pool.conflict)
    usual = Turn(entry(), NOW, look, given_evidence, plan(given_evidence))
    return replace(usual, **changes)


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}


SCORE = ForecastScore(crps=0.5, crps_last_value=1.0, origins=40)
SCORED = evidence(forecast=replace(forecast(*np.linspace(20, 45, 100)), score=SCORE))


def test_a_healthy_turn_tells_counts_risk_forecast_and_reason() -> None:
    status = status_of(turn(SCORED), before={})
    told = status["lastDecision"]
    assert status["pools"][0] == {
        "name": "main", "current": 3, "desired": 5, "ready": 3, "starting": 0, "unschedulable": 0
    }  # fmt: skip
    assert told["reason"] == "DemandRises"
    assert set(told["violationProbability"]) == {"oneFewer", "atDesired", "oneMore"}
    assert float(told["violationProbability"]["oneFewer"]) > float(told["violationProbability"]["atDesired"])
    assert told["forecast"]["p50"] == "32.50 req/s"
    assert told["forecast"]["crps"] == "0.500 req/s"
    assert told["forecast"]["skill"] == "0.50"
    assert told["leadTime"].endswith("s")
    assert conditions(status)["Ready"] == ("True", "DemandRises")
    assert conditions(status)["Conflict"] == ("False", "OnlyWriter")


def test_expected_costs_are_told_where_the_owner_names_prices() -> None:
    priced = replace(SCORED, objective=replace(SCORED.objective, costs=Costs(2.0, 0.01)))
    told = status_of(turn(priced), before={})["lastDecision"]["expectedCostPerHour"]
    assert set(told) == {"oneFewer", "atDesired", "oneMore"}
    assert float(told["atDesired"]) == min(map(float, told.values()))
    assert "expectedCostPerHour" not in status_of(turn(SCORED), before={})["lastDecision"]


def test_the_first_trouble_becomes_the_reason_why_it_is_not_ready() -> None:
    blind = evidence(history=history(25.0, trust=Trust.STALE))
    assert conditions(status_of(turn(blind), before={}))["Ready"] == ("False", "MetricsStale")
    shared = evidence(pool=pool(conflict="HPA x scales it too"), history=history(25.0, trust=Trust.STALE))
    assert conditions(status_of(turn(shared), before={}))["Ready"] == ("False", "Conflict")
    lost = Turn(entry(), NOW, Unresolved("TargetNotFound", "pools[0].targetRef: Deployment llama does not exist"))
    assert conditions(status_of(lost, before={}))["Ready"] == ("False", "TargetNotFound")


def test_a_lost_target_keeps_the_last_decision_for_the_reader() -> None:
    before = status_of(turn(SCORED), before={})
    after = status_of(Turn(entry(), NOW, Unresolved("TargetNotFound", "gone")), before=before)
    assert after["lastDecision"] == before["lastDecision"]
    assert "MetricsAvailable" not in conditions(after)


def test_a_condition_keeps_its_transition_time_until_its_status_changes() -> None:
    first = status_of(turn(SCORED), before={})
    later = status_of(turn(SCORED, at=NOW + 600), before=first)
    blind = evidence(history=history(25.0, trust=Trust.ABSENT))
    broken = status_of(turn(blind, at=NOW + 900), before=later)
    times = [
        next(item["lastTransitionTime"] for item in status["conditions"] if item["type"] == "MetricsAvailable")
        for status in (first, later, broken)
    ]
    assert times == [when(NOW), when(NOW), when(NOW + 900)]


def test_the_history_holds_the_last_ten_writes_newest_first() -> None:
    status: dict[str, Any] = {}
    for i in range(12):
        done = Actuation(Outcome.DONE, "scaled")
        status = status_of(turn(SCORED, at=NOW + i, actuation=done), before=status)
    assert len(status["history"]) == 10
    assert status["history"][0]["time"] == when(NOW + 11)
    assert (status["history"][0]["from"], status["history"][0]["to"]) == (3, 5)


def test_a_write_that_failed_is_no_history_and_makes_it_not_ready() -> None:
    failed = Actuation(Outcome.FAILED, "writing 5 replicas to Deployment llama failed: forbidden")
    status = status_of(turn(SCORED, actuation=failed), before={})
    assert status["history"] == []
    assert conditions(status)["Ready"] == ("False", "WriteFailed")


def test_the_signature_ignores_what_changes_with_every_turn() -> None:
    first, later = status_of(turn(SCORED), before={}), status_of(turn(SCORED, at=NOW + 5), before={})
    assert signature(first) == signature(later)
    assert signature(first) != signature(status_of(turn(evidence()), before={}))


def test_every_field_is_in_the_schema_so_that_none_vanishes() -> None:
    schema = yaml.safe_load(CRD.read_text(encoding="utf-8"))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    done = Actuation(Outcome.DONE, "scaled")
    status = status_of(turn(SCORED, actuation=done), before={})
    assert unknown_fields(status, schema["properties"]["status"]) == []


def unknown_fields(value: Any, schema: dict[str, Any], path: str = "status") -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in unknown_fields(item, schema["items"], path)]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    found = [f"{path}.{name}" for name in value if name not in known]
    return found + [
        name for key in value if key in known for name in unknown_fields(value[key], known[key], f"{path}.{key}")
    ]


@given(st.text())
def test_messages_fit_the_schema_whatever_they_say(text: str) -> None:
    told = shortened(text)
    assert len(told) <= MESSAGE_LIMIT
    assert told.isprintable()


def test_demand_that_may_be_more_than_measured_is_told_beside_fresh_metrics() -> None:
    hiding = replace(history(*[25.0] * 20), censored=np.ones(20), hidden="requests were turned away")
    found = status_of(turn(evidence(history=hiding)), before={})
    assert conditions(found)["MetricsAvailable"] == ("True", "Censored")
    told = next(item["message"] for item in found["conditions"] if item["type"] == "MetricsAvailable")
    assert "requests were turned away" in told
    assert "may only rise" in told


def test_what_cannot_be_noticed_is_told_with_fresh_metrics() -> None:
    unseen = replace(history(*[25.0] * 20), hidden="requests that are turned away are not exposed")
    found = status_of(turn(evidence(history=unseen)), before={})
    told = next(item for item in found["conditions"] if item["type"] == "MetricsAvailable")
    assert (told["status"], told["reason"]) == ("True", "Fresh")
    assert "not exposed" in told["message"]
