"""KPA's published decision rules over random sequences of looks (knative/serving, pkg/autoscaler/scaling)."""

from itertools import pairwise
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.knative import KpaDecider, KpaRules

Look = tuple[float, int, float, float]
"""(time, ready pods, mean concurrency over the stable window, over the panic window)"""

loads = st.floats(min_value=0.0, max_value=500.0, allow_nan=False)
rules = st.builds(
    KpaRules,
    concurrency=st.floats(min_value=0.5, max_value=50.0),
    utilization=st.floats(min_value=0.1, max_value=1.0),
    stable_s=st.sampled_from([6.0, 60.0, 300.0]),
    panic_threshold=st.floats(min_value=1.1, max_value=10.0),
    max_up=st.sampled_from([1.1, 2.0, 10.0, 1000.0]),
    max_down=st.sampled_from([1.1, 2.0, 5.0]),
    activation_scale=st.sampled_from([1.0, 1.0, 2.0, 7.0]),
)


@st.composite
def looks(draw: st.DrawFn) -> list[Look]:
    gaps = draw(st.lists(st.sampled_from([2.0, 2.0, 10.0, 40.0, 100.0]), min_size=1, max_size=30))
    now, found = 0.0, []
    for gap in gaps:
        now += gap
        found.append((now, draw(st.integers(min_value=0, max_value=40)), draw(loads), draw(loads)))
    return found


def wanted(rule: KpaRules, ready: int, load: float) -> int:
    """As documented: the load over the target, within the two rates, and no less than the activation scale."""
    pods, asked = max(1, ready), ceil(load / rule.target)
    count = min(max(asked, floor(pods / rule.max_down)), ceil(rule.max_up * pods))
    return max(count, int(rule.activation_scale)) if asked and rule.activation_scale > 1 else count


def over(rule: KpaRules, ready: int, load: float) -> bool:
    return ceil(load / rule.target) / max(1, ready) >= rule.panic_threshold


def decided(rule: KpaRules, sequence: list[Look], *, first_ready: int = 1) -> list[tuple[int, bool]]:
    """(count, panicking) after each look."""
    decider = KpaDecider(rule, now=0.0, ready=first_ready)
    return [
        (decider.scale(now=now, ready=ready, stable=stable, panic=panic), decider.panicking)
        for now, ready, stable, panic in sequence
    ]


@given(rule=rules, sequence=looks())
def test_outside_panic_the_stable_window_alone_decides(rule: KpaRules, sequence: list[Look]) -> None:
    for (_, ready, stable, _), (count, panicking) in zip(sequence, decided(rule, sequence), strict=True):
        if not panicking:
            assert count == wanted(rule, ready, stable)


@given(rule=rules, sequence=looks(), first_ready=st.integers(min_value=0, max_value=9))
def test_panic_lasts_one_stable_window_beyond_the_last_time_over_the_threshold(
    rule: KpaRules, sequence: list[Look], first_ready: int
) -> None:
    last_over = 0.0 if first_ready > 1 else None
    for (now, ready, _, panic), (_, panicking) in zip(
        sequence, decided(rule, sequence, first_ready=first_ready), strict=True
    ):
        last_over = now if over(rule, ready, panic) else last_over
        assert panicking == (last_over is not None and now - last_over <= rule.stable_s)


@given(rule=rules, sequence=looks(), first_ready=st.integers(min_value=0, max_value=9))
def test_in_panic_the_count_never_falls_and_is_no_smaller_than_either_window_wants(
    rule: KpaRules, sequence: list[Look], first_ready: int
) -> None:
    found = decided(rule, sequence, first_ready=first_ready)
    for (_, ready, stable, panic), (count, panicking) in zip(sequence, found, strict=True):
        if panicking:
            assert count >= max(wanted(rule, ready, stable), wanted(rule, ready, panic))
    for (before, was), (after, panicking) in pairwise(found):
        if was and panicking:
            assert after >= before


@given(rule=rules, sequence=looks(), first_ready=st.integers(min_value=0, max_value=9))
def test_in_panic_the_count_is_one_that_somebody_wanted_since_it_began(
    rule: KpaRules, sequence: list[Look], first_ready: int
) -> None:
    seen, panicked = {first_ready}, first_ready > 1
    for (_, ready, stable, panic), (count, panicking) in zip(
        sequence, decided(rule, sequence, first_ready=first_ready), strict=True
    ):
        if panicking:
            seen |= {wanted(rule, ready, stable), wanted(rule, ready, panic)}
            assert count == max(seen)
        elif panicked:
            seen = {0}
        panicked = panicking


@given(rule=rules, ready=st.integers(min_value=0, max_value=100), stable=loads, panic=loads)
def test_one_look_never_changes_by_more_than_its_rates(rule: KpaRules, ready: int, stable: float, panic: float) -> None:
    ((count, _),) = decided(rule, [(10.0, ready, stable, panic)])
    pods = max(1, ready)
    assert floor(pods / rule.max_down) <= count <= max(ceil(rule.max_up * pods), rule.activation_scale)


@given(rule=rules, sequence=looks(), delay=st.sampled_from([5.0, 30.0, 120.0]))
def test_a_scale_down_delay_is_the_maximum_over_its_window(rule: KpaRules, sequence: list[Look], delay: float) -> None:
    plain = [count for count, _ in decided(rule, sequence)]
    slow = KpaRules(
        **{name: getattr(rule, name) for name in rule.__slots__} | {"scale_down_delay_s": delay}  # type: ignore[arg-type]
    )
    for i, (count, _) in enumerate(decided(slow, sequence)):
        recent = [plain[j] for j in range(i + 1) if sequence[j][0] > sequence[i][0] - delay]
        assert count == max(recent)


@given(rule=rules, sequence=looks(), first_ready=st.integers(min_value=0, max_value=9))
def test_the_activation_scale_holds_while_either_window_wants_anything(
    rule: KpaRules, sequence: list[Look], first_ready: int
) -> None:
    for (_, _, stable, panic), (count, panicking) in zip(
        sequence, decided(rule, sequence, first_ready=first_ready), strict=True
    ):
        asked = ceil(stable / rule.target) > 0 or (panicking and ceil(panic / rule.target) > 0)
        if asked:
            assert count >= int(rule.activation_scale)


@given(rule=rules, ready=st.integers(min_value=1, max_value=50), lower=loads, more=loads)
def test_more_load_never_wants_fewer_pods(rule: KpaRules, ready: int, lower: float, more: float) -> None:
    ((small, _),) = decided(rule, [(10.0, ready, lower, lower)])
    ((large, _),) = decided(rule, [(10.0, ready, lower + more, lower + more)])
    assert small <= large
