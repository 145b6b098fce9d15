import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from foretide.policies.flow import Costs, LatencyTarget, ScalingPolicy
from foretide.simulator.bench import prepare
from foretide.simulator.conditions import QUIET, Conditions
from foretide.simulator.faults import Crash, Dropout, Failures, Slowdown, SlowStart, StockOut
from foretide.simulator.generate import Conversations, WorkloadShape
from foretide.simulator.power import PowerCap
from foretide.simulator.profiles import Partition
from foretide.simulator.requests import BadTrace
from foretide.simulator.rivals import peak_count
from foretide.simulator.scenario import BadScenario, RequestFile, load_scenario, read_trace
from foretide.simulator.starts import StartTier
from foretide.simulator.stock import Stock
from foretide.simulator.written import moment, seconds

DATA = "FORETIDE_DATA"
SCENARIOS = sorted((Path(__file__).parents[3] / "docs/scenarios").glob("*.yaml"))


TWO_POOLS = "try two pools of fixed size with `foretide simulate --layout disaggregated`"


def written(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "workload": {"mean_rps": 2.0, "day_s": 600.0},
        "deployment": {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1},
        "objective": {
            "ttft": {"percentile": 99, "threshold": "500ms"},
            "tpot": {"percentile": 95, "threshold": "25ms"},
            "maxViolationProbability": 0.02,
            "window": "5m",
        },
        "cold_start": {"tiers": {"warm": {"median_s": 80, "sigma": 0.3}, "cold": {"median_s": 400, "sigma": 0.5}}},
        "limits": {"min": 1, "max": 40},
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def saved(folder: Path, **changes: Any) -> Path:
    path = folder / "morning.yaml"
    path.write_text(yaml.safe_dump(written(**changes), sort_keys=False))
    return path


def problems(folder: Path, **changes: Any) -> list[str]:
    with pytest.raises(BadScenario) as caught:
        load_scenario(saved(folder, **changes))
    return str(caught.value).splitlines()


def test_prices_may_stand_beside_an_objective(tmp_path: Path) -> None:
    objective = {"ttft": {"threshold": "500ms"}, "costs": {"gpuHour": 2.5, "violation": 0.002}}
    assert load_scenario(saved(tmp_path, objective=objective)).objective.costs == Costs(2.5, 0.002)
    wrong = objective | {"costs": {"gpuHour": 0, "violation": 0.002}}
    assert problems(tmp_path, objective=wrong)[0].startswith("objective.costs.gpuHour: 0: must be above 0, like 2.5")


def test_a_scenario_is_read_with_its_units(tmp_path: Path) -> None:
    found = load_scenario(saved(tmp_path))
    assert found.name == "morning"
    assert found.objective.ttft == LatencyTarget(99.0, 0.5)
    assert found.objective.tpot == LatencyTarget(95.0, 0.025)
    assert (found.objective.max_violation_probability, found.objective.window_s) == (0.02, 300.0)
    assert (found.cold_start.median_s, found.max_replicas) == (80.0, 40)
    assert isinstance(found.source, WorkloadShape)
    assert found.pace.season_s == 600.0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"objective": {"ttft": {"percentile": 99, "threshold": 500}}},
            "objective.ttft.threshold: 500: write a number with its unit, like 500ms, 25ms or 5m",
        ),
        (
            {"objective": {"ttft": {"percentile": 0, "threshold": "500ms"}}},
            "objective.ttft.percentile: 0: must be above 0 and below 100, like 99 or 99.9",
        ),
        (
            {"objective": {"ttft": {"percentile": 101, "threshold": "500ms"}}},
            "objective.ttft.percentile: 101: must be above 0 and below 100, like 99 or 99.9",
        ),
        ({"limits": {"min": 9, "max": 3}}, "limits: min 9 is above max 3; lower min or raise max"),
        ({"speed": 3}, "speed: 3: unknown field; remove it or correct its name"),
        ({"limits": None}, "limits: missing; it is required"),
        (
            {"pools": []},
            f"pools: not available yet; one pool is replayed, declared by deployment and limits; {TWO_POOLS}",
        ),
        (
            {"deployment": {"model": "Llama-3.1-8B", "gpu": "H100", "layout": "disaggregated"}},
            f"deployment.layout: not available yet; a replay has no pools of prefill and decode; {TWO_POOLS}",
        ),
        (
            {"nodes": {"gpus": 0}},
            "nodes.gpus: 0: a replica needs 1, so that none ever starts; give at least as many at some time",
        ),
        ({"scrape_s": 1e-9}, "scrape_s: 1e-09: should be greater than or equal to 0.1"),
        ({"workload": None}, "scenario: needs requests or workload, and only one of the two"),
        (
            {"objective": {"window": "5m"}},
            "objective: declares nothing; give at least one of ttft, tpot, e2e, like ttft: {threshold: 500ms}",
        ),
    ],
)
def test_each_mistake_is_one_line_with_field_value_and_fix(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    assert problems(tmp_path, **changes) == [line]


def test_conditions_are_read_with_their_units(tmp_path: Path) -> None:
    found = load_scenario(
        saved(
            tmp_path,
            cold_start={
                "tiers": {"warm-node": {"nodes": 3}, "cold-node": {}, "far": {"median_s": 900}},
                "contention": 0.05,
                "refill": "2m",
            },
            nodes={"gpus": 16, "changes": [{"at": "30m", "gpus": 8}]},
            failures={"per_replica_hour": 0.01, "retry": "2s"},
            faults=[
                {"kind": "slowdown", "at": "10m", "duration": "20m"},
                {"kind": "slow-start", "at": 60},
                {"kind": "dropout", "at": "1h", "duration": "5m", "share": 0.5},
                {"kind": "crash", "at": 7, "replicas": 2},
                {"kind": "stock-out", "at": "1h", "duration": "30m", "gpus": 4},
            ],
            routing="queue-and-kv",
            staleness="lookback",
        )
    )
    assert found.cold_start == StartTier(80.0, 0.3, nodes=3)
    assert found.conditions == Conditions(
        further_tiers=(StartTier(455.0, 0.35), StartTier(900.0, 0.3)),
        contention=0.05,
        refill_s=120.0,
        stock=Stock(((0.0, 16), (1800.0, 8))),
        failures=Failures(per_replica_hour=0.01, retry_s=2.0),
        faults=(
            Slowdown(at=600.0, duration_s=1200.0, factor=1.3),
            SlowStart(at=60.0, factor=3.0),
            Dropout(at=3600.0, duration_s=300.0, share=0.5),
            Crash(at=7.0, replicas=2),
            StockOut(at=3600.0, duration_s=1800.0, gpus=4),
        ),
    )
    assert (found.routing, found.pace.lookback_s) == ("queue-and-kv", 300.0)


def test_a_scenario_that_names_no_conditions_has_quiet_ones(tmp_path: Path) -> None:
    found = load_scenario(saved(tmp_path, cold_start={"tiers": {"warm": {"median_s": 80}}}))
    assert found.conditions == QUIET
    assert (found.routing, found.pace.lookback_s, found.power_cap) == ("least-outstanding", 0.0, None)


def test_a_power_cap_slows_the_deployment(tmp_path: Path) -> None:
    usual, limited = (load_scenario(saved(tmp_path, power=power)) for power in (None, {"cap_w": 400}))
    assert limited.power_cap == PowerCap(400.0, 1.3)
    slower = limited.deployment.profile.steps.prefill_b_ms / usual.deployment.profile.steps.prefill_b_ms
    assert slower == pytest.approx(1.3)


def test_the_settings_of_the_engine_are_read(tmp_path: Path) -> None:
    engine = {"http_overhead_s": 0.02, "block_tokens": 32, "prefix_cache": True, "whole_prompts": True}
    found = load_scenario(saved(tmp_path, deployment=DEPLOYED | engine)).deployment
    assert {name: getattr(found, name) for name in engine} == engine
    halved = load_scenario(saved(tmp_path, deployment=DEPLOYED | {"partition": HALVES})).deployment
    assert halved.partition == Partition(prefill_share=0.5, decode_knee=0.4)


DEPLOYED = {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1}
HALVES = {"prefill_share": 0.5, "decode_knee": 0.4}
TIERS = {"a": {"median_s": 80}, "b": {"median_s": 300}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"cold_start": {"tiers": {"a": {}, "b": {"median_s": 300}}}},
            (
                "cold_start: tiers.a has no median_s; give it, or use one of sleeping, warm-node-cached, warm-node, "
                "cold-node"
            ),
        ),
        (
            {"cold_start": {"tiers": TIERS | {"c": {"median_s": 900, "nodes": 3}}}},
            "cold_start: tiers.c is the last and cannot run out; remove its nodes or add a slower tier",
        ),
        (
            {"cold_start": {"tiers": TIERS, "contention": -0.1}},
            "cold_start.contention: -0.1: should be greater than or equal to 0",
        ),
        (
            {"nodes": {"gpus": 8, "changes": [{"at": "2h", "gpus": 4}, {"at": "1h", "gpus": 8}]}},
            "nodes: changes must come in the order of time, the first after 0; sort them",
        ),
        ({"nodes": {"gpus": -1}}, "nodes.gpus: -1: should be greater than or equal to 0"),
        (
            {"failures": {"per_replica_hour": 0.1, "retry": "-2s"}},
            "failures.retry: -2s: write a number with its unit, like 500ms, 25ms or 5m",
        ),
        (
            {"power": {"cap_w": 300}},
            (
                "power.cap_w: 300: is below the 380 W that decode draws on H100, so decode would slow too, which is "
                "not modelled; raise it"
            ),
        ),
        (
            {"faults": [{"kind": "meteor", "at": 5}]},
            "faults[0].kind: meteor: should be 'slowdown', 'slow-start', 'dropout', 'crash' or 'stock-out'",
        ),
        ({"faults": [{"kind": "crash"}]}, "faults[0].at: missing; it is required"),
        (
            {"faults": [{"kind": "dropout", "at": 5, "factor": 2}]},
            "faults[0]: a dropout has no factor; it takes at, duration, share",
        ),
        (
            {"faults": [{"kind": "slowdown", "at": 5, "factor": 0.5}]},
            "faults[0].factor: 0.5: should be greater than or equal to 1",
        ),
        (
            {"faults": [{"kind": "slowdown", "at": 5, "duration": 0}]},
            "faults[0].duration: 0: should be greater than 0",
        ),
        (
            {"routing": "by-name"},
            (
                "routing: by-name: there is no such routing; give one of round-robin, least-outstanding, queue-and-kv, "
                "prefix-aware"
            ),
        ),
        (
            {"deployment": DEPLOYED | {"kv_tokens": 8}},
            "deployment.kv_tokens: 8: give at least one block of 16 tokens",
        ),
        (
            {"deployment": DEPLOYED | {"prefix_cache": True, "partition": HALVES}},
            "deployment: prefix_cache is not simulated on a partitioned GPU; remove one of the two",
        ),
        (
            {"deployment": DEPLOYED | {"partition": HALVES | {"decode_knee": 1.5}}},
            "deployment.partition.decode_knee: 1.5: should be less than 1",
        ),
        ({"staleness": "never"}, "staleness: never: should be 'marked' or 'lookback'"),
    ],
)
def test_each_mistake_in_conditions_is_one_line(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    assert problems(tmp_path, **changes) == [line]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, limits={"min": 0, "max": 3}, train_fraction=1.5)
    assert [line.split(":")[0] for line in found] == ["limits.min", "train_fraction"]


