"""Generated traffic keeps the statistics it is calibrated to, and yesterday looks like today."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foretide.simulator.generate import Agents, Conversations, WorkloadShape, demand_counts, generate

HOUR_DAY = WorkloadShape(mean_rps=10.0, day_s=3600.0)
CALM = replace(HOUR_DAY, bursts_per_day=0.0, wander=0.0, burstiness=1.0)
TALKS = Conversations(share=0.6, think_s=5.0)
LOOPS = Agents(share=0.2, calls=6.0, calls_sigma=0.5, tool_s=1.0, person_share=0.0, context_tokens=40_000)


def test_the_same_seed_gives_the_same_trace_and_another_does_not() -> None:
    first, again, other = (generate(HOUR_DAY, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.arrival_s, again.arrival_s)
    np.testing.assert_array_equal(first.output_tokens, again.output_tokens)
    assert len(first) != len(other)


def test_a_trace_ascends_from_zero_over_its_days() -> None:
    made = generate(replace(HOUR_DAY, days=2.0), seed=1)
    assert made.arrival_s[0] == 0.0
    assert (np.diff(made.arrival_s) >= 0).all()
    assert 7000 < made.arrival_s[-1] <= 7200
    assert min(made.prompt_tokens.min(), made.output_tokens.min()) >= 1


def test_the_mean_rate_is_kept_over_whole_days() -> None:
    counts = [len(generate(CALM, seed=seed)) for seed in range(5)]
    assert np.mean(counts) == pytest.approx(36_000, rel=0.05)


def test_prompt_lengths_match_the_published_statistics() -> None:
    """Azure 2023, conversation: mean 1155, p50 1020, p99 4142 (papers.md 3.4)."""
    lengths = generate(replace(HOUR_DAY, mean_rps=30.0), seed=1).prompt_tokens
    assert lengths.mean() == pytest.approx(1155, rel=0.02)
    assert np.percentile(lengths, [50, 99]) == pytest.approx([1020, 4142], rel=0.12)


def test_output_lengths_match_the_published_statistics() -> None:
    """Azure 2023, conversation: mean 211, p50 129, p99 601 (papers.md 3.4)."""
    lengths = generate(replace(HOUR_DAY, mean_rps=30.0), seed=1).output_tokens
    assert lengths.mean() == pytest.approx(211, rel=0.06)
    assert np.percentile(lengths, [50, 99]) == pytest.approx([129, 601], rel=0.12)


def test_day_and_night_differ_by_the_declared_ratio() -> None:
    made = generate(replace(CALM, mean_rps=40.0, peak_to_trough=5.0), seed=2)
    hours = np.histogram(made.arrival_s, bins=24, range=(0, 3600))[0]
    assert hours[15:17].mean() / hours[3:5].mean() == pytest.approx(5.0, rel=0.15)


def test_burstier_clients_make_burstier_traffic() -> None:
    spread = []
    for cv in (1.0, 3.0):
        made = generate(replace(CALM, peak_to_trough=1.0, clients=4, burstiness=cv), seed=5)
        counts = np.histogram(made.arrival_s, bins=360, range=(0, 3600))[0]
        spread.append(counts.var() / counts.mean())
    assert spread[1] > 2 * spread[0]


def test_bursts_lift_the_peak() -> None:
    lively = replace(CALM, bursts_per_day=6.0, burst_height=3.0, burst_minutes=30.0)
    peaks = [
        np.histogram(generate(shape, seed=6).arrival_s, bins=60, range=(0, 3600))[0].max() for shape in (CALM, lively)
    ]
    assert peaks[1] > 1.3 * peaks[0]


def test_the_days_before_have_the_shape_of_the_trace() -> None:
    rows = demand_counts(CALM, days=3.0, step=60.0, seed=1)
    assert rows.shape == (180, 3)
    made = np.histogram(generate(CALM, seed=1).arrival_s, bins=60, range=(0, 3600))[0] / 60.0
    by_minute = rows[:, 0].reshape(3, 60).mean(axis=0)
    assert np.corrcoef(by_minute, made)[0, 1] > 0.9
    mean = rows.mean(axis=0)
    assert mean[0] == pytest.approx(10.0, rel=0.1)
    assert mean[1] / mean[0] == pytest.approx(1155, rel=0.05)
    assert mean[2] / mean[0] == pytest.approx(203, rel=0.05)


def test_every_day_before_differs_from_the_others() -> None:
    rows = demand_counts(HOUR_DAY, days=2.0, step=60.0, seed=1)[:, 0].reshape(2, 60)
    assert not np.allclose(rows[0], rows[1])


@pytest.mark.parametrize(("days", "expected"), [(1.5, 90), (0.001, 0), (0.0, 0)])
def test_there_are_as_many_rows_as_whole_steps_in_the_days_before(days: float, expected: int) -> None:
    assert demand_counts(HOUR_DAY, days=days, step=60.0, seed=1).shape == (expected, 3)


shapes = st.builds(
    WorkloadShape,
    mean_rps=st.floats(min_value=0.01, max_value=2.0),
    days=st.floats(min_value=0.1, max_value=2.5),
    day_s=st.sampled_from([300.0, 600.0]),
    clients=st.integers(min_value=1, max_value=6),
    weekday_ratio=st.floats(min_value=1.0, max_value=3.0),
    gaps=st.sampled_from(["gamma", "weibull", "mixed"]),
    mix=st.sampled_from([{}, {"chat": 1.0}, {"code": 0.5, "rag": 0.5}]),
    correlation=st.floats(min_value=-1.0, max_value=1.0),
    conversations=st.none() | st.just(TALKS),
    agents=st.none() | st.just(LOOPS),
)


@given(shapes, st.integers(min_value=0, max_value=1000))
@settings(max_examples=60, deadline=None)
def test_any_shape_makes_a_trace(shape: WorkloadShape, seed: int) -> None:
    made, again = (generate(shape, seed=seed) for _ in range(2))
    np.testing.assert_array_equal(made.arrival_s, again.arrival_s)
    np.testing.assert_array_equal(made.prompt_tokens, again.prompt_tokens)
    assert (np.diff(made.arrival_s) >= 0).all()
    assert made.arrival_s[:1].tolist() in ([], [0.0])
    assert made.arrival_s.max(initial=0.0) <= shape.days * shape.day_s + shape.day_s / 1440
    assert min(made.prompt_tokens.min(initial=1), made.output_tokens.min(initial=1)) >= 1
    assert (made.blocks is None) == (not shape.chained)
    if made.blocks is not None:
        np.testing.assert_array_equal(np.diff(made.blocks.offsets), -(-made.prompt_tokens // shape.block_tokens))


def test_a_week_has_its_weekend() -> None:
    week = replace(CALM, days=7.0, weekday_ratio=1.5)
    days = np.histogram(generate(week, seed=1).arrival_s, bins=7, range=(0, 7 * 3600))[0]
    before = demand_counts(week, days=7.0, step=60.0, seed=1)[:, 0].reshape(7, 60).sum(axis=1) * 60
    # Clients of burstiness around 1 and a spread of 0.4 make counts about 1.4 times as wide as a Poisson's.
    error = 4 * 1.4 * np.sqrt(1 / days[:5].sum() + 1 / days[5:].sum())
    for counts in (days, before):
        assert counts[:5].mean() / counts[5:].mean() == pytest.approx(1.5, rel=error)


@pytest.mark.parametrize(
    "parts", [{"conversations": TALKS}, {"agents": LOOPS}, {"conversations": TALKS, "agents": LOOPS}]
)
def test_requests_that_follow_from_others_count_in_the_mean_rate(parts: dict) -> None:
    shape = replace(CALM, clients=100, **parts)
    counts = [len(generate(shape, seed=seed)) for seed in range(6)]
    # Chains of about 4 and 7 requests come together: the counts are that much wider than a Poisson's.
    assert np.mean(counts) == pytest.approx(36_000, rel=4 * np.sqrt(2 * 7 / (6 * 36_000)) + 0.01)


def test_conversations_have_their_share_from_the_first_minute_on() -> None:
    """The days before are gone through, so that conversations are under way at midnight."""
    made = generate(replace(CALM, peak_to_trough=1.0, conversations=replace(TALKS, systems=1, think_s=60.0)), seed=0)
    assert made.blocks is not None
    first = made.blocks.ids[made.blocks.offsets[:-1]]
    common = np.bincount(first[first < 1000]).argmax()
    early = made.arrival_s < 120
    for part in (early, ~early):
        share = (first[part] == common).mean()
        assert share == pytest.approx(0.6, abs=4 * np.sqrt(0.24 * 8 / part.sum()))


def test_a_prefix_cache_would_find_what_was_said_before() -> None:
    """Tokens in blocks that came before, of all tokens of an hour in which most requests are later turns."""
    made = generate(replace(HOUR_DAY, conversations=replace(TALKS, share=1.0, turns=6.0)), seed=0)
    alone = generate(replace(HOUR_DAY, conversations=replace(TALKS, share=1.0, turns=1.0, system_tokens=0)), seed=0)
    shares = []
    for trace in (made, alone):
        assert trace.blocks is not None
        shares.append(1 - len(np.unique(trace.blocks.ids)) / len(trace.blocks.ids))
    assert shares[0] > 0.7
    assert shares[1] == 0.0


@pytest.mark.parametrize(
    "parts",
    [
        {"mix": {"chat": 0.5, "code": 0.5}, "night_mix": {"summarise": 1.0}},
        {"conversations": TALKS},
    ],
)
def test_the_days_before_have_the_lengths_of_the_trace(parts: dict) -> None:
    shape = replace(CALM, **parts)
    rows, made = demand_counts(shape, days=3.0, step=60.0, seed=1), generate(shape, seed=1)
    total = rows.sum(axis=0)
    assert total[1] / total[0] == pytest.approx(made.prompt_tokens.mean(), rel=0.03)
    assert total[2] / total[0] == pytest.approx(made.output_tokens.mean(), rel=0.03)
    assert rows[:, 0].mean() == pytest.approx(10.0, rel=0.1)


def test_lengths_drift_from_night_to_day_in_trace_and_history() -> None:
    shape = replace(CALM, mix={"reasoning": 1.0}, night_mix={"code": 1.0})
    made, rows = generate(shape, seed=0), demand_counts(shape, days=1.0, step=30.0, seed=0)
    hour = (made.arrival_s // 150).astype(int)
    night, day = (made.output_tokens[(hour >= low) & (hour < low + 3)].mean() for low in (3, 15))
    by_hour = rows.reshape(24, -1, 3).sum(axis=1)
    night_before, day_before = (by_hour[low : low + 3, 2].sum() / by_hour[low : low + 3, 0].sum() for low in (3, 15))
    assert day > 5 * night
    assert day_before == pytest.approx(day, rel=0.1)
    assert night_before == pytest.approx(night, rel=0.35)


def test_prompts_and_outputs_go_together_as_far_as_declared() -> None:
    made = generate(replace(CALM, correlation=0.6), seed=0)
    found = stats.spearmanr(made.prompt_tokens, made.output_tokens).statistic
    assert found == pytest.approx(6 / np.pi * np.arcsin(0.3), abs=4 / np.sqrt(len(made)) + 0.01)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mean_rps": 0.0}, r"mean_rps: 0\.0: give a number above 0"),
        ({"mean_rps": float("nan")}, r"mean_rps: nan: give a finite number"),
        ({"peak_to_trough": 0.5}, r"peak_to_trough: 0\.5: give a ratio of at least 1"),
        ({"bursts_per_day": -1.0}, r"bursts_per_day: -1\.0: give a finite number of at least 0"),
        ({"day_s": "1h"}, r"day_s: '1h': give a finite number"),
        ({"weekday_ratio": 0.0}, r"weekday_ratio: 0\.0: give a ratio of at least 1"),
        ({"correlation": 2.0}, r"correlation: 2\.0: give a number between -1 and 1"),
        ({"gaps": "even"}, r"gaps: 'even': give one of gamma, weibull, mixed"),
        ({"mix": {"poems": 1.0}}, r"mix: poems: no such regime; there are chat, code"),
        ({"mix": {"chat": -1.0}}, r"mix: .*: give shares of at least 0"),
        ({"night_mix": {"chat": 1.0}}, r"mix: missing; night_mix needs the mix of the day"),
        ({"conversations": Conversations(share=0.7), "agents": Agents(share=0.6)}, r"share: .*lower one of the two"),
    ],
)
def test_a_senseless_shape_is_refused_by_field_value_and_fix(change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(HOUR_DAY, **change)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        (Conversations, {"turns": 0.5}, r"turns: 0\.5: give a mean of at least 1"),
        (Conversations, {"share": 1.5}, r"share: 1\.5: give a share between 0 and 1"),
        (Conversations, {"think_s": float("inf")}, r"think_s: inf: give a finite number"),
        (Agents, {"context_tokens": 9000}, r"context_tokens: 9000: give more than twice the system prompt of 8192"),
        (Agents, {"person_share": 1.5}, r"person_share: 1\.5: give a share between 0 and 1"),
        (Agents, {"subagents": 2.0}, r"subagents: 2\.0: give at most 1"),
    ],
)
def test_senseless_chains_are_refused_by_field_value_and_fix(kind: type, change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        kind(**change)
