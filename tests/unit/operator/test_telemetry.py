"""The names and labels that dashboards and alerts read."""

from given import NOW, evidence, forecast
from twins import resource

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.registry import Registry
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.operator.telemetry import Telemetry
from foretide.policies.decide import plan


def counted() -> Telemetry:
    telemetry = Telemetry(version="1")
    registry = Registry()
    registry.see(resource())
    found = evidence(forecast=forecast(*[45.0] * 100))
    telemetry.count(Turn(registry.entries()[0], NOW, None, found, plan(found), Actuation(Outcome.DONE)))
    return telemetry


def test_a_turn_is_counted_by_verdict_reason_and_result() -> None:
    page = counted().page().decode()
    assert 'foretide_decision_total{reason="DemandRises",verdict="act"} 1.0' in page
    assert 'foretide_scale_write_total{result="done"} 1.0' in page
    assert 'foretide_replicas{kind="desired",name="llama",namespace="prod",pool="main"} 5.0' in page
    assert 'foretide_demand_requests_per_second{name="llama",namespace="prod"} 25.0' in page


def test_a_resource_that_is_gone_leaves_no_series() -> None:
    telemetry = counted()
    telemetry.forget(Key("prod", "llama"))
    assert 'name="llama"' not in telemetry.page().decode()


def test_the_names_are_those_that_are_promised() -> None:
    names = {family.name for family in Telemetry(version="1").registry.collect()}
    assert {
        "foretide_sweep_duration_seconds",
        "foretide_sweep_lag_seconds",
        "foretide_decision",
        "foretide_blind_targets",
        "foretide_global_hold",
        "foretide_metrics_rejected",
        "foretide_watch_divergence",
        "foretide_lease_is_leader",
        "foretide_scale_write",
        "foretide_build_info",
    } <= names
