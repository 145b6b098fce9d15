"""Shipped step times: found by the names that people use, and never for hardware they were not measured on."""

import json
import os
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest

from foretide.simulator.profiles import Deployment, NoProfile, Profile, StepTimes, find_profile, profiles


def called(profile: Profile) -> str:
    return f"{profile.model}-{profile.gpu}x{profile.tp}"


@pytest.mark.parametrize(
    "model",
    ["Llama-3.1-8B", "llama-3.1-8b", "meta-llama/Llama-3.1-8B", "META-LLAMA/Meta-Llama-3.1-8B-Instruct"],
)
def test_a_model_is_found_by_its_short_name_and_as_on_a_hub(model: str) -> None:
    assert find_profile(model=model, gpu="H100", tp=1).model == "Llama-3.1-8B"


@pytest.mark.parametrize(
    ("written", "family"),
    [
        ("h100", "H100"),
        ("NVIDIA-H100-80GB-HBM3", "H100"),
        ("H200_SXM", "H200"),
        ("nvidia-a100-sxm4-80gb", "A100"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"),
    ],
)
def test_a_gpu_is_found_as_users_and_node_labels_write_it(written: str, family: str) -> None:
    assert find_profile(model="Llama-3.1-8B", gpu=written, tp=1).gpu == family


@pytest.mark.parametrize("other", ["GH200", "NVIDIA-GH200-480GB", "GB200", "RTX-A1000", "T4"])
def test_hardware_without_measurements_is_not_taken_for_a_namesake(other: str) -> None:
    with pytest.raises(NoProfile, match=r"there are some on .*H100 tp 1"):
        find_profile(model="Llama-3.1-8B", gpu=other, tp=1)


def test_what_is_missing_is_answered_with_what_there_is() -> None:
    with pytest.raises(NoProfile, match="for tp 4, 8"):
        find_profile(model="Llama-3.1-70B", gpu="H100", tp=2)
    with pytest.raises(NoProfile, match=r"there are some for .*Llama-3\.1-8B"):
        find_profile(model="GPT-2", gpu="H100", tp=1)


@pytest.mark.parametrize(
    ("written", "near"),
    [("Llama-3-8B", r"Llama-3\.1-8B, "), ("qwen3-32", "Qwen3-32B, "), ("GPT-OSS-20B", "gpt-oss-120b$")],
)
def test_a_model_that_is_almost_known_is_answered_with_the_nearest(written: str, near: str) -> None:
    with pytest.raises(NoProfile, match=f"there are some for {near}"):
        find_profile(model=written, gpu="H100", tp=1)


PUBLISHED = """
Llama-3.1-8B A100 1 11.42 36.3 .0829 7.8 54.4 1.58 3.9 0.9
Llama-3.1-8B H100 1 6.35 11.1 .0411 5.0 15.3 1.18 2.1 4.2
Llama-3.1-8B H200 1 4.89 12.1 .0293 3.5 16.4 1.02 1.9 3.5
Llama-3.1-8B B200 1 3.38 4.8 .0181 3.0 8.3 0.45 1.7 3.3
Llama-3.1-8B L40S 1 22.33 38.2 .187 17.8 49.0 4.78 2.5 5.5
Llama-3.1-8B RTX-PRO-6000 1 10.87 15.7 .0872 7.8 35.8 1.24 2.0 2.7
Qwen3-32B H100 2 13.62 24.3 .0423 12.1 39.8 2.44 1.8 4.2
Qwen3-32B H200 1 18.97 37.0 .0592 12.6 70.9 4.73 2.3 4.3
Llama-3.1-70B A100 4 27.44 100.9 .0590 17.5 158.3 0.55 3.0 1.8
Llama-3.1-70B H100 4 15.19 32.3 .0266 12.2 51.3 2.37 1.4 2.7
Llama-3.1-70B H100 8 9.92 26.9 .0136 8.5 36.3 0.66 3.1 1.8
Llama-3.1-70B H200 4 12.07 32.6 .0187 8.8 54.0 1.59 2.7 2.2
Llama-3.1-70B-FP8 H100 2 16.17 43.1 .0293 9.9 70.2 1.00 2.6 5.4
Llama-3.1-70B-FP8 H200 1 20.84 67.1 .0535 12.0 92.3 4.17 4.3 4.9
"""
"""Model, GPU, TP; decode a (ms), b and c (microseconds); prefill a' (ms), b' (microseconds), c' (ns); errors in %."""


@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_shipped_coefficients_are_the_published_ones(line: str) -> None:
    """papers.md 3.2, to the digits that stand there."""
    model, gpu, tp, *figures = line.split()
    found = find_profile(model=model, gpu=gpu, tp=int(tp))
    a, b, c, pa, pb, pc, decode, prefill = map(float, figures)
    steps = found.steps
    assert steps.decode_a_ms == pytest.approx(a, abs=0.006)
    assert (1e3 * steps.decode_b_ms, 1e3 * steps.prefill_b_ms) == pytest.approx((b, pb), abs=0.06)
    assert 1e3 * steps.decode_c_ms == pytest.approx(c, abs=0.0006)
    assert steps.prefill_a_ms == pytest.approx(pa, abs=0.06)
    assert 1e6 * steps.prefill_c_ms == pytest.approx(pc, abs=0.006)
    assert found.errors.decode == pytest.approx(decode / 100, abs=0.0006)
    assert found.errors.prefill == pytest.approx(prefill / 100, abs=0.0006)


@pytest.mark.parametrize("profile", profiles(), ids=called)
def test_every_profile_says_where_each_number_comes_from(profile: Profile) -> None:
    steps = profile.steps
    assert min(steps.decode_a_ms, steps.decode_b_ms, steps.decode_c_ms, steps.prefill_a_ms, steps.prefill_b_ms) > 0
    assert profile.source.startswith(("fitted to the kernel tables", "composed from the"))
    assert "(Apache-2.0)" in profile.source or "(MIT)" in profile.source
    assert profile.kv_source.startswith(("estimated", "measured"))
    assert profile.errors.decode is not None
    assert profile.errors.prefill is not None
    assert max(profile.errors.decode, profile.errors.prefill) < 0.08
    assert None not in (profile.ranges.batch, profile.ranges.context, profile.ranges.prompt)


def test_provenance_names_the_errors_that_are_known() -> None:
    found = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)
    assert found.provenance == f"{found.source}; decode error 2.1%, prefill error 4.2%"
    assert Profile("m", "g", 1, found.steps, 1, "ours").provenance == "ours"


