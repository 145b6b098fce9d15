"""The speed factor: found again where it is known, and good for requests that it was not fitted to."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foretide.simulator.calibrate import fit_speed_factor, read_measured, simulate
from foretide.simulator.fleet import RequestOutcome
from foretide.simulator.profiles import Deployment, Profile, StepTimes, find_profile
from foretide.simulator.requests import BadTrace, RequestTrace

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
PLAIN = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=100_000, source="a test"))
TIMES = ("ttft_s", "tpot_s", "e2e_s")


def load(count: int = 80) -> RequestTrace:
    rng = np.random.default_rng(1)
    arrival = np.cumsum(rng.exponential(0.2, count))
    return RequestTrace(arrival - arrival[0], rng.integers(10, 500, count), rng.integers(1, 60, count))


def written(path: Path, trace: RequestTrace, found: RequestOutcome, *, columns: tuple[str, ...] = TIMES) -> Path:
    table = pd.DataFrame(
        {
            "arrival_s": trace.arrival_s,
            "prompt_tokens": trace.prompt_tokens,
            "output_tokens": trace.output_tokens,
            **{name: getattr(found, name) for name in columns},
        }
    )
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.35])
@pytest.mark.parametrize("name", ["measured.csv", "measured.csv.gz", "measured.parquet"])
def test_a_known_factor_is_found_again(tmp_path: Path, factor: float, name: str) -> None:
    trace = load()
    found = simulate(deployment=replace(PLAIN, speed_factor=factor), trace=trace, replicas=2)
    measured = read_measured(written(tmp_path / name, trace, found))
    assert fit_speed_factor(deployment=PLAIN, measured=measured, replicas=2) == pytest.approx(factor, abs=1e-3)


def test_only_the_first_requests_are_fitted(tmp_path: Path) -> None:
    trace = load()
    quick, slow = (
        simulate(deployment=replace(PLAIN, speed_factor=s), trace=trace, replicas=1).tpot_s for s in (1.0, 2.0)
    )
    path = written(tmp_path / "m.csv", trace, simulate(deployment=PLAIN, trace=trace, replicas=1), columns=())
    pd.read_csv(path).assign(tpot_s=np.where(np.arange(80) < 30, quick, slow)).to_csv(path, index=False)
    measured = read_measured(path)
    assert fit_speed_factor(deployment=PLAIN, measured=measured, first=30) == pytest.approx(1.0, abs=1e-3)
    assert fit_speed_factor(deployment=PLAIN, measured=measured) > 1.2


def test_tpot_follows_from_ttft_and_latency_where_it_is_not_given(tmp_path: Path) -> None:
    trace = load()
    found = simulate(deployment=PLAIN, trace=trace, replicas=1)
    measured = read_measured(written(tmp_path / "m.csv", trace, found, columns=("ttft_s", "e2e_s")))
    np.testing.assert_allclose(measured.tpot_s, found.tpot_s)


@pytest.mark.parametrize(
    ("tpot", "told"),
    [(0.0, "tpot_s: 0 in row 1"), (-0.1, "tpot_s: -0.1 in row 1"), (None, "tpot_s: nan in row 1")],
)
def test_a_time_per_token_that_is_none_is_refused(tmp_path: Path, tpot: float | None, told: str) -> None:
    table = pd.DataFrame({"arrival_s": [0.0], "prompt_tokens": [10], "output_tokens": [5], "tpot_s": [tpot]})
    table.to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(BadTrace, match=told):
        read_measured(tmp_path / "m.csv")


def test_a_table_without_measured_times_says_which_columns_it_lacks(tmp_path: Path) -> None:
    trace = load(5)
    found = simulate(deployment=PLAIN, trace=trace, replicas=1)
    with pytest.raises(BadTrace, match="columns: tpot_s missing"):
        read_measured(written(tmp_path / "m.csv", trace, found, columns=("ttft_s",)))


@pytest.mark.parametrize(("unit", "told"), [(1000.0, "10 times slower"), (0.001, "10 times faster")])
def test_times_in_the_wrong_unit_are_no_factor(tmp_path: Path, unit: float, told: str) -> None:
    trace = load(20)
    path = written(tmp_path / "m.csv", trace, simulate(deployment=PLAIN, trace=trace, replicas=1))
    table = pd.read_csv(path)
    table.assign(tpot_s=table["tpot_s"] * unit).to_csv(path, index=False)
    with pytest.raises(BadTrace, match=told):
        fit_speed_factor(deployment=PLAIN, measured=read_measured(path))


def test_single_tokens_alone_tell_nothing(tmp_path: Path) -> None:
    table = pd.DataFrame({"arrival_s": [0.0], "prompt_tokens": [10], "output_tokens": [1], "tpot_s": [None]})
    table.to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(BadTrace, match="more than one output token"):
        fit_speed_factor(deployment=PLAIN, measured=read_measured(tmp_path / "m.csv"))


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "model", "gpu", "tp", "seqs", "most"),
    [
        ("vllm_run_rtxpro6000_llama-3.1-8b", "Llama-3.1-8B", "RTX-PRO-6000", 1, 128, 0.03),
        ("vllm_run_rtxpro6000_qwen3-32b", "Qwen3-32B", "RTX-PRO-6000", 2, 128, 0.03),
        ("vllm_run_rtx4090_llama-3.1-8b", "Llama-3.1-8B", "RTX-4090", 1, 256, 0.06),
    ],
)
def test_a_fifth_of_a_real_run_predicts_the_rest(  # noqa: PLR0917
    file: str, model: str, gpu: str, tp: int, seqs: int, most: float
) -> None:
    """vLLM 0.19, 300 ShareGPT requests (papers.md 3.3): mean, p50, p90 and p99 of all three times."""
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip(f"FORETIDE_DATA is not set: profiles/{file}_requests.csv.gz was not compared")
    path = Path(folder) / f"profiles/{file}_requests.csv.gz"
    real, measured = pd.read_csv(path), read_measured(path)
    deployment = Deployment(find_profile(model=model, gpu=gpu, tp=tp), max_num_seqs=seqs)
    factor = fit_speed_factor(deployment=deployment, measured=measured, first=60)
    found = simulate(deployment=replace(deployment, speed_factor=factor), trace=measured.trace, replicas=1)
    for name in TIMES:
        ours, theirs = (
            np.array([times.mean(), *np.percentile(times, [50, 90, 99])])
            for times in (np.asarray(getattr(found, name))[60:], real[name].to_numpy()[60:])
        )
        np.testing.assert_allclose(ours, theirs, rtol=most, err_msg=f"{name}, factor {factor:.3f}")
