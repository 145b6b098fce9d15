"""The field of rivals: every policy that can be compared with, built by its name for one bench.

A rival takes the settings that its documentation gives, or those that an owner would find by a load test before going
live; a scenario's own settings (`policies: {name: {knob: [...]}}`) come before either.

What is NOT promised: that one setting does a rival justice. `knobs` says which ones a frontier should try.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from foretide.simulator import dynamo, keda, knative, last_value, sageserve, utilization, wva
from foretide.simulator.autoscaler import Autoscaler, Gauge
from foretide.simulator.engine import Engine, Limits
from foretide.simulator.hpa import ExternalMetricHpa
from foretide.simulator.rivals import (
    CONCURRENCY_SHARE,
    WAITING_TARGET,
    FixedCount,
    mean_count,
    peak_count,
    usual_concurrency,
)
from foretide.simulator.run import Bench
from foretide.simulator.scenario import BadScenario, Scenario
from foretide.simulator.settings import PREDICTORS, VARIANTS, WINDOWS, Given, behavior_of, problem_of
from foretide.simulator.written import Problem


class NoRival(LookupError):
    """A name that is not in the field, in one line that gives those that are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: unknown rival; there are {', '.join(NAMES)}")


def rival(name: str, bench: Bench) -> Autoscaler:
    """A fresh rival for one run. Raises NoRival, and BadScenario for settings that it does not have."""
    if name not in _FIELD:
        raise NoRival(name)
    build, settings = _FIELD[name]
    return build(bench, _given(name, bench, settings))


def settings_of(name: str) -> tuple[str, ...]:
    """All settings that a scenario may give a rival. Raises NoRival."""
    if name not in _FIELD:
        raise NoRival(name)
    return _FIELD[name][1]


def _given(name: str, bench: Bench, settings: tuple[str, ...]) -> Given:
    """What the scenario sets for a rival. Raises BadScenario with all that is wrong."""
    found = {knob: values[0] for knob, values in bench.scenario.knobs.get(name, {}).items() if values}
    if problems := _problems(name, found, settings):
        raise BadScenario(problems)
    return found


def strange_settings(scenario: Scenario) -> list[Problem]:
    """What is wrong with the settings of rivals: names that they do not have, and values that cannot be."""
    problems: list[Problem] = []
    for name, given in scenario.knobs.items():
        if name in _FIELD:
            first = {knob: values[0] for knob, values in given.items() if values}
            problems += _problems(name, first, _FIELD[name][1])
    return problems


def _problems(name: str, found: Given, settings: tuple[str, ...]) -> list[Problem]:
    problems = [
        Problem(f"policies.{name}.{knob}", "", f"there is no such setting; there are {', '.join(settings)}")
        for knob in found
        if knob not in settings
    ]
    return problems + [
        Problem(f"policies.{name}.{knob}", f"{value:g}", fix)
        for knob, value in found.items()
        if knob in settings and (fix := problem_of(knob, value)) is not None
    ]


@lru_cache(maxsize=2)
def _carried(bench: Bench) -> float:
    """Running requests per replica at the largest load that a load test found to hold."""
    return usual_concurrency(bench) / CONCURRENCY_SHARE


def _usual_running(bench: Bench) -> float:
    """The target that an owner would set for running requests per replica."""
    return max(1.0, CONCURRENCY_SHARE * _carried(bench))


def _static(bench: Bench, given: Given) -> Autoscaler:
    return FixedCount("static", int(given["replicas"]) if "replicas" in given else peak_count(bench))


def _static_mean(bench: Bench, given: Given) -> Autoscaler:
    return FixedCount("static-mean", int(given["replicas"]) if "replicas" in given else mean_count(bench))


def _hpa(bench: Bench, given: Given) -> Autoscaler:
    return _external("hpa", "waiting", given.get("target", WAITING_TARGET), bench, given)


def _hpa_concurrency(bench: Bench, given: Given) -> Autoscaler:
    target = given["target"] if "target" in given else _usual_running(bench)
    return _external("hpa-concurrency", "running", target, bench, given)


def _external(name: str, gauge: Gauge, target: float, bench: Bench, given: Given) -> Autoscaler:
    low, high = _bounds(bench)
    return ExternalMetricHpa(
        name=name, gauge=gauge, target=target, min_replicas=low, max_replicas=high, behavior=behavior_of(given)
    )


def _hpa_utilization(bench: Bench, given: Given) -> Autoscaler:
    low, high = _bounds(bench)
    by_cache = "kv_target" in given
    return utilization.UtilizationHpa(
        min_replicas=low,
        max_replicas=high,
        target=given["kv_target"] if by_cache else given.get("target", utilization.TARGET),
        signal="kv" if by_cache else "gpu",
        behavior=behavior_of(given),
    )


