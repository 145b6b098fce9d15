"""One replica against what it must be: vLLM's order of work, the published step times, and its own slow motion."""

import os
from dataclasses import replace
from itertools import pairwise
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from served import PLAIN, STEPS, Request, serve

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, RequestOutcome, StartTier
from foretide.simulator.profiles import Deployment, Profile, find_profile, profiles
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import RequestTrace


class SlowMotion(Replica):
    """Never jumps: every decode step is an event of its own."""

    __slots__ = ()

    def _longest_run(self) -> int:
        return 1


class Watched(Replica):
    """Notes the share of its cache in use at every event."""

    __slots__ = ("used",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.used: list[int] = []

    def proceed(self) -> None:
        super().proceed()
        self.used.append(self.kv_used)


def by_hand(deployment: Deployment, requests: list[Request]) -> dict[int, tuple[float, float]]:
    """The published rules, one step after another and without a cache limit; shares no code with the replica."""
    t, queue, ended = 0.0, list(enumerate(requests)), {}
    prefilling: list[list[float]] = []
    decoding: list[list[float]] = []
    s = deployment.profile.steps
    while queue or prefilling or decoding:
        idle = not prefilling and not decoding
        if idle and queue[0][1][0] >= t:  # an idle engine begins at once, with this one alone
            t = queue[0][1][0]
            here = {queue[0][0]}
        else:
            here = {index for index, (arrival, _, _) in queue if arrival < t}
        budget, pairs, tokens, chunks = deployment.chunk - len(decoding), 0.0, 0.0, []
        while True:
            known = [row for row in prefilling if row[3] < row[1]]
            row = next((row for row in known if not any(row is taken for taken, _ in chunks)), None)
            room = len(decoding) + len(prefilling) < deployment.max_num_seqs and budget > 0
            if row is None and room and queue and queue[0][0] in here:
                index, (_, prompt, output) = queue.pop(0)
                row = [index, prompt, output, 0.0, 0.0]
                prefilling.append(row)
            if row is None or budget <= 0:
                break
            count = min(budget, row[1] - row[3])
            pairs += count * (row[3] + count / 2)
            tokens, budget = tokens + count, budget - count
            chunks.append((row, count))
        n, context = len(decoding), sum(row[1] + row[4] for row in decoding)
        decode = s.decode_a_ms + s.decode_b_ms * n + s.decode_c_ms * context
        mixed = s.prefill_a_ms + s.prefill_b_ms * (tokens + n) + 2 * s.prefill_c_ms * pairs + s.decode_c_ms * context
        t += deployment.speed_factor / 1000 * (max(decode if n else 0.0, mixed) if chunks else decode)
        for row in decoding:
            row[4] += 1
        for row, count in chunks:
            row[3] += count
            if row[3] == row[1]:
                prefilling.remove(row)
                row[4] = 1
                ended[int(row[0])] = (t, t)
                decoding.append(row)
        for row in [row for row in decoding if row[4] >= row[2]]:
            decoding.remove(row)
            ended[int(row[0])] = (ended[int(row[0])][0], t)
    return ended


def tuples(found: dict[int, tuple[float, float]]) -> np.ndarray:
    return np.array([found[index] for index in sorted(found)])


requests_given = st.lists(
    st.tuples(st.floats(0, 3), st.integers(1, 900), st.integers(1, 60)), min_size=1, max_size=25
).map(sorted)


def test_a_lone_prompt_takes_the_fitted_time_and_each_later_token_a_decode_step() -> None:
    first, end = serve(Replica(PLAIN), [(1.0, 1000, 3)])[0]
    assert first == pytest.approx(1.0 + (8.0 + 0.02 * 1000 + 1e-6 * 1000**2) / 1000)
    assert end - first == pytest.approx((2 * 10.5 + 0.001 * (1001 + 1002)) / 1000)


def test_a_chunked_prompt_costs_the_attention_of_a_whole_one() -> None:
    whole, halves = (serve(Replica(replace(PLAIN, chunk=chunk)), [(0.0, 2000, 1)])[0][0] for chunk in (4096, 1000))
    assert halves - whole == pytest.approx(0.008)


def test_the_speed_factor_stretches_every_time() -> None:
    requests = [(0.0, 500, 20), (0.0, 700, 30)]
    usual, slow = (tuples(serve(Replica(replace(PLAIN, speed_factor=s)), requests)) for s in (1.0, 1.25))
    np.testing.assert_allclose(slow, 1.25 * usual)


def test_prompts_are_taken_in_the_order_of_arrival() -> None:
    found = serve(Replica(replace(PLAIN, chunk=512)), [(0.0, 3000, 5), (0.001, 10, 5), (0.002, 10, 5)])
    firsts = [found[index][0] for index in range(3)]
    assert firsts == sorted(firsts)
    assert firsts[0] > 5 * 0.008


def test_no_more_run_at_once_than_the_engine_allows() -> None:
    replica = Replica(replace(PLAIN, max_num_seqs=2))
    for index in range(5):
        replica.submit(Job(index, 0.0, 10, 50), 0.0)
    assert (replica.running, len(replica.waiting)) == (1, 4), "a request that arrives in a step joins the next one"
    replica.proceed()
    assert (replica.running, len(replica.waiting)) == (2, 3)


@pytest.mark.parametrize("output", [1, 2, 7])
def test_a_finished_request_had_exactly_its_tokens(output: int) -> None:
    replica = Replica(PLAIN)
    serve(replica, [(0.0, 30, output)])
    assert (replica.finished, replica.prompt_tokens, replica.output_tokens) == (1, 30, output)
    assert (replica.outstanding, replica.kv_used) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(requests=requests_given, chunk=st.sampled_from([64, 512, 2048]), seqs=st.sampled_from([3, 16, 64]))
def test_it_does_what_the_published_rules_say_step_by_step(requests: list[Request], chunk: int, seqs: int) -> None:
    deployment = replace(PLAIN, chunk=chunk, max_num_seqs=seqs)
    found = serve(Replica(deployment), requests)
    np.testing.assert_allclose(tuples(found), tuples(by_hand(deployment, requests)), rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(requests=requests_given, room=st.sampled_from([1000, 1500, 4000, 100_000]))
def test_jumping_equals_stepping_one_by_one_even_where_the_cache_is_tight(requests: list[Request], room: int) -> None:
    deployment = replace(PLAIN, kv_tokens=room)
    jumped, stepped = serve(Replica(deployment), requests), serve(SlowMotion(deployment), requests)
    np.testing.assert_allclose(tuples(jumped), tuples(stepped), rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(requests=requests_given, room=st.sampled_from([960, 1500, 4000]))
def test_the_cache_is_never_exceeded_and_every_request_still_ends(requests: list[Request], room: int) -> None:
    replica = Watched(replace(PLAIN, kv_tokens=room))
    found = serve(replica, requests)
    assert len(found) == len(requests)
    assert max(replica.used) <= room
    assert replica.output_tokens == sum(output for _, _, output in requests)
    assert all(first <= end for first, end in found.values())


def test_a_prompt_that_all_but_fills_the_cache_is_not_throttled() -> None:
    roomy, tight = (serve(Replica(replace(PLAIN, kv_tokens=room)), [(0.0, 9990, 5)]) for room in (100_000, 10_000))
    assert tight == roomy


def test_a_full_cache_preempts_the_youngest_and_computes_it_again() -> None:
    requests = [(0.0, 500, 300), (0.0, 500, 300)]
    roomy, tight = (serve(Replica(replace(PLAIN, kv_tokens=room)), requests) for room in (100_000, 1200))
    assert tight[0][1] < roomy[0][1], "the older one runs alone for a while"
    assert tight[1][1] > roomy[1][1] + 0.008, "the younger one is computed again"
    assert tight[1][0] == roomy[1][0], "its first token was out already"


def test_a_prompt_waits_until_the_cache_has_room_for_it() -> None:
    found = serve(Replica(replace(PLAIN, kv_tokens=1000)), [(0.0, 600, 50), (0.0, 600, 50)])
    assert found[1][0] > found[0][1]


def test_a_mixture_pays_for_its_experts_in_decode_steps_only() -> None:
    mixture = replace(STEPS, expert_d_ms=20.0, expert_share=0.5)
    dense, mixed = (
        serve(Replica(replace(PLAIN, profile=replace(PLAIN.profile, steps=steps))), [(0.0, 1000, 2)])[0]
        for steps in (STEPS, mixture)
    )
    assert mixed[0] == dense[0], "the fitted prefill step holds the experts already"
    assert mixed[1] - mixed[0] == pytest.approx(dense[1] - dense[0] + 0.010)


def test_a_mixture_pays_for_its_experts_in_mixed_steps_where_its_decodes_decide() -> None:
    """Eight generate while a short prompt joins: with many experts to read the step takes as long as its decodes."""
    requests = [(0.0, 200, 40)] * 8 + [(0.3, 32, 2)]
    mixture = replace(STEPS, expert_d_ms=30.0, expert_share=0.5)
    dense, mixed = (
        serve(Replica(replace(PLAIN, profile=replace(PLAIN.profile, steps=steps))), requests)
        for steps in (STEPS, mixture)
    )
    experts = mixture.experts_ms(8) / 1000
    assert mixed[8][0] - dense[8][0] > experts, "it waits for the step under way, then for its own"
    steps = 39 * experts
    assert mixed[0][1] - dense[0][1] == pytest.approx(steps, rel=0.1)


def test_whole_prompts_first_make_those_that_generate_wait() -> None:
    """As vLLM scheduled before it chunked prompts: a step of prompts alone, as many as fit, then decodes again."""
    whole = replace(PLAIN, whole_prompts=True, chunk=1500)
    requests = [(0.0, 100, 50), (0.1, 1000, 5), (0.1, 400, 5), (0.1, 1000, 5)]
    found = serve(Replica(whole), requests)
    assert found[1][0] == found[2][0], "1400 tokens in one step"
    assert found[3][0] - found[2][0] == pytest.approx((8 + 20 + 1) / 1000), "the third prompt right after them"
    alone = serve(Replica(whole), requests[:1])
    held_up = (8 + 0.02 * 1400 + 1e-6 * (1000**2 + 400**2)) / 1000 + (8 + 20 + 1) / 1000
    assert found[0][1] - alone[0][1] == pytest.approx(held_up, abs=0.03)
    assert found[0][1] - alone[0][1] > held_up


def test_a_prompt_longer_than_a_step_is_computed_alone_where_prompts_stay_whole() -> None:
    whole = replace(PLAIN, whole_prompts=True, chunk=500)
    found = serve(Replica(whole), [(0.0, 2000, 1), (0.001, 100, 1)])
    assert found[0][0] == pytest.approx((8 + 40 + 4) / 1000)
    assert found[1][0] - found[0][0] == pytest.approx((8 + 2 + 0.01) / 1000)


@settings(max_examples=60, deadline=None)
@given(requests=requests_given, room=st.sampled_from([960, 1500, 100_000]))
def test_with_whole_prompts_too_every_request_ends_within_the_cache(requests: list[Request], room: int) -> None:
    replica = Watched(replace(PLAIN, kv_tokens=room, whole_prompts=True))
    found = serve(replica, requests)
    assert len(found) == len(requests)
    assert max(replica.used) <= room
    assert replica.output_tokens == sum(output for _, _, output in requests)


@pytest.mark.parametrize("block", [1, 16, 64])
@settings(max_examples=30, deadline=None)
@given(requests=requests_given)
def test_blocks_never_make_more_room_than_tokens(block: int, requests: list[Request]) -> None:
    tokens = Watched(replace(PLAIN, block_tokens=1))
    blocks = Watched(replace(PLAIN, block_tokens=block))
    assert serve(tokens, requests) == serve(blocks, requests), "with room for all, memory does not matter"
    assert all(0 <= more - less < 64 * 26 for less, more in zip(tokens.used, blocks.used, strict=True))
    assert all(used % block == 0 for used in blocks.used)


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: f"{profile.model}-{profile.gpu}x{profile.tp}")
def test_a_longer_prompt_never_takes_less_time(profile: Profile) -> None:
    lengths = [100, 1000, 8192, 20_000, 50_000, 120_000]
    roomy = Deployment(profile, kv_tokens=130_000)
    times = [serve(Replica(roomy), [(0.0, length, 1)])[0][0] for length in lengths]
    assert all(shorter < longer for shorter, longer in pairwise(times))


def data(name: str) -> Path:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip(f"FORETIDE_DATA is not set: {name} was not checked")
    return Path(folder) / name


def run(deployment: Deployment, table: pd.DataFrame) -> RequestOutcome:
    trace = RequestTrace(
        frozen(table["arrival_s"].to_numpy()), table["prompt_tokens"].to_numpy(), table["output_tokens"].to_numpy()
    )
    fleet = Fleet(deployment=deployment, trace=trace, replicas=1, cold_start=StartTier(1.0, 0.0), seed=0)
    fleet.advance(inf)
    return fleet.outcome()


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "model", "tp", "room"),
    [
        ("vllm_run_rtxpro6000_llama-3.1-8b_requests", "Llama-3.1-8B", 1, 574_608),
        ("vllm_run_rtxpro6000_qwen3-32b_requests", "Qwen3-32B", 2, None),
    ],
)
def test_one_speed_factor_explains_a_real_vllm_run(file: str, model: str, tp: int, room: int | None) -> None:
    """Fitted to the first 60 requests' TPOT alone, tested on the rest (papers.md 3.3)."""
    real = pd.read_csv(data(f"profiles/{file}.csv.gz"))
    profile = find_profile(model=model, gpu="RTX-PRO-6000", tp=tp)
    deployment = Deployment(profile, max_num_seqs=128, chunk=2048, kv_tokens=room)

    def off(speed: float) -> float:
        found = run(replace(deployment, speed_factor=speed), real)
        return float(found.tpot_s[:60].mean() - real["tpot_s"][:60].mean())

    found = run(replace(deployment, speed_factor=brentq(off, 0.8, 1.8, xtol=1e-3)), real)
    means = {name: float(getattr(found, name)[60:].mean()) for name in ("ttft_s", "tpot_s", "e2e_s")}
    assert means == pytest.approx({name: real[name][60:].mean() for name in means}, rel=0.05)