def test_an_unknown_model_names_those_that_are_there(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, deployment={"model": "GPT-9", "gpu": "H100", "tp": 1})
    assert line.startswith("deployment: GPT-9 on H100 with tp 1: ")
    assert "Llama-3.1-8B" in line


def test_a_scenario_brings_its_own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "prefill_c_ms")
    row = {"model": "GPT-9", "gpu": "H100", "tp": 1, "steps": dict.fromkeys(names, 1.0), "kv_tokens": 48, "source": "x"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"profiles": [row]}))
    deployment = {"model": "GPT-9", "gpu": "H100", "tp": 1}
    found = load_scenario(saved(tmp_path, deployment=deployment | {"profiles": "mine.yaml"}))
    assert found.deployment.profile.source == "x"
    monkeypatch.setenv("FORETIDE_PROFILES", str(tmp_path / "mine.yaml"))
    assert load_scenario(saved(tmp_path, deployment=deployment)).deployment.profile.kv_tokens == 48


def test_a_scenarios_profiles_that_cannot_be_are_told_with_the_rest(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, deployment={"model": "GPT-9", "gpu": "H100", "profiles": "none.yaml"})
    assert line.endswith("none.yaml: no such file or folder; correct the path")


def test_an_unknown_field_of_the_workload_is_named(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, workload={"mean_rps": 2.0, "speed": 1})
    assert line == "workload.speed: 1: unknown field; remove it or correct its name"
    (line,) = problems(tmp_path, workload={"mean_rps": 2.0, "dayss": 1})
    assert line == "workload.dayss: 1: unknown field; did you mean days?"