def _keda(bench: Bench, given: Given) -> Autoscaler:
    low, high = _bounds(bench)
    scaled = keda.Scaled(
        threshold=given.get("threshold", keda.QUEUE_TARGET),
        running_threshold=given["running_threshold"] if "running_threshold" in given else _usual_running(bench),
        activation=given.get("activation", 0.0),
        polling_s=given.get("polling_s", keda.POLLING_S),
        cooldown_s=given.get("cooldown_s", keda.COOLDOWN_S),
        credit=bool(given.get("credit", True)),
        fallback_replicas=int(given["fallback_replicas"]) if "fallback_replicas" in given else None,
    )
    return keda.Keda(min_replicas=low, max_replicas=high, scaled=scaled, behavior=behavior_of(given))


def _knative(bench: Bench, given: Given) -> Autoscaler:
    concurrency = given["concurrency"] if "concurrency" in given else _carried(bench)
    rules = replace(knative.KpaRules(concurrency), **{**given, "concurrency": concurrency})
    low, high = _bounds(bench)
    return knative.Knative(rules=rules, min_replicas=low, max_replicas=high)


def _dynamo(bench: Bench, given: Given) -> Autoscaler:
    scenario = bench.scenario
    planner = dynamo.Planner(
        limits=Limits.of(scenario.objective, scale=given.get("slo_scale", 1.0)),
        predictor=PREDICTORS[int(given.get("predictor", PREDICTORS.index("arima")))],
        load_loop=bool(given.get("load_loop", True)),
        down_share=given.get("down_share", dynamo.DOWN_SHARE),
        throughput_s=given.get("throughput_s", dynamo.THROUGHPUT_S),
    )
    low, high = _bounds(bench)
    return dynamo.Dynamo(
        engine=Engine(scenario.deployment),
        planner=planner,
        pace=scenario.pace,
        min_replicas=low,
        max_replicas=high,
        history=bench.history,
    )


def _wva(bench: Bench, given: Given) -> Autoscaler:
    scenario, (low, high) = bench.scenario, _bounds(bench)
    return wva.Wva(
        deployment=scenario.deployment,
        objective=scenario.objective,
        min_replicas=low,
        max_replicas=high,
        slo_scale=given.get("slo_scale", 1.0),
        behavior=behavior_of(given),
    )


def _sageserve(bench: Bench, given: Given) -> Autoscaler:
    low, high = _bounds(bench)
    return sageserve.SageServe(
        service=bench.service,
        pace=bench.scenario.pace,
        full=_carried(bench),
        min_replicas=low,
        max_replicas=high,
        thresholds=_thresholds(given),
        history=bench.history,
    )


def _thresholds(given: Given) -> sageserve.Thresholds:
    numbers: dict[str, Any] = {name: value for name, value in given.items() if name != "variant"}
    variant = VARIANTS[int(given.get("variant", VARIANTS.index("arima")))]
    return replace(sageserve.Thresholds(variant=variant), **numbers)


def _last_value(bench: Bench, given: Given) -> Autoscaler:
    scenario, (low, high) = bench.scenario, _bounds(bench)
    return last_value.LastValue(
        service=bench.service,
        pace=scenario.pace,
        min_replicas=low,
        max_replicas=high,
        behavior=scenario.behavior,
        headroom=given.get("headroom", 1.0),
    )


def _bounds(bench: Bench) -> tuple[int, int]:
    return bench.scenario.min_replicas, bench.scenario.max_replicas


_FIELD: Mapping[str, tuple[Callable[[Bench, Given], Autoscaler], tuple[str, ...]]] = {
    "static": (_static, ("replicas",)),
    "static-mean": (_static_mean, ("replicas",)),
    "hpa": (_hpa, ("target", *WINDOWS)),
    "hpa-utilization": (_hpa_utilization, ("target", "kv_target", *WINDOWS)),
    "hpa-concurrency": (_hpa_concurrency, ("target", *WINDOWS)),
    "keda": (_keda, (*(setting.name for setting in fields(keda.Scaled)), *WINDOWS)),
    "knative": (_knative, tuple(setting.name for setting in fields(knative.KpaRules))),
    "dynamo": (_dynamo, ("slo_scale", "down_share", "throughput_s", "predictor", "load_loop")),
    "wva": (_wva, ("slo_scale", *WINDOWS)),
    "sageserve": (_sageserve, tuple(setting.name for setting in fields(sageserve.Thresholds))),
    "last-value": (_last_value, ("headroom",)),
}
"""How a rival is built, and which settings a scenario may give it."""
NAMES = tuple(_FIELD)
"""All rivals, in the order in which the command line lists them."""