@pytest.mark.data
def test_the_reference_load_on_one_replica_is_carried() -> None:
    """Llama-3.1-8B on H100, Azure lengths, 16.1 requests/s: 99 % within 500 ms and 25 ms (papers.md 4.2)."""
    lengths = pd.read_csv(data("requests/azure2023_conv.csv.gz"))
    shares = []
    for rate in (16.1, 19.0):
        rng = np.random.default_rng(0)
        table = lengths.iloc[rng.integers(0, len(lengths), 20_000)].assign(
            arrival_s=np.cumsum(rng.exponential(1 / rate, 20_000))
        )
        found = run(Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)), table)
        shares.append(float(((found.ttft_s <= 0.5) & ~(found.tpot_s > 0.025)).mean()))
    assert shares[0] >= 0.99 > shares[1]


def limited(
    limits: list[tuple[float, int]], requests: list[Request]
) -> tuple[dict[int, tuple[float, float]], list[int]]:
    """Serves the requests while the limit changes at these times; also how many ran after each event."""
    replica, ran, ended = Replica(PLAIN), [], {}
    calls = sorted([(at, 0, limit) for at, limit in limits] + [(each[0], 1, n) for n, each in enumerate(requests)])
    for at, kind, value in [*calls, (inf, 2, 0)]:
        while replica.next_event <= at and replica.next_event < inf:
            replica.proceed()
            ran.append(replica.running)
            ended |= {job.index: (job.first, end) for job, end in replica.done}
            replica.done.clear()
        if kind == 0:
            replica.admit_at_most(value, at)
        elif kind == 1:
            replica.submit(Job(value, at, *requests[value][1:]), at)
    return ended, ran


