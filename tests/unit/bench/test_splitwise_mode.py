"""SplitwiseSim's clusters, written again: their rules one by one, their laws under any load, and the published rows."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splitwise_machine import KV_BYTES, KV_TOKENS, MOST_TOKENS, Machine
from splitwise_mode import LINK_BYTES_S, Cluster, Policy, Pools, Served, Together
from validate_r3 import HARDER, ROWS, Row, measured_times, reproduced

from foretide.simulator.lookup import Lookup
from foretide.simulator.requests import RequestTrace, read_requests

DECODE = 0.03


@dataclass
class Plain:
    """A prompt takes a millisecond for ten tokens, with decodes a tenth more; decodes alone take 30 ms."""

    seen: list[tuple[int, int]] = field(default_factory=list)

    def iteration_s(self, *, prompt_tokens: int, decodes: int, context: int) -> float:
        self.seen.append((prompt_tokens, decodes))
        assert (context > 0) == (decodes > 0)
        return (prompt_tokens * 1e-4 * (1.1 if decodes else 1.0)) if prompt_tokens else DECODE


def trace(*requests: tuple[float, int, int]) -> RequestTrace:
    arrival, prompt, output = (np.array(column) for column in zip(*requests, strict=True))
    return RequestTrace(arrival.astype(np.float64), prompt, output)


def together(count: int, times: Plain) -> Together:
    return Together([Machine(times, "both") for _ in range(count)])


def apart(prompts: int, tokens: int, times: Plain) -> Pools:
    pools = ["prompt"] * prompts + ["token"] * tokens
    return Pools([Machine(times, pool) for pool in pools])


def served(policy: Policy, *requests: tuple[float, int, int]) -> Served:
    return Cluster(policy).serve(trace(*requests))


def test_a_request_alone_waits_for_its_prompt_and_its_tokens_only() -> None:
    found = served(together(2, Plain()), (1.0, 400, 11))
    assert found.ttft_s[0] == pytest.approx(0.04)
    assert found.e2e_s[0] == pytest.approx(0.04 + 10 * DECODE)
    assert found.tbt_s[0] == pytest.approx(10 * DECODE / 11)


def test_between_pools_the_cache_travels_first() -> None:
    found = served(apart(1, 1, Plain()), (0.0, 400, 11))
    assert found.ttft_s[0] == pytest.approx(0.04)
    assert found.e2e_s[0] == pytest.approx(0.04 + 400 * KV_BYTES / LINK_BYTES_S + 10 * DECODE)


def test_decodes_finish_the_step_under_way_and_then_run_beside_the_prompt() -> None:
    times = Plain()
    found = served(together(1, times), (0.0, 400, 11), (0.11, 500, 2))
    assert found.ttft_s[1] == pytest.approx((0.04 + 3 * DECODE) + 1.1 * 0.05 - 0.11)
    assert found.e2e_s[0] == pytest.approx(0.04 + 9 * DECODE + 1.1 * 0.05)
    assert times.seen == [(400, 0), (0, 1), (500, 1), (0, 2), (0, 1)]


def test_decodes_step_aside_for_a_prompt_that_leaves_no_room_and_come_back() -> None:
    times = Plain()
    found = served(together(1, times), (0.0, 400, 11), (0.1, 3000, 2))
    assert times.seen[:3] == [(400, 0), (0, 1), (3000, 0)]
    assert found.e2e_s[0] == pytest.approx(0.04 + 10 * DECODE + 0.3)


def test_prompts_share_an_iteration_as_far_as_they_fit_and_keep_their_order() -> None:
    times = Plain()
    served(together(1, times), (0.0, 100, 2), (0.001, 1500, 2), (0.002, 1000, 2), (0.003, 40, 2))
    assert [prompt for prompt, _ in times.seen if prompt] == [100, 1500, 1040]


def test_a_request_goes_where_the_fewest_tokens_are_pending() -> None:
    policy = together(2, Plain())
    found = served(policy, (0.0, 2000, 50), (0.001, 100, 50), (0.002, 100, 50))
    assert found.ttft_s[1:] == pytest.approx([0.01, 0.009 + 1.1 * 0.01])


def test_a_full_prompt_machine_borrows_a_token_machine_until_that_runs_idle() -> None:
    policy = apart(1, 2, Plain())
    found = served(policy, *((0.001 * number, 2000, 3) for number in range(8)), (60.0, 100, 3))
    assert policy.loans == 1
    assert found.ttft_s[-1] == pytest.approx(0.01)
    alone = served(apart(1, 2, Plain()), *((0.001 * number, 500, 3) for number in range(8)))
    assert found.ttft_s[:-1].max() < 8 * 0.2
    assert alone.ttft_s.max() < 8 * 0.05


def test_time_with_a_prompt_and_time_without_add_up() -> None:
    policy = apart(1, 1, Plain())
    served(policy, (0.0, 400, 11))
    prompt, token = policy.machines
    assert (prompt.prompt_s, prompt.decode_s) == pytest.approx((0.04, 0.0))
    assert (token.prompt_s, token.decode_s) == pytest.approx((0.0, 10 * DECODE))
    assert token.most_context == 401


def test_more_than_a_cache_holds_is_refused_in_one_line() -> None:
    half = KV_TOKENS // 2
    with pytest.raises(ValueError, match=rf"^kv_tokens: \d+ on a machine of {KV_TOKENS}: add machines"):
        served(together(1, Plain()), (0.0, half, half), (0.1, half, 2))


@settings(max_examples=60, deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.floats(0.0, 0.2), st.integers(1, 4000), st.integers(1, 60)), min_size=1, max_size=60
    ),
    split=st.booleans(),
    machines=st.integers(2, 4),
)
def test_every_request_ends_within_the_limits_and_nothing_is_left(
    requests: list[tuple[float, int, int]], split: bool, machines: int
) -> None:
    times = Plain()
    arrivals = np.cumsum([gap for gap, _, _ in requests])
    load = [(float(at), prompt, output) for at, (_, prompt, output) in zip(arrivals, requests, strict=True)]
    policy = apart(1, machines - 1, times) if split else together(machines, times)
    found = served(policy, *load)
    prompts, outputs = (np.array(column) for column in list(zip(*load, strict=True))[1:])
    assert (found.ttft_s >= 1e-4 * prompts - 1e-9).all()
    assert (found.e2e_s - found.ttft_s >= (outputs - 1) * min(DECODE, 1e-4) - 1e-9).all()
    assert all(prompt + decodes <= MOST_TOKENS or decodes == 0 for prompt, decodes in times.seen)
    for machine in policy.machines:
        assert (machine.pending_tokens, machine.kv_tokens, machine.queued, machine.ends) == (0, 0, False, np.inf)


@pytest.mark.data
@pytest.mark.parametrize("row", [*ROWS, *HARDER], ids=lambda row: row.name)
def test_splitwisesims_own_figures_are_reproduced(row: Row) -> None:
    """Llama2-70B, Azure's conversation lengths: nine percentiles within 5 % (papers.md 1.1)."""
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip("FORETIDE_DATA is not set: profiles/splitwise_a100_h100.csv.gz was not read")
    measured = measured_times(Path(folder) / "profiles/splitwise_a100_h100.csv.gz")
    times = {gpu: Lookup.of(rows) for gpu, rows in measured.items()}
    _, worst = reproduced(row, times, read_requests(Path(folder) / "requests/azure2023_conv.csv.gz"))
    assert worst <= 1.0
