"""Fits: known coefficients are found again, what the data does not tell stays with the prior, and noise is refused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulator.calibrate import simulate
from foretide.simulator.fit import NAMES, Fitted, NothingToFit, fit_steps
from foretide.simulator.measured import TimedRun, observe_run
from foretide.simulator.observed import Observed, joined
from foretide.simulator.points import Points, observe_points
from foretide.simulator.profiles import Deployment, Profile, StepTimes, find_profile
from foretide.simulator.requests import RequestTrace

PRIOR = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1).steps
BATCHES, LENGTHS = (1, 4, 16, 64, 128), (128, 1024, 4096, 8192)
DECODES = [(True, n, c) for n in BATCHES for c in LENGTHS]
PROMPTS = [(False, 1, p) for p in (64, *LENGTHS, 512, 2048)]


def seen(steps: StepTimes, points: Sequence[tuple[bool, int, int]], *, noise: float = 0.0, seed: int = 0) -> Observed:
    kinds, requests, tokens = (np.array(column) for column in zip(*points, strict=True))
    plain = Points(kinds, requests.astype(float), tokens.astype(float), np.ones(len(kinds)))
    times = plain.predicted(steps) * np.exp(noise * np.random.default_rng(seed).standard_normal(len(kinds)))
    return observe_points(replace(plain, measured_ms=times))


def moved(**factors: float) -> StepTimes:
    return replace(PRIOR, **{name: factor * getattr(PRIOR, name) for name, factor in factors.items()})


def ratios(found: Fitted, truth: StepTimes) -> list[float]:
    return [getattr(found.steps, name) / getattr(truth, name) for name in NAMES[:-1]]


factors = st.floats(0.4, 2.5)


@settings(max_examples=25, deadline=None)
@given(st.lists(factors, min_size=6, max_size=6), st.integers(0, 1000))
def test_known_coefficients_are_found_again_through_noise(wanted: list[float], seed: int) -> None:
    truth = moved(**dict(zip(NAMES[:-1], wanted, strict=True)))
    observed = seen(truth, DECODES + PROMPTS, noise=0.01, seed=seed)
    try:
        found = fit_steps(observed, PRIOR)
    except NothingToFit:
        assert all(abs(each - 1.0) < 0.1 for each in wanted)
        return
    clean = seen(truth, DECODES + PROMPTS)
    assert np.abs(observed.predict(found.steps) / clean.measured_ms - 1.0).mean() < 0.03
    if found.form == "every coefficient":
        well = [each for each in found.coefficients if each.sd < 0.05]
        assert {"decode_a_ms", "decode_c_ms"} <= {each.name for each in well}
        assert all(abs(np.log(each.value / getattr(truth, each.name))) < max(5 * each.sd, 0.05) for each in well)


def test_one_slow_engine_is_one_factor() -> None:
    found = fit_steps(seen(moved(**dict.fromkeys(NAMES, 1.3)), DECODES + PROMPTS, noise=0.02), PRIOR)
    assert found.form == "one factor for every step"
    assert np.allclose(ratios(found, PRIOR), 1.3, rtol=0.03)
    assert not any(each.learned for each in found.coefficients)


def test_a_slow_prefill_is_told_from_a_quick_decode() -> None:
    slow = dict.fromkeys(("prefill_a_ms", "prefill_b_ms", "prefill_c_ms"), 2.0)
    found = fit_steps(seen(moved(**slow), DECODES + PROMPTS, noise=0.02), PRIOR)
    assert found.form == "one factor for decode, one for prefill"
    assert np.allclose(ratios(found, PRIOR), [1.0] * 3 + [2.0] * 3, rtol=0.04)


def test_what_was_not_measured_stays_in_the_priors_proportion_and_says_so() -> None:
    found = fit_steps(seen(moved(decode_a_ms=2.0, decode_c_ms=0.5), DECODES), PRIOR)
    assert {each.name for each in found.coefficients if not each.learned} >= {
        "prefill_a_ms",
        "prefill_b_ms",
        "prefill_c_ms",
    }
    prefill = ratios(found, PRIOR)[3:]
    assert max(prefill) == pytest.approx(min(prefill), rel=1e-3)


def test_the_expert_term_of_a_mixture_is_fitted_too() -> None:
    prior = find_profile(model="Qwen3-30B-A3B", gpu="H100", tp=1).steps
    truth = replace(prior, expert_d_ms=2.0 * prior.expert_d_ms)
    found = fit_steps(seen(truth, DECODES + PROMPTS), prior)
    assert found.steps.expert_d_ms == pytest.approx(truth.expert_d_ms, rel=0.05)
    assert found.steps.expert_share == prior.expert_share


@pytest.mark.parametrize("c", [0.0, -6e-7])
def test_a_prior_without_a_quadratic_term_can_gain_one(c: float) -> None:
    prior = replace(PRIOR, prefill_c_ms=c)
    found = fit_steps(seen(moved(prefill_c_ms=2.0), DECODES + PROMPTS), prior)
    assert found.steps.prefill_c_ms == pytest.approx(2.0 * PRIOR.prefill_c_ms, rel=0.1)


def test_one_wild_row_does_not_carry_the_others_away() -> None:
    truth = moved(decode_a_ms=1.5, decode_c_ms=1.2)
    observed = seen(truth, DECODES + PROMPTS, noise=0.01)
    wild = observed.measured_ms.copy()
    wild[3] *= 20.0
    found = fit_steps(replace(observed, measured_ms=wild), PRIOR)
    assert found.steps.decode_a_ms == pytest.approx(truth.decode_a_ms, rel=0.05)


def test_errors_are_those_of_rows_that_were_held_out() -> None:
    observed = seen(moved(decode_a_ms=1.5), DECODES + PROMPTS, noise=0.05)
    found = fit_steps(observed, PRIOR)
    assert set(found.held_out) == {"decode", "prefill"}
    assert 0.02 < found.held_out["decode"] < 0.09
    assert found.prior_held_out["decode"] > found.held_out["decode"]
    assert (found.errors.decode, found.errors.tpot) == (round(found.held_out["decode"], 4), None)


@pytest.mark.parametrize(
    ("observed", "told"),
    [
        (seen(PRIOR, DECODES[:3]), "3 rows are too few"),
        (seen(PRIOR, DECODES[:1] * 20), "one and the same point"),
        (
            seen(PRIOR, DECODES + PROMPTS, noise=0.03),
            "no fit predicts the rows that were held out clearly better than the prior",
        ),
    ],
)
def test_what_identifies_nothing_is_refused(observed: Observed, told: str) -> None:
    with pytest.raises(NothingToFit, match=told):
        fit_steps(observed, PRIOR)


def run_of(steps: StepTimes, *, count: int = 120, rate: float = 8.0) -> tuple[TimedRun, Deployment]:
    rng = np.random.default_rng(3)
    arrival = np.cumsum(rng.exponential(1 / rate, count))
    trace = RequestTrace(arrival - arrival[0], rng.integers(20, 3000, count), rng.integers(20, 400, count))
    profile = Profile("test", "test", 1, PRIOR, kv_tokens=400_000, source="a test")
    deployment = Deployment(profile, max_num_seqs=128)
    real = replace(deployment, profile=replace(profile, steps=steps))
    found = simulate(deployment=real, trace=trace, replicas=1)
    return TimedRun(trace, found.ttft_s, found.tpot_s), deployment


@pytest.mark.parametrize(
    "truth",
    [moved(**dict.fromkeys(NAMES, 1.3)), moved(prefill_b_ms=1.8, decode_c_ms=1.5)],
    ids=["one factor", "two coefficients"],
)
def test_a_run_tells_the_times_of_requests_that_were_not_fitted(truth: StepTimes) -> None:
    run, deployment = run_of(truth)
    found = fit_steps(observe_run(run, deployment, first=80), PRIOR)
    again = observe_run(run, deployment)
    off = np.abs(again.predict(found.steps) / again.measured_ms - 1.0)
    assert off[again.metric == "tpot"].mean() < 0.03
    assert off[again.metric == "ttft"].mean() < 0.08


def test_points_and_runs_are_fitted_together() -> None:
    truth = moved(**dict.fromkeys(NAMES, 1.4))
    run, deployment = run_of(truth, count=60)
    found = fit_steps(joined([seen(truth, PROMPTS), observe_run(run, deployment)]), PRIOR)
    assert np.allclose(ratios(found, PRIOR), 1.4, rtol=0.05)
    assert set(found.held_out) == {"prefill", "ttft", "tpot"}