@pytest.mark.parametrize(
    ("workload", "told"),
    [
        ({"mean_rps": 0}, "workload.mean_rps: 0.0: give a number above 0"),
        ({}, "workload.mean_rps: "),
        ({"mean_rps": 1, "mix": {"poems": 1}}, "workload.mix: poems: no such regime; there are chat,"),
        ({"mean_rps": 1, "gaps": "even"}, "workload.gaps: even: "),
        ({"mean_rps": 1, "conversations": {"turns": 0}}, "workload.conversations.turns: 0.0: give a number above 0"),
        ({"mean_rps": 1, "agents": {"loops": 3}}, "workload.agents.loops: 3: unknown field"),
        ({"mean_rps": "many"}, "workload.mean_rps: many: should be a valid number"),
    ],
)
def test_mistakes_below_workload_name_their_place(tmp_path: Path, workload: dict[str, Any], told: str) -> None:
    (line,) = problems(tmp_path, workload=workload)
    assert line.startswith(told)


def test_conversations_are_written_below_the_workload(tmp_path: Path) -> None:
    workload = {"mean_rps": 2, "day_s": 600, "holidays": [3], "mix": {"code": 1}, "conversations": {"turns": 3}}
    source = load_scenario(saved(tmp_path, workload=workload)).source
    assert isinstance(source, WorkloadShape)
    assert source == WorkloadShape(
        mean_rps=2.0, day_s=600.0, holidays=(3,), mix={"code": 1.0}, conversations=Conversations(turns=3.0)
    )


