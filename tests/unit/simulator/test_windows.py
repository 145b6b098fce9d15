"""An engine's scrapes: their means say what its steps take, and a restart says nothing about what lies between."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretide.simulator.calibrate import simulate
from foretide.simulator.fit import fit_steps
from foretide.simulator.measurements import read_measurements
from foretide.simulator.profiles import Deployment, StepTimes, find_profile
from foretide.simulator.requests import BadTrace, RequestTrace
from foretide.simulator.windows import Windows, observe_windows, windows_of

H100 = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)
SCRAPE_S, FOR_S = 15.0, 1800.0
Samples = dict[str, list[float]]


def series(metrics: Samples, *, pod: str = "a") -> list[dict[str, Any]]:
    return [
        {
            "metric": {"__name__": name, "pod": pod},
            "values": [[SCRAPE_S * i, str(value)] for i, value in enumerate(values)],
        }
        for name, values in metrics.items()
    ]


def answer(*parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": [each for part in parts for each in part]}}


def plain(**changes: list[float]) -> Samples:
    """Two windows: 300 tokens in 6 s of gaps, then 600 in 24; half of the cache; 150 prompt tokens a second."""
    usual = {
        "vllm:inter_token_latency_seconds_sum": [0.0, 6.0, 30.0],
        "vllm:inter_token_latency_seconds_count": [0.0, 300.0, 900.0],
        "vllm:kv_cache_usage_perc": [0.5, 0.5, 0.5],
        "vllm:prompt_tokens_total": [0.0, 2250.0, 4500.0],
        "vllm:request_prompt_tokens_sum": [0.0, 2000.0, 4000.0],
        "vllm:request_prompt_tokens_count": [0.0, 20.0, 40.0],
    }
    return usual | {f"vllm:{name}": values for name, values in changes.items()}


def test_a_window_has_the_means_of_its_counters_and_littles_batch() -> None:
    found = windows_of(answer(series(plain())), name="p.json")
    assert found.step_ms == pytest.approx([20.0, 40.0])
    assert found.decodes == pytest.approx([300 / 15 * 0.02, 600 / 15 * 0.04])
    assert found.prompt_tokens_per_s == pytest.approx([150.0, 150.0])
    assert found.mean_prompt == 100.0


def test_the_names_of_older_engines_are_known() -> None:
    old = {
        name.replace("kv_cache", "gpu_cache").replace("inter_token_latency", "time_per_output_token"): values
        for name, values in plain().items()
    }
    assert len(windows_of(answer(series(old)), name="p.json").step_ms) == 2


def test_pods_are_told_apart_and_a_restart_is_no_window() -> None:
    again = plain(
        inter_token_latency_seconds_sum=[30.0, 2.0, 8.0], inter_token_latency_seconds_count=[900.0, 100.0, 400.0]
    )
    found = windows_of(answer(series(plain()), series(again, pod="b")), name="p.json")
    assert found.step_ms == pytest.approx([20.0, 40.0, 20.0])


def test_idle_windows_say_nothing() -> None:
    idle = plain(inter_token_latency_seconds_sum=[0.0, 0.2, 6.2], inter_token_latency_seconds_count=[0.0, 10.0, 310.0])
    assert windows_of(answer(series(idle)), name="p.json").step_ms == pytest.approx([20.0])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"data": {"resultType": "vector", "result": [1]}}, "save the answer of Prometheus to a query_range"),
        (answer(series({"vllm:prompt_tokens_total": [1.0, 2.0]})), "query vllm:inter_token_latency_seconds_sum"),
        (
            answer(series({name: values for name, values in plain().items() if "request_prompt" not in name})),
            "vllm:request_prompt_tokens_sum and _count missing",
        ),
    ],
)
def test_an_answer_that_lacks_what_is_needed_says_what_to_query(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(BadTrace, match=told):
        windows_of(raw, name="p.json")


def test_without_prompts_a_step_is_a_decode() -> None:
    quiet = Windows(np.ones(1), np.array([16.0]), np.array([0.1]), np.zeros(1), 1000.0)
    context = 0.1 * 100_000 / 16
    expected = H100.steps.decode_ms(decodes=16, context=context)
    assert quiet.predicted(H100.steps, chunk=2048, kv_tokens=100_000) == pytest.approx([expected])


def test_more_prompts_make_steps_longer_up_to_full_chunks() -> None:
    rates = np.array([0.0, 1e3, 1e4, 1e5, 1e6])
    busy = Windows(np.ones(5), np.full(5, 16.0), np.full(5, 0.1), rates, 1000.0)
    found = busy.predicted(H100.steps, chunk=2048, kv_tokens=100_000)
    steps = H100.steps
    full = steps.prefill_a_ms + steps.prefill_b_ms * 2048 + steps.prefill_c_ms * 2032 * 1000 + steps.decode_c_ms * 1e4
    assert (np.diff(found) >= 0).all()
    assert found[-1] == pytest.approx(full)


def scraped(steps: StepTimes, *, rate: float) -> dict[str, Any]:
    """The counters of a simulated engine, its tokens spread evenly over each request's decode."""
    rng = np.random.default_rng(5)
    count = int(rate * FOR_S)
    arrival = np.sort(rng.uniform(0, FOR_S, count))
    trace = RequestTrace(arrival, rng.integers(200, 1800, count), rng.integers(20, 400, count))
    deployment = Deployment(replace(H100, steps=steps), max_num_seqs=256)
    found = simulate(deployment=deployment, trace=trace, replicas=1)
    begin, gaps = arrival + found.ttft_s, trace.output_tokens - 1.0
    lasts = found.tpot_s * gaps
    at = np.arange(0, FOR_S, SCRAPE_S)
    share = np.clip((at[:, None] - begin) / lasts, 0.0, 1.0)
    running = (share > 0) & (share < 1)
    context = ((trace.prompt_tokens + share * trace.output_tokens) * running).sum(axis=1)
    done = share >= 1
    metrics = {
        "vllm:inter_token_latency_seconds_sum": share @ lasts,
        "vllm:inter_token_latency_seconds_count": share @ gaps,
        "vllm:kv_cache_usage_perc": context / H100.kv_tokens,
        "vllm:prompt_tokens_total": (at[:, None] >= begin) @ trace.prompt_tokens,
        "vllm:request_prompt_tokens_sum": done @ trace.prompt_tokens,
        "vllm:request_prompt_tokens_count": done.sum(axis=1),
    }
    return answer(series({name: [float(each) for each in values] for name, values in metrics.items()}))


