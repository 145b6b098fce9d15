"""What a pool carries, measured: at the table's load the promise holds, a little above it breaks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretide.policies.flow import LatencyTarget, Objective, frozen
from foretide.simulator import capacity
from foretide.simulator.capacity import measure_capacity, service_model, work_per_unit
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace
from foretide.simulator.score import within

DEPLOYMENT = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 0.5), tpot=LatencyTarget(99.0, 0.025))
LENGTHS = np.random.default_rng(0)
PROMPTS = np.maximum(1, LENGTHS.lognormal(6.9, 0.6, 2000)).astype(np.int64)
OUTPUTS = np.maximum(1, LENGTHS.lognormal(4.9, 0.8, 2000)).astype(np.int64)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "POOLS", (1, 2, 4))
    monkeypatch.setattr(capacity, "REQUESTS_ALONE", 1000)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what does not depend on the numbers measured."""
    monkeypatch.setattr(capacity, "POOLS", (1, 2))
    monkeypatch.setattr(capacity, "REQUESTS_ALONE", 100)


def measure(**changes: object) -> capacity.CapacityTable:
    usual = {"deployment": DEPLOYMENT, "objective": OBJECTIVE, "prompt_tokens": PROMPTS, "output_tokens": OUTPUTS}
    return measure_capacity(**(usual | changes))  # type: ignore[arg-type]


def share_within(load: float, *, objective: Objective = OBJECTIVE) -> float:
    """Worst share of requests within a threshold, on one replica at this work/s."""
    work = work_per_unit(DEPLOYMENT, objective, PROMPTS, OUTPUTS)
    each = float(work.of(np.array([1.0, PROMPTS.mean(), OUTPUTS.mean()])))
    rng = np.random.default_rng(99)
    picks = rng.integers(0, len(PROMPTS), 20_000)
    arrival = np.cumsum(rng.exponential(each / load, 20_000))
    fleet = Fleet(
        deployment=DEPLOYMENT,
        trace=RequestTrace(frozen(arrival), PROMPTS[picks], OUTPUTS[picks]),
        replicas=1,
        cold_start=StartTier(1.0, 0.0),
        seed=0,
    )
    fleet.advance(float("inf"))
    kept = [within(outcome=fleet.outcome(), name=n, target=t).mean() for n, t in objective.declared().items()]
    return float(min(kept))


