"""The names and labels that dashboards and alerts read."""

from dataclasses import replace

from given import NOW, evidence, forecast
from twins import resource

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.registry import Registry
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.operator.telemetry import Telemetry
from foretide.policies.decide import plan
from foretide.policies.flow import DemandForecast, ForecastScore, Reliability
from foretide.policies.warm.account import News, WarmAccount


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
    assert 'foretide_demand_censored{name="llama",namespace="prod"} 0.0' in page


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


def test_a_forecast_is_counted_with_its_scores_and_its_honesty_and_forgets_what_it_no_longer_says() -> None:
    telemetry = Telemetry(version="1")
    registry = Registry()
    registry.see(resource())
    honest = Reliability(0.81, 0.94, 0.05, 0.96, origins=90, alarms=2, drift="outcomes moved")
    told = replace(
        forecast(*[45.0] * 100),
        weights={"ets": 0.75, "last-72": 0.25},
        score=ForecastScore(0.5, 1.0, 90, seasonal_ratio=0.25),
        reliability=honest,
        stale_s=30.0,
        capped=7,
    )

    def page_after(made: DemandForecast) -> str:
        found = evidence(forecast=made)
        telemetry.count(Turn(registry.entries()[0], NOW, None, found, plan(found)))
        return telemetry.page().decode()

    page = page_after(told)
    target = 'name="llama",namespace="prod"'
    for line in (
        f'foretide_forecast_crps_ratio{{{target},to="last-value"}} 0.5',
        f'foretide_forecast_crps_ratio{{{target},to="seasonal-naive"}} 0.25',
        f'foretide_forecast_tier_weight_ratio{{{target},tier="ets"}} 0.75',
        f'foretide_forecast_coverage_ratio{{interval="0.8",{target}}} 0.81',
        f'foretide_forecast_coverage_ratio{{interval="0.95",{target}}} 0.94',
        f"foretide_forecast_peak_exceeded_ratio{{{target}}} 0.05",
        f"foretide_forecast_drift_alarms{{{target}}} 2.0",
        f"foretide_forecast_drift_alarm{{{target}}} 1.0",
        f"foretide_forecast_capped_values{{{target}}} 7.0",
        f"foretide_forecast_staleness_seconds{{{target}}} 30.0",
        f"foretide_forecast_fallback{{{target}}} 0.0",
    ):
        assert line in page
    later = page_after(replace(told, weights={"reactive": 1.0}, flagged="stale", score=None, reliability=None))
    assert 'tier="ets"' not in later
    assert "foretide_forecast_coverage_ratio{" not in later
    assert f"foretide_forecast_fallback{{{target}}} 1.0" in later


def test_what_warmth_costs_is_counted_from_what_an_account_grows_by() -> None:
    telemetry, labels = Telemetry(version="1"), ("prod", "llama")
    old = WarmAccount(NOW, idle_gpu_s={"ready": 7200.0}, cold_started=5.0)
    new = replace(old, idle_gpu_s={"ready": 7260.0, "sleeping": 30.0}, cold_started=7.0)
    telemetry.warm.count(labels, old, News())
    telemetry.warm.count(labels, new, News(wakes=(("zero", 75.0),), utilities=(0.5, 4.0)))
    page = telemetry.page().decode()
    target = 'name="llama",namespace="prod"'
    for line in (
        f'foretide_warm_idle_gpu_seconds_total{{{target},tier="ready"}} 60.0',
        f'foretide_warm_idle_gpu_seconds_total{{{target},tier="sleeping"}} 30.0',
        f"foretide_cold_started_requests_total{{{target}}} 2.0",
        f'foretide_pods_ended_total{{{target},utility="below-1"}} 1.0',
        f'foretide_pods_ended_total{{{target},utility="at-least-1"}} 1.0',
        'foretide_wake_seconds_bucket{le="80.0",tier="zero"} 1.0',
        'foretide_wake_seconds_bucket{le="40.0",tier="zero"} 0.0',
        'foretide_pod_utility_ratio_bucket{le="1.0"} 1.0',
    ):
        assert line in page
    telemetry.forget(Key(*labels))
    assert target not in telemetry.page().decode()