def test_stress_is_done_to_the_trace_after_its_rate_was_changed(tmp_path: Path) -> None:
    lines = "".join(f"{at / 10},10,10\n" for at in range(1000))
    (tmp_path / "r.csv").write_text(f"arrival_s,prompt_tokens,output_tokens\n{lines}")
    requests = {"path": "r.csv", "scale_rate": 2, "jitter": "3s"}
    stress = [{"kind": "silence", "at": "20s", "duration": 30}, {"kind": "output-shift", "at": 60, "factor": 3}]
    found = load_scenario(saved(tmp_path, workload=None, requests=requests, stress=stress))
    trace = read_trace(found, seed=1)
    assert not ((trace.arrival_s >= 20) & (trace.arrival_s < 50)).any()
    assert (trace.output_tokens == np.where(trace.arrival_s >= 60, 30, 10)).all()
    calm = read_trace(replace(found, stress=()), seed=1)
    assert len(calm) == 2000
    assert len(np.unique(calm.arrival_s)) > 1990


def test_a_mistake_in_a_stress_names_its_place(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, stress=[{"kind": "silence"}, {"kind": "step", "factor": -1}])
    assert line == "stress[1].step.factor: -1: should be greater than 0"
    (line,) = problems(tmp_path, stress={"kind": "silence"})
    assert line == "stress: should be a valid list"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_of_the_documentation_can_be_loaded(path: Path) -> None:
    text = yaml.safe_load(path.read_text())
    if "requests" in text and DATA not in os.environ:
        pytest.skip(f"{DATA} is not set: {text['requests']['path']} is not at hand")
    assert load_scenario(path).name == path.stem


