"""The closed loop: never more clients than there are, each request sent when the one before it ended."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from foretide.simulator.closed import benchmark_lengths, serve_closed
from foretide.simulator.fleet import RequestOutcome
from foretide.simulator.profiles import Deployment, Profile, StepTimes, find_profile

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
PLAIN = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=100_000, source="a test"))


def served(clients: int, lengths: list[tuple[int, int]], deployment: Deployment = PLAIN) -> RequestOutcome:
    prompts, outputs = (np.array(column, dtype=np.int64) for column in zip(*lengths, strict=True))
    return serve_closed(deployment=deployment, clients=clients, prompt_tokens=prompts, output_tokens=outputs)


@settings(max_examples=50, deadline=None)
@given(
    clients=st.integers(1, 6),
    lengths=st.lists(st.tuples(st.integers(1, 500), st.integers(1, 40)), min_size=1, max_size=30),
)
def test_there_are_always_as_many_requests_in_flight_as_clients(clients: int, lengths: list[tuple[int, int]]) -> None:
    found = served(clients, lengths)
    ends = np.sort(found.arrival_s + found.e2e_s)
    first = min(clients, len(lengths))
    np.testing.assert_array_equal(found.arrival_s[:first], 0.0)
    np.testing.assert_allclose(found.arrival_s[first:], ends[: len(lengths) - first], rtol=0, atol=1e-9)


def test_one_client_pays_prefill_and_decode_steps_and_nothing_else() -> None:
    found = served(1, [(1000, 3), (1000, 3)])
    first = (8.0 + 0.02 * 1000 + 1e-6 * 1000**2) / 1000
    np.testing.assert_allclose(found.ttft_s, first)
    np.testing.assert_allclose(found.tpot_s, (10.5 + 0.001 * 1001.5) / 1000)


def test_the_overhead_delays_the_answer_and_the_next_request() -> None:
    usual, slow = (served(1, [(100, 5)] * 3, replace(PLAIN, http_overhead_s=s)) for s in (0.0, 0.25))
    np.testing.assert_allclose(slow.ttft_s, usual.ttft_s + 0.25)
    np.testing.assert_allclose(slow.arrival_s, usual.arrival_s + 0.25 * np.arange(3))


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    assert np.isnan(served(2, [(10, 1), (10, 1)]).tpot_s).all()


@pytest.mark.parametrize(
    ("clients", "outputs", "told"),
    [(0, [5], "clients: 0"), (1, [5, 5], "output_tokens: 2 rows"), (1, [100_000], "kv_tokens: 100000")],
)
def test_what_cannot_be_served_is_refused_in_one_line(clients: int, outputs: list[int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        serve_closed(deployment=PLAIN, clients=clients, prompt_tokens=np.array([9]), output_tokens=np.array(outputs))


def test_benchmark_lengths_reach_from_the_least_share_to_the_whole() -> None:
    found = benchmark_lengths(tokens=100, count=5000, least_share=0.8, rng=np.random.default_rng(0))
    assert (found.min(), found.max()) == (80, 100)
    assert found.mean() == pytest.approx(90, abs=0.5)


@pytest.mark.data
@pytest.mark.parametrize(
    ("gpu", "rows", "most_tpot", "most_ttft"), [("H100", 45, 0.06, 0.08), ("H200", 60, 0.06, 0.18)]
)
def test_one_factor_explains_a_system_in_a_closed_loop(gpu: str, rows: int, most_tpot: float, most_ttft: float) -> None:
    """Llama-3.1-70B FP8 in vLLM, every TP (papers.md 2.1); the whole table is made by bench/validate_r2.py.

    The measured H100 runs begin to queue where a cache in bf16, half the profile's, is full.
    """
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: profiles/measured_ttft_tpot_silicon.csv.gz was not compared")
    table = pd.read_csv(Path(folder) / "profiles/measured_ttft_tpot_silicon.csv.gz")
    table = table[(table.model_path == "meta-llama/Llama-3.1-70B") & (table.backend == "vllm")]
    table = table[(table.system == f"{gpu.lower()}_sxm") & (table.precision == "fp8")]
    halves = 2 if gpu == "H100" else 1

    def ratios(factor: float) -> np.ndarray:
        """Simulated over measured: TPOT, mean TTFT."""
        found = []
        for real in table.itertuples():
            profile = find_profile(model="Llama-3.1-70B-FP8", gpu=gpu, tp=int(real.tp_size))
            clients, rng = int(real.concurrency), np.random.default_rng(0)
            lengths = [
                benchmark_lengths(tokens=tokens, count=10 * clients, least_share=0.8, rng=rng)
                for tokens in (real.isl, real.osl)
            ]
            deployment = Deployment(
                profile, max_num_seqs=clients, chunk=8192, kv_tokens=profile.kv_tokens // halves, speed_factor=factor
            )
            times = serve_closed(
                deployment=deployment, clients=clients, prompt_tokens=lengths[0], output_tokens=lengths[1]
            )
            tpot, ttft = 1000 * times.tpot_s.mean(), 1000 * times.ttft_s.mean()
            found.append((tpot / real.silicon_tpot_ms, ttft / real.silicon_ttft_ms))
        return np.array(found)

    factor = brentq(lambda s: np.log(ratios(s)[:, 0]).mean(), 0.9, 1.4, xtol=5e-3)
    tpot, ttft = np.abs(ratios(factor) - 1).mean(axis=0)
    assert len(table) == rows
    assert tpot <= most_tpot
    assert ttft <= most_ttft
