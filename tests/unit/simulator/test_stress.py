"""Every stress changes its window and nothing else, alike for a seed; and by as much as it says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from foretide.policies.flow import frozen
from foretide.simulator.requests import Blocks, RequestTrace
from foretide.simulator.stress import (
    KINDS,
    AnyStress,
    Attack,
    FlashCrowd,
    OutputShift,
    PromptShift,
    Silence,
    Step,
    Stress,
    stressed,
)
from foretide.simulator.written import problems_of

BLOCK = 100


def trace(count: int = 4000, *, rate: float = 4.0, seed: int = 0, blocks: bool = False) -> RequestTrace:
    """Poisson arrivals; prompts have ids of their own and one in common."""
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1 / rate, count))
    prompt, output = rng.integers(1, 900, count), rng.integers(1, 300, count)
    counts = -(-prompt // BLOCK)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    ids = Blocks(np.arange(1, offsets[-1] + 1), offsets, BLOCK) if blocks else None
    return RequestTrace(frozen(arrival - arrival[0] if count else arrival), prompt, output, ids)


moments = st.floats(min_value=0.0, max_value=300.0)
spans = st.none() | st.floats(min_value=0.5, max_value=200.0)
factors = st.floats(min_value=0.05, max_value=8.0)
stresses = st.one_of(
    st.builds(Step, at=moments, duration=spans, factor=factors),
    st.builds(
        FlashCrowd,
        at=moments,
        duration=spans,
        factor=st.floats(min_value=1.5, max_value=9.0),
        ramp=st.floats(min_value=0.5, max_value=60.0),
        decay=st.floats(min_value=1.0, max_value=60.0),
    ),
    st.builds(Silence, at=moments, duration=spans),
    st.builds(OutputShift, at=moments, duration=spans, factor=factors, longest=st.integers(1, 2000)),
    st.builds(PromptShift, at=moments, duration=spans, factor=factors, longest=st.integers(1, 2000)),
    st.builds(Attack, at=moments, duration=spans, share=st.floats(min_value=0.01, max_value=1.0)),
)


def rows(part: RequestTrace, keep: np.ndarray) -> list[tuple[Any, ...]]:
    """Each request that is kept, with all that is known of it."""
    found = []
    for index in np.flatnonzero(keep):
        ids = () if part.blocks is None else tuple(part.blocks.of(int(index)))
        found.append((part.arrival_s[index], part.prompt_tokens[index], part.output_tokens[index], ids))
    return found


@given(stresses, st.integers(0, 40), st.integers(0, 300), st.booleans())
@settings(max_examples=150, deadline=None)
def test_outside_its_window_a_stress_changes_nothing(stress: Stress, seed: int, count: int, blocks: bool) -> None:
    before = trace(count, rate=1.0, seed=seed, blocks=blocks)
    after = stress.apply(before, seed=seed)
    assert rows(after, ~stress.inside(after)) == rows(before, ~stress.inside(before))


@given(stresses, st.integers(0, 40), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
def test_what_is_left_is_a_trace(stress: Stress, seed: int, count: int) -> None:
    after = stress.apply(trace(count, rate=1.0, seed=seed, blocks=True), seed=seed)
    assert (np.diff(after.arrival_s) >= 0).all()
    assert (after.arrival_s >= 0).all()
    assert after.prompt_tokens.min(initial=1) >= 1
    assert after.output_tokens.min(initial=1) >= 1
    assert after.blocks is not None
    np.testing.assert_array_equal(np.diff(after.blocks.offsets), -(-after.prompt_tokens // BLOCK))
    assert len(after.blocks.ids) == after.blocks.offsets[-1]


@given(stresses, st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_a_stress_is_the_same_for_the_same_seed(stress: Stress, seed: int) -> None:
    before = trace(200, rate=1.0, blocks=True)
    everything = np.ones(10**5, dtype=bool)
    first, again = (stress.apply(before, seed=seed) for _ in range(2))
    assert rows(first, everything[: len(first)]) == rows(again, everything[: len(again)])


@pytest.mark.parametrize("stress", [Step(factor=1.7), FlashCrowd(factor=3), Attack(share=0.5)])
def test_another_seed_draws_otherwise(stress: Stress) -> None:
    first, other = (stress.apply(trace(), seed=seed) for seed in (1, 2))
    assert rows(first, np.ones(len(first), dtype=bool)) != rows(other, np.ones(len(other), dtype=bool))


@pytest.mark.parametrize("factor", [0.2, 1.5, 5.0])
def test_a_step_multiplies_the_rate_of_its_window(factor: float) -> None:
    before = trace()
    step = Step(at=200, duration=400, factor=factor)
    count, found = step.inside(before).sum(), step.inside(step.apply(before, seed=1)).sum()
    assert found == pytest.approx(factor * count, abs=4 * np.sqrt(factor * count))


def test_a_step_of_one_changes_nothing() -> None:
    before = trace(blocks=True)
    after = Step(factor=1.0).apply(before, seed=3)
    everything = np.ones(len(before), dtype=bool)
    assert rows(after, everything) == rows(before, everything)


def test_copies_spread_evenly_over_a_window_that_is_even() -> None:
    """None piles up at its edges."""
    even = RequestTrace(frozen(np.arange(3000) / 10.0), np.full(3000, 10), np.full(3000, 10))
    found = Step(at=100, duration=100, factor=4).apply(even, seed=0)
    counts = np.histogram(found.arrival_s, bins=10, range=(100, 200))[0]
    np.testing.assert_allclose(counts, 400, atol=5 * np.sqrt(300))


def test_copies_do_not_thin_out_where_a_trace_begins_and_ends() -> None:
    even = RequestTrace(frozen(np.arange(3000) / 10.0), np.full(3000, 10), np.full(3000, 10))
    counts = np.histogram(Step(factor=4).apply(even, seed=0).arrival_s, bins=30, range=(0, 300))[0]
    np.testing.assert_allclose(counts, 400, atol=5 * np.sqrt(300))


def test_a_flash_crowd_rises_in_seconds_and_decays_exponentially() -> None:
    even = RequestTrace(frozen(np.arange(40_000) / 20.0), np.full(40_000, 10), np.full(40_000, 10))
    crowd = FlashCrowd(at=500, factor=6, ramp=20, decay=200)
    found = crowd.apply(even, seed=0).arrival_s
    for begin, width in ((500.0, 10.0), (525.0, 20.0), (720.0, 20.0), (1100.0, 50.0)):
        grid = np.linspace(begin, begin + width, 400)
        expected = 20 * width * (1 + 5 * crowd.height(grid).mean())
        count = ((found >= begin) & (found < begin + width)).sum()
        assert count == pytest.approx(expected, abs=5 * np.sqrt(expected))
    np.testing.assert_allclose(crowd.height(np.array([490.0, 510.0, 520.0, 720.0])), [0.0, 0.5, 1.0, 1 / np.e])


def test_silence_is_silent() -> None:
    found = Silence(at=100, duration=50).apply(trace(), seed=0).arrival_s
    assert not ((found >= 100) & (found < 150)).any()


def test_longer_answers_stop_at_the_cap_but_none_gets_shorter() -> None:
    before = trace()
    after = OutputShift(factor=3, longest=250).apply(before, seed=0).output_tokens
    np.testing.assert_array_equal(
        after, np.where(before.output_tokens > 250, before.output_tokens, np.minimum(3 * before.output_tokens, 250))
    )


def test_longer_prompts_keep_what_a_cache_knows_of_them() -> None:
    before = trace(300, blocks=True)
    after = PromptShift(factor=2).apply(before, seed=0)
    assert before.blocks is not None
    assert after.blocks is not None
    np.testing.assert_array_equal(after.prompt_tokens, 2 * before.prompt_tokens)
    for index, prompt in enumerate(before.prompt_tokens):
        whole = prompt // BLOCK
        np.testing.assert_array_equal(after.blocks.of(index)[:whole], before.blocks.of(index)[:whole])


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_an_attack_sends_its_share_to_the_cap(share: float) -> None:
    attack = Attack(at=100, duration=800, share=share, output_tokens=4096)
    after = attack.apply(trace(), seed=0)
    inside = attack.inside(after)
    found, count = (after.output_tokens[inside] == 4096).sum(), inside.sum()
    assert found == pytest.approx(share * count, abs=4 * np.sqrt(count * share * (1 - share)))


def test_stresses_are_done_in_the_order_written() -> None:
    before = trace()
    both = stressed(before, [Attack(share=1.0, output_tokens=500), OutputShift(factor=2)], seed=0)
    other = stressed(before, [OutputShift(factor=2), Attack(share=1.0, output_tokens=500)], seed=0)
    assert set(both.output_tokens) == {1000}
    assert set(other.output_tokens) == {500}


def test_two_stresses_of_one_kind_draw_apart() -> None:
    halves = stressed(trace(), [Step(factor=0.5), Step(factor=0.5)], seed=0)
    assert len(halves) == pytest.approx(1000, abs=4 * np.sqrt(4000 * 0.25 * 0.75))


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ({"kind": "stp"}, f"there is no kind 'stp'; write one of {', '.join(KINDS)}"),
        ({"factor": 5}, f"kind is missing; write one of {', '.join(KINDS)}"),
        ({"kind": "step", "at": "soon", "factor": 5}, "step.at: soon: write a number with its unit, like 500ms"),
        ({"kind": "step"}, "step.factor: missing; it is required"),
        ({"kind": "step", "factor": 0}, "step.factor: 0: should be greater than 0"),
        ({"kind": "step", "factor": float("nan")}, "step.factor: nan: should be a finite number"),
        ({"kind": "flash-crowd", "factor": 0.5}, "flash-crowd.factor: 0.5: should be greater than 1"),
        ({"kind": "attack", "share": 5}, "attack.share: 5: should be less than or equal to 1"),
        ({"kind": "silence", "duration": "0s"}, "silence.duration: 0s: should be greater than 0"),
        ({"kind": "silence", "factor": 2}, "silence.factor: 2: unknown field; remove it or correct its name"),
    ],
)
def test_bad_stress_gets_one_line_with_field_value_and_fix(written: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnyStress).validate_python(written)
    (problem,) = problems_of(caught.value)
    assert line in str(problem)
    assert "\n" not in str(problem)


def test_times_are_written_as_durations_or_seconds() -> None:
    read = TypeAdapter(AnyStress).validate_python({"kind": "step", "at": "30m", "duration": 90, "factor": 5})
    assert read == Step(at=1800, duration=90, factor=5)
