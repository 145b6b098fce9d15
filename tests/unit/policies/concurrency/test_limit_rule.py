"""The rule n* against its own definition, tried one limit after the other, and the defaults that look at nothing."""

import json
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import ENOUGH, Fixed, Lengths, Rule, followed, largest_limit
from foretide.policies.concurrency.window import Bounds

BOUNDS = Bounds(1, 512)


def test_by_hand() -> None:
    # 10 ms + n (0.1 ms + 1100 x 0.1 us) <= 50 ms holds up to n = 190.5
    assert largest_limit(LINEAR, Lengths(1000.0, 200.0), tpot_s=0.05) == 190


def test_prefill_beside_the_decodes_counts() -> None:
    # each request brings 1000 / 200 = 5 prompt tokens a step: 8 ms + n (6 x 0.05 ms + 0.11 ms) <= 50 ms up to 102.4
    prefilling = replace(LINEAR, prefill_b_s=0.00005)
    assert largest_limit(prefilling, Lengths(1000.0, 200.0), tpot_s=0.05) == 102


def test_the_cache_holds_what_the_limit_admits() -> None:
    small = replace(LINEAR, kv_tokens=11_000.0)
    assert largest_limit(small, Lengths(1000.0, 200.0), tpot_s=0.05) == 10


def test_a_threshold_below_the_floor_of_a_step_leaves_one_at_a_time() -> None:
    assert largest_limit(LINEAR, Lengths(1000.0, 200.0), tpot_s=0.001) == 1


@given(
    prompt=st.floats(1.0, 20_000.0),
    output=st.floats(1.0, 4000.0),
    tpot_s=st.floats(0.011, 0.2),
    prefill=st.floats(0.0, 1e-4),
)
def test_it_is_the_last_limit_that_keeps_the_threshold(
    prompt: float, output: float, tpot_s: float, prefill: float
) -> None:
    model, lengths = replace(LINEAR, prefill_b_s=prefill), Lengths(prompt, output)
    found = largest_limit(model, lengths, tpot_s=tpot_s)
    kept = [n for n in range(1, model.largest(lengths) + 1) if model.step_s(n, lengths) <= tpot_s]
    assert found == max(kept, default=1)


def test_few_requests_and_unknown_lengths_change_nothing() -> None:
    known = Lengths(500.0, 100.0)
    assert followed(known, shown(ended=ENOUGH - 1)) == known
    assert followed(known, shown(prompt=nan, output=nan)) == known
    assert followed(None, None) is None


def test_lengths_are_followed_the_faster_the_more_requests_show_them() -> None:
    few, many = (followed(Lengths(500.0, 100.0), shown(prompt=1000.0, ended=ended)) for ended in (100, 900))
    assert few == Lengths(750.0, 150.0)
    assert many == Lengths(950.0, 190.0)


def test_the_rule_is_blind_until_lengths_are_known() -> None:
    rule = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS, blind=77)
    assert rule.act(None) == 77
    assert rule.act(shown(ended=0)) == 77
    assert rule.expected() is None
    assert rule.act(shown()) == 190
    # 190 requests at 200 steps each of 10 + 190 x 0.21 ms
    assert rule.expected() == pytest.approx(190 / (200 * 0.0499))


def test_a_margin_is_a_share_of_n_star_and_bounds_hold() -> None:
    half = Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS, margin=0.5)
    assert (half.name, half.act(shown())) == ("rule-x0.5", 95)
    assert Rule(LINEAR, tpot_s=0.05, bounds=Bounds(4, 64)).act(shown()) == 64


def test_the_rule_survives_a_restart() -> None:
    first, second = (Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS) for _ in range(2))
    first.act(shown(prompt=800.0))
    second.restore(json.loads(json.dumps(first.state())))
    assert second.act(shown(prompt=3000.0)) == first.act(shown(prompt=3000.0))


def test_a_fixed_limit_is_that_limit() -> None:
    assert {Fixed(256).act(seen) for seen in (None, shown(), shown(good=0))} == {256}


@pytest.mark.parametrize(("least", "most"), [(0, 5), (7, 6)])
def test_bounds_that_hold_nothing_are_refused(least: int, most: int) -> None:
    with pytest.raises(ValueError, match=f"bounds: {least} to {most}: give whole numbers"):
        Bounds(least, most)