@pytest.mark.parametrize("rate", [2.0, 8.0, 14.0])
def test_a_simulated_engines_scrapes_are_predicted_by_its_own_steps(rate: float) -> None:
    """At a twentieth to two thirds of what the engine carries; the means of a window are not the means of its parts."""
    windows = windows_of(scraped(H100.steps, rate=rate), name="p.json")
    found = windows.predicted(H100.steps, chunk=2048, kv_tokens=H100.kv_tokens)
    off = found / windows.step_ms - 1.0
    assert abs(float(np.median(off))) < 0.03
    assert float(np.abs(off).mean()) < 0.06


def test_scrapes_of_a_slow_engine_give_its_factor(tmp_path: Path) -> None:
    names = ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "prefill_c_ms")
    slow = replace(H100.steps, **{name: 1.3 * getattr(H100.steps, name) for name in names})
    path = tmp_path / "prometheus.json"
    path.write_text(json.dumps(scraped(slow, rate=8.0)))
    windows = read_measurements(path, where={})
    assert isinstance(windows, Windows)
    found = fit_steps(observe_windows(windows, chunk=2048, kv_tokens=H100.kv_tokens), H100.steps)
    at = {"decodes": 30, "context": 1200.0}
    assert found.steps.decode_ms(**at) == pytest.approx(slow.decode_ms(**at), rel=0.04)
