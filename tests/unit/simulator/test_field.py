import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from staged import bench

from foretide.policies.flow import DemandHistory, Trust, frozen
from foretide.simulator.field import NAMES, NoRival, rival, settings_of
from foretide.simulator.fleet import StartTier
from foretide.simulator.knobs import knob_of
from foretide.simulator.run import Bench, run_policy
from foretide.simulator.scenario import BadScenario

ROWS = np.tile([20.0, 20_000.0, 4_000.0], (40, 1))
QUIET = bench(5, 40, 50, 40, 5, 5, initial=1, cold_start=StartTier(20.0, 0.2))
STEP_S = QUIET.scenario.pace.step_s
DAY = replace(QUIET, history=DemandHistory(-STEP_S * len(ROWS), STEP_S, frozen(ROWS), Trust.FRESH))


def with_knobs(**given: dict[str, tuple[float, ...]]) -> Bench:
    named = {name.replace("_", "-"): settings for name, settings in given.items()}
    return replace(DAY, scenario=replace(DAY.scenario, knobs=named))


def test_the_field_is_complete() -> None:
    assert set(NAMES) == {
        "static",
        "static-mean",
        "hpa",
        "hpa-utilization",
        "hpa-concurrency",
        "keda",
        "knative",
        "dynamo",
        "wva",
        "sageserve",
        "last-value",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_rival_runs_the_day_within_its_limits_and_twice_alike(name: str) -> None:
    first, second = (run_policy(bench=DAY, autoscaler=rival(name, DAY)) for _ in range(2))
    scenario, counts = DAY.scenario, {count for _, count in first.orders}
    assert first.policy == name
    assert scenario.min_replicas <= min(counts)
    assert max(counts) <= scenario.max_replicas
    assert (len(counts) == 1) == name.startswith("static")
    assert first.orders == second.orders


@pytest.mark.parametrize(
    ("name", "knob", "cheap", "dear"),
    [
        ("static", "replicas", 1, 4),
        ("static-mean", "replicas", 1, 4),
        ("hpa", "target", 50, 1),
        ("hpa-utilization", "target", 1.2, 0.3),
        ("hpa-concurrency", "target", 40, 4),
        ("keda", "running_threshold", 60, 6),
        ("knative", "concurrency", 60, 6),
        ("dynamo", "slo_scale", 1.5, 0.4),
        ("wva", "slo_scale", 2.0, 0.4),
        ("sageserve", "buffer", 0.02, 2.0),
        ("last-value", "headroom", 0.5, 3.0),
    ],
)
def test_the_knob_that_is_tuned_buys_capacity(name: str, knob: str, cheap: float, dear: float) -> None:
    tuned = knob_of(name, DAY.scenario)
    assert tuned is None or tuned.name == knob
    hours = []
    for value in (cheap, dear):
        set_to = with_knobs(**{name.replace("-", "_"): {knob: (value,)}})
        hours.append(run_policy(bench=set_to, autoscaler=rival(name, set_to)).gpu_hours)
    assert hours[0] < hours[1]


def test_an_unknown_name_gets_the_list() -> None:
    with pytest.raises(NoRival, match=r"^chiron: unknown rival; there are static, .*last-value$"):
        rival("chiron", DAY)


def test_settings_that_a_rival_does_not_have_are_named_all_at_once() -> None:
    with pytest.raises(BadScenario) as found:
        rival("wva", with_knobs(wva={"slo_scale": (-1.0,), "patience": (3.0,)}))
    lines = str(found.value).splitlines()
    assert lines == [
        "policies.wva.patience: there is no such setting; there are slo_scale, up_window_s, down_window_s",
        "policies.wva.slo_scale: -1: give a finite number above 0",
    ]


def test_hpa_can_look_at_the_cache_instead_of_the_gpu() -> None:
    hours = {
        knob: run_policy(bench=set_to, autoscaler=rival("hpa-utilization", set_to)).gpu_hours
        for knob in ("target", "kv_target")
        for set_to in [with_knobs(hpa_utilization={knob: (0.8,)})]
    }
    assert hours["kv_target"] < hours["target"]


@pytest.mark.parametrize("predictor", range(4))
def test_dynamo_runs_with_each_of_its_predictors_and_without_its_load_loop(predictor: int) -> None:
    hours = []
    for load_loop in (1.0, 0.0):
        set_to = with_knobs(dynamo={"predictor": (float(predictor),), "load_loop": (load_loop,)})
        run = run_policy(bench=set_to, autoscaler=rival("dynamo", set_to))
        codes = {asked.choice.code for asked in run.asked}
        assert ("Throughput" in codes) != bool(load_loop)
        hours.append(run.gpu_hours)
    assert all(value > 0 for value in hours)


def test_a_window_of_behavior_is_what_keeps_an_hpa_up() -> None:
    hours = []
    for window_s in (600.0, 0.0):
        set_to = with_knobs(hpa={"down_window_s": (window_s,)})
        hours.append(run_policy(bench=set_to, autoscaler=rival("hpa", set_to)).gpu_hours)
    assert hours[0] > hours[1]


@pytest.mark.parametrize(
    ("name", "knob", "value", "fix"),
    [
        ("dynamo", "predictor", 9.0, "give one of constant, arima, kalman, prophet"),
        ("dynamo", "load_loop", 0.5, "give one of off, on"),
        ("keda", "activation", -1.0, "give a finite number of at least 0"),
        ("keda", "threshold", 0.0, "give a finite number above 0"),
    ],
)
def test_a_setting_that_makes_no_sense_says_how_to_mend_it(name: str, knob: str, value: float, fix: str) -> None:
    with pytest.raises(BadScenario) as found:
        rival(name, with_knobs(**{name: {knob: (value,)}}))
    assert str(found.value) == f"policies.{name}.{knob}: {value:g}: {fix}"


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented_and_the_first_knob_stands_out(name: str) -> None:
    rows = (Path(__file__).parents[3] / "docs" / "rivals.md").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{name}` |")]
    assert [setting for setting in settings_of(name) if f"`{setting}`" not in row] == []
    knob = knob_of(name, DAY.scenario)
    assert re.findall(r"\*\*`(\w+)`\*\*", row) == ([] if knob is None else [knob.name])