def test_an_estimated_cache_follows_from_memory_weights_and_overhead() -> None:
    """0.9 of 80 GiB, less 16.06 GB of weights and 3.5 GB of overhead, at 131,072 B per token (papers.md 3.1)."""
    room = (0.9 * 80 * 2**30 - 16.06e9 - 3.5e9) / 131_072
    assert find_profile(model="Llama-3.1-8B", gpu="H100", tp=1).kv_tokens == pytest.approx(room, rel=0.01)


def test_a_mixture_reads_more_experts_the_more_sequences_it_decodes() -> None:
    mixture = StepTimes(1, 1, 1, 1, 1, 1, expert_d_ms=10.0, expert_share=0.25)
    assert [mixture.experts_ms(n) for n in (0, 1, 2)] == pytest.approx([0.0, 2.5, 4.375])
    assert find_profile(model="Llama-3.1-8B", gpu="H100", tp=1).steps.experts_ms(64) == 0.0


@pytest.mark.data
def test_dense_coefficients_are_the_fitted_ones() -> None:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: profiles/step_time_coefficients.json was not compared")
    rows = json.loads((Path(folder) / "profiles/step_time_coefficients.json").read_text())["rows"]
    compared = 0
    for row in rows:
        try:
            profile = find_profile(model=row["model"], gpu=row["system"], tp=row["tp"])
        except NoProfile:
            continue
        steps = profile.steps
        if steps.expert_d_ms:
            continue  # refitted with the expert term
        shipped = [steps.decode_a_ms, steps.decode_b_ms, steps.decode_c_ms]
        shipped += [steps.prefill_a_ms, steps.prefill_b_ms, steps.prefill_c_ms]
        names = ["decode_a_ms", "decode_b_ms_per_seq", "decode_c_ms_per_ctx_token"]
        names += ["prefill_a_ms", "prefill_b_ms_per_token", "prefill_c_ms_per_token2"]
        assert shipped == pytest.approx([row[name] for name in names], rel=1e-3), row["model"]
        compared += 1
    fitted = [profile for profile in profiles() if profile.source.startswith("fitted")]
    assert compared == sum(1 for profile in fitted if not profile.steps.expert_d_ms)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"max_num_seqs": 0}, r"max_num_seqs: 0: give a whole number of at least 1"),
        ({"chunk": 0}, r"chunk: 0: give a whole number of at least 1"),
        ({"kv_tokens": 0}, r"kv_tokens: 0: give at least one block of 16 tokens"),
        (
            {"kv_tokens": 9_000_000},
            r"kv_tokens: 9000000: more than the [0-9,]+ tokens that 1 x A100 could hold beside the weights; lower it",
        ),
        ({"block_tokens": 0}, r"block_tokens: 0: give a whole number of at least 1"),
        ({"speed_factor": 0.0}, r"speed_factor: 0\.0: give a finite number above 0"),
        ({"speed_factor": nan}, r"speed_factor: nan: give a finite number above 0"),
        ({"http_overhead_s": -1.0}, r"http_overhead_s: -1\.0: give seconds from 0 on"),
    ],
)
def test_a_deployment_that_could_serve_nothing_is_refused(changed: dict[str, Any], told: str) -> None:
    usual = Deployment(profiles()[0])
    assert usual.room == usual.profile.kv_tokens // 16 * 16, "whole blocks"
    with pytest.raises(ValueError, match=f"^{told}$"):
        replace(usual, **changed)


@pytest.mark.parametrize(("step", "ms"), [("decode_a_ms", nan), ("decode_a_ms", -9.0), ("prefill_b_ms", -9e9)])
def test_a_profile_whose_steps_take_no_time_is_refused(step: str, ms: float) -> None:
    """Time would stand still, or run backwards."""
    profile = profiles()[0]
    with pytest.raises(
        ValueError, match=r"^(decode|prefill) step: (nan|-[0-9.e+]+) ms: a step of one token takes time"
    ):
        Deployment(replace(profile, steps=replace(profile.steps, **{step: ms})))