def test_a_scenario_that_is_not_there_or_not_yaml_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match="No such file"):
        load_scenario(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1\nb")
    with pytest.raises(BadScenario, match="not YAML") as caught:
        load_scenario(broken)
    assert len(str(caught.value).splitlines()) == 1


def test_relative_paths_start_at_the_file_then_at_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "r.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,10,10\n5,10,10\n")
    path = saved(tmp_path, workload=None, requests={"path": "r.csv"})
    monkeypatch.delenv(DATA, raising=False)
    with pytest.raises(BadScenario, match=r"requests\.path: r\.csv: not found in .* set FORETIDE_DATA"):
        load_scenario(path)
    monkeypatch.setenv(DATA, str(data))
    found = load_scenario(path)
    assert isinstance(found.source, RequestFile)
    assert found.source.path == data / "r.csv"
    (tmp_path / "r.csv").write_text((data / "r.csv").read_text())
    nearer = load_scenario(path).source
    assert isinstance(nearer, RequestFile)
    assert nearer.path.parent == tmp_path


def test_a_part_of_the_requests_is_cut_out_and_multiplied(tmp_path: Path) -> None:
    lines = "".join(f"{at},10,10\n" for at in range(100))
    (tmp_path / "r.csv").write_text(f"arrival_s,prompt_tokens,output_tokens\n{lines}")
    requests = {"path": "r.csv", "start": "10s", "duration": 20, "scale_rate": 3}
    trace = read_trace(load_scenario(saved(tmp_path, workload=None, requests=requests)), seed=1)
    assert len(trace) == 60
    assert trace.arrival_s[-1] <= 20.0


def test_a_bad_trace_is_refused_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("when,prompt_tokens\n0,10\n")
    with pytest.raises(BadTrace, match="columns"):
        read_trace(load_scenario(saved(tmp_path, workload=None, requests={"path": "r.csv"})), seed=1)


def test_behavior_has_the_fields_and_meanings_of_hpa(tmp_path: Path) -> None:
    rules = {
        "stabilizationWindowSeconds": 60,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 30}],
    }
    found = load_scenario(saved(tmp_path, behavior={"scaleDown": rules})).behavior
    assert found.down.stabilization_s == 60.0
    assert found.down.policies == (ScalingPolicy("Pods", 2, 30.0),)
    assert found.up.stabilization_s == 0.0


def test_a_replay_takes_the_first_setting_of_a_knob(tmp_path: Path) -> None:
    found = load_scenario(saved(tmp_path, policies={"hpa": {"target": [3, 5, 8]}}))
    assert found.knob("hpa", "target") == 3.0
    assert found.knob("foretide", "target") is None


def test_settings_may_be_words(tmp_path: Path) -> None:
    policies = {"dynamo": {"predictor": ["kalman"], "load_loop": ["off"]}, "keda": {"credit": [False]}}
    found = load_scenario(saved(tmp_path, policies=policies))
    assert found.knobs == {"dynamo": {"predictor": (2.0,), "load_loop": (0.0,)}, "keda": {"credit": (0.0,)}}


def test_a_word_that_no_setting_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadScenario, match=r"policies\.dynamo\.predictor\[0\]: sarima: "):
        load_scenario(saved(tmp_path, policies={"dynamo": {"predictor": ["sarima"]}}))


@pytest.mark.parametrize(("text", "value"), [("500ms", 0.5), ("5m", 300.0), ("1m30s", 90.0), ("1.5h", 5400.0)])
def test_durations_have_units(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["500", "", "5 m", "-5m", "5d", 5, None])
def test_a_duration_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="unit"):
        seconds(text)


@pytest.mark.parametrize(("value", "expected"), [(600, 600.0), ("600", 600.0), ("10m", 600.0), (0.5, 0.5)])
def test_a_moment_is_a_duration_or_plain_seconds(value: object, expected: float) -> None:
    assert moment(value) == expected


@pytest.mark.data
@pytest.mark.skipif(DATA not in os.environ, reason="FORETIDE_DATA is not set: the Azure 2023 trace is not at hand")
def test_the_published_scenario_needs_at_least_eight_replicas_at_its_peak() -> None:
    found = load_scenario(Path("docs/scenarios/azure2023-conv.yaml"))
    bench = prepare(found, seed=0)
    assert len(bench.trace) == 20 * 19366
    assert peak_count(bench) >= 8
