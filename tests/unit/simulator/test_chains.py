"""Conversations and agents' loops: prompts hold what was said, calls wait for answers, and the mean is kept."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.simulator.chains import NOMINAL_TPOT_S, NOMINAL_TTFT_S, Calls, joined, single, unfold, usual
from foretide.simulator.shape import Agents, Conversations

AGENTS = Agents(context_tokens=900_000)
"""As in the collection of coding sessions, whose models had room for that."""


def chains_of(calls: Calls) -> list[np.ndarray]:
    """Positions of each chain's calls, in their order."""
    return [np.flatnonzero(calls.chain == chain) for chain in np.unique(calls.chain)]


talks = st.builds(
    Conversations,
    turns=st.floats(min_value=1.0, max_value=12.0),
    think_s=st.floats(min_value=0.1, max_value=500.0),
    prompt_tokens=st.floats(min_value=1.0, max_value=3000.0),
    system_tokens=st.integers(min_value=0, max_value=1000),
    context_tokens=st.integers(min_value=2002, max_value=9000),
)


@given(talks, st.integers(min_value=0, max_value=99))
@settings(max_examples=60)
def test_each_prompt_is_the_conversation_so_far_and_something_new(talk: Conversations, seed: int) -> None:
    starts = np.linspace(0.0, 100.0, 20)
    calls = unfold(np.random.default_rng(seed), talk.chain(), starts)
    for number, chain in enumerate(chains_of(calls)):
        prompt, output, at = calls.prompt_tokens[chain], calls.output_tokens[chain], calls.arrival_s[chain]
        assert at[0] == starts[number]
        assert prompt[0] > talk.system_tokens
        assert (prompt[1:] > prompt[:-1] + output[:-1]).all()
        assert (prompt + output <= talk.context_tokens).all()
        assert (np.diff(at) >= NOMINAL_TTFT_S + NOMINAL_TPOT_S * output[:-1] - 1e-9).all()
        assert len(set(calls.system[chain])) == 1


def test_conversations_have_their_mean_number_of_turns_and_median_pause() -> None:
    talk = Conversations(turns=5.0, think_s=30.0, context_tokens=10**6)
    calls = unfold(np.random.default_rng(0), talk.chain(), np.zeros(4000))
    turns = np.bincount(calls.chain)
    # A geometric number of mean m has variance m (m - 1).
    assert turns.mean() == pytest.approx(5.0, abs=4 * np.sqrt(20 / 4000))
    same = np.diff(calls.chain) == 0
    pauses = np.diff(calls.arrival_s)[same] - NOMINAL_TTFT_S - NOMINAL_TPOT_S * calls.output_tokens[:-1][same]
    assert np.median(pauses) == pytest.approx(30.0, rel=4 * 1.25 * talk.think_sigma / np.sqrt(len(pauses)))


def test_the_first_application_has_most_conversations() -> None:
    talk = Conversations(systems=3)
    calls = unfold(np.random.default_rng(0), talk.chain(), np.zeros(6000))
    counts = np.bincount(calls.system[np.unique(calls.chain, return_index=True)[1]]) / 6000
    np.testing.assert_allclose(counts, np.array([6, 3, 2]) / 11, atol=4 * 0.5 / np.sqrt(6000))


def test_the_usual_chain_is_what_chains_are_on_average() -> None:
    calls = unfold(np.random.default_rng(5), Conversations().chain(), np.zeros(20_000))
    mean, longest = usual(Conversations().chain())
    assert len(calls) / 20_000 == pytest.approx(mean, rel=0.03)
    ends = np.zeros(20_000)
    np.maximum.at(ends, calls.chain, calls.arrival_s)
    assert (ends > longest).mean() == pytest.approx(0.01, abs=0.003)


def test_sub_agents_begin_after_the_call_that_starts_them_with_a_context_of_their_own() -> None:
    kind = replace(AGENTS, subagents=1.0, calls=3.0, calls_sigma=0.0).chain()
    calls = unfold(np.random.default_rng(0), kind, np.zeros(1))
    main = calls.chain == 0
    assert main.sum() == 3
    begun = np.array([calls.arrival_s[chain[0]] for chain in chains_of(calls)[1:]])
    answered = calls.arrival_s[main] + NOMINAL_TTFT_S + NOMINAL_TPOT_S * calls.output_tokens[main]
    np.testing.assert_allclose(begun, answered)
    assert set(calls.system[main]).isdisjoint(calls.system[~main])


def test_joined_parts_keep_their_chains_and_system_prompts_apart() -> None:
    talk = unfold(np.random.default_rng(0), Conversations(systems=2).chain(), np.zeros(10))
    lone = single(np.arange(3.0), np.full(3, 10), np.full(3, 5))
    both = joined([lone, talk, talk])
    assert both.system[:3].tolist() == [-1, -1, -1]
    assert len(np.unique(both.chain)) == 3 + 10 + 10
    first, second = both.system[3 : 3 + len(talk)], both.system[3 + len(talk) :]
    assert set(first).isdisjoint(second)


@pytest.mark.data
@pytest.mark.skipif("FORETIDE_DATA" not in os.environ, reason="FORETIDE_DATA is not set: sessions were not read")
def test_agents_are_close_to_recorded_coding_sessions() -> None:
    """Quantiles of calls, lengths and pauses against the 553 sessions of the kv-cache-tester collection.

    Lognormals are within a quarter of them; 553 sessions leave a tenth of that to chance in the number of calls.
    """
    table = pd.read_parquet(Path(os.environ["FORETIDE_DATA"]) / "requests/agentic_coding_sessions.parquet")
    main = table[table.agent == "main"].sort_values(["session_id", "t_s"])
    session = main.groupby("session_id")
    made = unfold(np.random.default_rng(0), replace(AGENTS, subagents=0.0).chain(), np.zeros(1500))
    same = np.diff(made.chain) == 0
    later = np.flatnonzero(same) + 1
    growth = made.prompt_tokens[later] - made.prompt_tokens[later - 1] - made.output_tokens[later - 1]
    pause = (
        made.arrival_s[later]
        - made.arrival_s[later - 1]
        - NOMINAL_TTFT_S
        - NOMINAL_TPOT_S * made.output_tokens[later - 1]
    )
    grown = session.prompt_tokens.diff()
    new = (grown - session.output_tokens.shift())[grown > 0]
    waited = session.t_s.diff() - session.api_time_s.shift()
    for drawn, recorded in (
        (np.bincount(made.chain), session.size()),
        (made.output_tokens, main.output_tokens),
        (growth, new),
        (pause, waited.dropna()),
    ):
        wanted = np.quantile(recorded, [0.5, 0.75, 0.9])
        np.testing.assert_allclose(np.quantile(drawn, [0.5, 0.75, 0.9]), wanted, rtol=0.25)
    assert np.median(made.prompt_tokens) == pytest.approx(main.prompt_tokens.median(), rel=0.25)
