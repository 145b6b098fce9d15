from math import inf

import pytest
from seen import pod
from staged import OBJECTIVE

from foretide.simulator.engine import Engine, Lengths, Limits
from foretide.simulator.profiles import Deployment, Profile, StepTimes

STEPS = StepTimes(10.0, 0.1, 0.0001, 12.0, 0.02, 0.0)
ENGINE = Engine(Deployment(Profile("m", "g", 1, STEPS, kv_tokens=100_000, source="made up"), max_num_seqs=64))
USUAL = Lengths(1000.0, 100.0)


def test_a_decode_step_by_hand() -> None:
    assert ENGINE.step_s(decodes=10, context=20_000, prefill=0, prompt=0) == pytest.approx(0.001 * (10 + 1 + 2))


def test_a_mixed_step_by_hand() -> None:
    assert ENGINE.step_s(decodes=10, context=20_000, prefill=500, prompt=1000) == pytest.approx(
        0.001 * (12 + 0.02 * 510 + 2)
    )


def test_the_largest_rate_is_batch_over_output_times_step() -> None:
    # A batch of n needs 10 n prompt tokens per step, so a step takes 12 + 0.02 (10 n + n) + 0.0001 x 1050 n ms:
    # 12 + 0.325 n, which is within 20 ms up to n = 24.
    rate = ENGINE.largest_rate(USUAL, Limits(itl_s=0.020))
    assert rate == pytest.approx(24 / (100 * 0.001 * (12 + 0.325 * 24)))


def test_the_ttft_target_binds_too() -> None:
    # One chunk of 10 n + 1000 tokens takes 12 + 0.02 (11 n + 1000) + 0.105 n ms = 32 + 0.325 n: within 35 up to n = 9.
    rate = ENGINE.largest_rate(USUAL, Limits(ttft_s=0.035))
    assert rate == pytest.approx(9 / (100 * 0.001 * (12 + 0.325 * 9)))


def test_an_impossible_target_still_counts_on_a_batch_of_one() -> None:
    assert ENGINE.largest_rate(USUAL, Limits(itl_s=0.001)) == pytest.approx(1 / (100 * 0.001 * 12.325))


def test_sequences_and_memory_bound_the_batch() -> None:
    # 64 sequences; of 10,000 tokens each only 9 fit.
    short = ENGINE.largest_rate(Lengths(100.0, 100.0), Limits())
    assert short == pytest.approx(64 / (100 * ENGINE.step_s(decodes=64, context=64 * 150, prefill=64, prompt=100)))
    long = ENGINE.largest_rate(Lengths(10_000.0, 1000.0), Limits())
    assert long == pytest.approx(9 / (1000 * ENGINE.step_s(decodes=9, context=94_500, prefill=90, prompt=10_000)))


def test_a_queue_is_prefilled_chunk_by_chunk() -> None:
    # 4 x 1000 queued and 1000 of its own: two chunks of 2048 and one of 904.
    ttft = ENGINE.ttft_s(pod(waiting=4), USUAL)
    assert ttft == pytest.approx(0.001 * (3 * 12 + 0.02 * 5000))


def test_a_busy_engine_cannot_bear_more() -> None:
    limits = Limits(ttft_s=0.5, itl_s=0.025)
    assert ENGINE.bears(pod(running=2, kv_usage=0.02), USUAL, (2.0, 0.8), limits)
    assert not ENGINE.bears(pod(running=40, kv_usage=0.4), USUAL, (2.0, 0.8), limits)
    assert not ENGINE.bears(pod(running=2, waiting=20, kv_usage=0.02), USUAL, (2.0, 0.8), limits)


def test_more_than_the_cache_holds_is_never_borne() -> None:
    assert not ENGINE.bears(pod(kv_usage=0.6), USUAL, (2.0, 0.8), Limits())


def test_limits_are_a_promises_thresholds() -> None:
    assert Limits.of(OBJECTIVE, scale=2.0) == Limits(1.0, 0.05)
    assert Limits() == Limits(inf, inf)


def test_queued_prompts_weigh_on_the_decode_steps_of_the_engines_that_would_stay() -> None:
    busy = pod(running=2, waiting=20, kv_usage=0.02)
    plain = ENGINE.itl_s(busy, USUAL, times=2.0)
    assert ENGINE.itl_s(busy, USUAL, times=2.0, queued=20_000.0) == pytest.approx(plain + 2 * 20_000 * 0.0001 * 0.001)