def test_a_limit_set_at_the_start_is_that_of_an_engine_built_with_it() -> None:
    requests = [(0.1 * n, 200, 30 + n) for n in range(12)]
    built = serve(Replica(replace(PLAIN, max_num_seqs=3)), requests)
    assert limited([(0.0, 3)], requests)[0] == built


def test_a_lower_limit_stops_nobody_and_admits_nobody() -> None:
    requests = [(0.0, 50, 200)] * 4 + [(0.5, 50, 5)]
    ended, ran = limited([(0.4, 2)], requests)
    assert max(ran) == 4
    assert ended[4][0] > sorted(ended[n][1] for n in range(4))[2]
    assert all(ended[n][0] < 0.4 for n in range(4))


def test_a_higher_limit_admits_at_the_next_step_and_not_at_the_end_of_a_run() -> None:
    requests = [(0.0, 50, 400), (0.5, 50, 5)]
    ended, _ = limited([(0.0, 1), (1.0, 2)], requests)
    assert 1.0 < ended[1][0] < 1.1
    assert ended[1][1] < ended[0][1]


def test_no_limit_goes_beyond_the_engines_own() -> None:
    requests = [(0.0, 50, 60)] * 5
    few = replace(PLAIN, max_num_seqs=2)
    replica = Replica(few)
    replica.admit_at_most(50, 0.0)
    assert serve(replica, requests) == serve(Replica(few), requests)


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit: 0: give a whole number"):
        Replica(PLAIN).admit_at_most(0, 0.0)
