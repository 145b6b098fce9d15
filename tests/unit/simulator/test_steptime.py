"""Step times against the published form, written out; and which of its two branches decides a mixed step."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.job import Job
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.steptime import FITTED_TO, StepTime, step_cost

DENSE = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
MIXTURE = replace(DENSE, expert_d_ms=20.0, expert_share=0.25)


def time_of(steps: StepTimes, *, speed_factor: float = 1.0) -> StepTime:
    profile = Profile("test", "test", 1, steps, kv_tokens=100_000, source="a test")
    return StepTime(Deployment(profile, speed_factor=speed_factor))


def chunk(tokens: int, *, before: int = 0) -> tuple[Job, int]:
    job = Job(0, 0.0, before + tokens, 1)
    job.computed = before
    return job, tokens


@given(decodes=st.integers(1, 300), context=st.integers(1, 10**6), speed=st.floats(0.5, 2))
def test_a_decode_step_takes_a_for_itself_b_for_each_and_c_for_each_token(
    decodes: int, context: int, speed: float
) -> None:
    time = time_of(DENSE, speed_factor=speed)
    assert time.decode(decodes, context) == pytest.approx(speed * (10 + 0.5 * decodes + 0.001 * context) / 1000)
    assert time.growth(decodes) == pytest.approx(speed * 0.001 * decodes / 1000)


@given(decodes=st.integers(1, 64))
def test_a_mixture_reads_the_experts_that_its_decodes_touch(decodes: int) -> None:
    """papers.md 3.1: d (1 - (1 - k / E)^n)."""
    more = time_of(MIXTURE).decode(decodes, 0) - time_of(DENSE).decode(decodes, 0)
    assert more == pytest.approx(0.020 * (1 - 0.75**decodes))


def test_in_a_mixed_step_the_experts_count_once() -> None:
    """The prefill branch was fitted to whole steps, which read every expert; the decode branch adds its own."""
    dense, mixture = time_of(DENSE), time_of(MIXTURE)
    small, large = [chunk(64)], [chunk(2000)]
    assert mixture.mixed(large, 8, 4000) == dense.mixed(large, 8, 4000), "the prompt decides"
    assert mixture.mixed(small, 8, 4000) == mixture.decode(8, 4000), "the decodes and their experts decide"
    assert dense.mixed(small, 8, 4000) < mixture.mixed(small, 8, 4000)
    assert mixture.mixed(small, 0, 0) == dense.mixed(small, 0, 0)


@given(decodes=st.integers(1, 64), tokens=st.integers(1, 4000), before=st.integers(0, 4000))
def test_a_mixed_step_is_never_shorter_than_its_decodes_or_its_chunk_alone(
    decodes: int, tokens: int, before: int
) -> None:
    for steps in (DENSE, MIXTURE):
        time, chunks = time_of(steps), [chunk(tokens, before=before)]
        mixed = time.mixed(chunks, decodes, 1000)
        assert mixed >= time.decode(decodes, 1000)
        assert mixed > time.mixed(chunks, 0, 0)


def test_from_a_crowd_on_another_line_holds() -> None:
    """DistServe's fits have one line below 95 decodes and one from there on (papers.md 1.2)."""
    time = time_of(replace(DENSE, crowded=(95, 5.0, 0.6, 0.002)))
    assert time.decode(94, 1000) == pytest.approx((10 + 0.5 * 94 + 1) / 1000)
    assert time.decode(95, 1000) == pytest.approx((5 + 0.6 * 95 + 2) / 1000)
    assert time.growth(95) == pytest.approx(0.002 * 95 / 1000)


def test_where_attention_was_fitted_to_save_time_it_saves_no_more_beyond_the_fit() -> None:
    time = time_of(replace(DENSE, prefill_c_ms=-1e-6))
    far, farther = (time.mixed([chunk(100, before=before)], 0, 0) for before in (FITTED_TO, 10 * FITTED_TO))
    assert far == farther


@given(
    decodes=st.integers(1, 64),
    context=st.integers(1, 4000),
    tokens=st.integers(1, 2048),
    speed=st.floats(0.5, 2),
    steps=st.sampled_from([DENSE, MIXTURE, replace(DENSE, crowded=(32, 5.0, 0.7, 0.002))]),
)
def test_what_policies_are_told_of_steps_is_what_the_engine_does(
    decodes: int, context: int, tokens: int, speed: float, steps: StepTimes
) -> None:
    profile = Profile("test", "test", 1, steps, kv_tokens=100_000, source="a test")
    deployment = Deployment(profile, speed_factor=speed)
    told, done = step_cost(deployment), StepTime(deployment)
    assert told.decode_s(decodes, context) == pytest.approx(done.decode(decodes, decodes * context), rel=1e-9)
    whole = done.mixed([chunk(tokens)], decodes, decodes * context)
    assert told.mixed_s(tokens, decodes, context) == pytest.approx(whole, rel=1e-3)