def test_the_promise_holds_below_the_measured_load_and_breaks_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On arrivals and lengths that the measurement has not seen; at the load itself the share is the promised one."""
    monkeypatch.setattr(capacity, "POOLS", (1,))
    monkeypatch.setattr(capacity, "REQUESTS_ALONE", 6000)
    load = measure().per_replica[0]
    assert share_within(0.9 * load) >= 0.99 > share_within(1.1 * load)
    assert 0.98 <= share_within(load) <= 0.998


def test_larger_pools_carry_no_less_per_replica() -> None:
    each = measure().per_replica
    assert list(each) == sorted(each)
    assert each[-1] > each[0]


def test_sizes_that_chance_put_out_of_order_share_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {1: 0.5, 2: 0.7, 4: 0.6}
    monkeypatch.setattr(capacity.Measurement, "largest_load", lambda _self, size, _smaller: (drawn[size], "tpot"))
    assert measure().per_replica == pytest.approx((0.5, 0.65, 0.65))


def test_a_pool_that_carries_less_than_expected_is_still_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity.Measurement, "_broken", lambda _self, _size, load: "tpot" if load > 0.3 else "")
    measured = capacity.Measurement(DEPLOYMENT, OBJECTIVE, PROMPTS, OUTPUTS, 0)
    assert measured.largest_load(2, 0.7) == (pytest.approx(0.3, rel=0.01), "tpot")


def test_a_stricter_promise_carries_less_and_names_what_limits() -> None:
    usual = measure()
    quick_first = measure(objective=replace(OBJECTIVE, ttft=LatencyTarget(99.0, 0.08)))
    assert quick_first.per_replica[0] < usual.per_replica[0]
    assert (usual.binding[0], quick_first.binding[0]) == ("tpot", "ttft")


def test_a_slower_replica_carries_fewer_requests() -> None:
    rates = []
    for speed in (1.0, 1.3):
        slow = replace(DEPLOYMENT, speed_factor=speed)
        work = work_per_unit(slow, OBJECTIVE, PROMPTS, OUTPUTS)
        each = float(work.of(np.array([1.0, PROMPTS.mean(), OUTPUTS.mean()])))
        rates.append(measure(deployment=slow).per_replica[0] / each)
    assert rates[1] < 0.85 * rates[0]


def test_a_promise_below_the_hardware_s_floor_leaves_nothing() -> None:
    table = measure(objective=Objective(ttft=LatencyTarget(99.0, 0.001)))
    assert table.per_replica == (0.0, 0.0, 0.0)
    assert set(table.binding) == {"ttft"}


@pytest.mark.usefixtures("small")
def test_the_same_seed_measures_the_same() -> None:
    assert measure(seed=3) == measure(seed=3)


@pytest.mark.usefixtures("small")
def test_progress_is_told_up_to_the_whole() -> None:
    told: list[float] = []
    measure(progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.usefixtures("small")
def test_a_table_is_measured_once_and_then_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure(cache=tmp_path)
    monkeypatch.setattr(capacity, "Measurement", None)
    assert measure(cache=tmp_path) == first
    assert measure(cache=tmp_path, objective=replace(OBJECTIVE, window_s=60.0)) == first, "a window measures nothing"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "change",
    [
        {"deployment": replace(DEPLOYMENT, speed_factor=1.01)},
        {"objective": replace(OBJECTIVE, tpot=LatencyTarget(99.0, 0.026))},
        {"prompt_tokens": PROMPTS + 1},
        {"seed": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_measurement_depends_on_asks_for_a_new_one(tmp_path: Path, change: dict) -> None:
    measure(cache=tmp_path)
    measure(cache=tmp_path, **change)
    assert len(list(tmp_path.glob("capacity-*.json"))) == 2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"replicas": [1]})])
def test_a_kept_table_that_cannot_be_read_is_measured_anew(tmp_path: Path, content: str) -> None:
    first = measure(cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(content)
    assert measure(cache=tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [kept.name], "and nothing is left lying about"


def test_work_weighs_tokens_by_the_step_times() -> None:
    """b' per prompt token; a / n + b + c x context per output token at the batch n of the TPOT target."""
    prompts, outputs = np.array([1000]), np.array([200])
    wide = replace(DEPLOYMENT, max_num_seqs=1000)
    work = work_per_unit(wide, OBJECTIVE, prompts, outputs)
    steps = wide.profile.steps
    each = steps.decode_b_ms + steps.decode_c_ms * 1100
    batch = (25.0 - steps.decode_a_ms) / each
    assert work.request == 0.0
    assert work.prompt_token == pytest.approx(steps.prefill_b_ms / 1000)
    assert work.output_token == pytest.approx(25.0 / batch / 1000), "a full step of the target's length, shared"


def test_a_generous_tpot_does_not_count_on_more_sequences_than_the_engine_runs() -> None:
    few = replace(DEPLOYMENT, max_num_seqs=8)
    loose = Objective(tpot=LatencyTarget(99.0, 1.0))
    prompts, outputs = np.array([1000]), np.array([200])
    steps = few.profile.steps
    expected = (steps.decode_a_ms / 8 + steps.decode_b_ms + steps.decode_c_ms * 1100) / 1000
    assert work_per_unit(few, loose, prompts, outputs).output_token == pytest.approx(expected)


@pytest.mark.usefixtures("small")
def test_the_service_model_says_that_it_is_simulated_and_how_sure_it_is() -> None:
    model = service_model(deployment=DEPLOYMENT, objective=OBJECTIVE, prompt_tokens=PROMPTS, output_tokens=OUTPUTS)
    assert model.source.startswith("simulated Llama-3.1-8B on H100")
    assert (model.log_speed_mean, model.log_speed_sd) == (0.0, 0.02)
    mean = np.array([1.0, PROMPTS.mean(), OUTPUTS.mean()])
    assert model.waiting_work_s == pytest.approx(float(model.work.of(mean)))
    derived = work_per_unit(DEPLOYMENT, OBJECTIVE, PROMPTS, OUTPUTS)
    rates = [each / model.waiting_work_s for each in model.capacity.per_replica]
    assert rates == pytest.approx([each / float(derived.of(mean)) for each in measure().per_replica])
