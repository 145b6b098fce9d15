"""The fleet that Foretide would have run: its own counts, its own limits, its own cold starts."""

from dataclasses import replace
from math import inf

import pytest
from given import NOW, evidence, forecast, history, pool
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.decide import plan
from foretide.policies.flow import Evidence, Mode
from foretide.policies.shadow import Fleet, Shadow, begun, present_fleet, shadowed


def later(seen: Evidence, seconds: float, **changes: object) -> Evidence:
    return replace(
        seen, now=NOW + seconds, forecast=replace(seen.forecast, made_at=NOW + seconds), **changes  # type: ignore[arg-type, type-var]
    )  # fmt: skip


def test_what_is_ordered_carries_load_after_the_cold_start() -> None:
    fleet = Fleet(2).scaled(5, ready_at=NOW + 90)
    assert (fleet.replicas, fleet.ready_at(NOW + 89), fleet.ready_at(NOW + 90)) == (5, 2, 5)
    assert fleet.matured(NOW + 90) == Fleet(5)


def test_of_fewer_replicas_those_that_do_not_carry_yet_go_first() -> None:
    fleet = Fleet(2, (NOW + 10, NOW + 90))
    assert fleet.scaled(3, ready_at=inf) == Fleet(2, (NOW + 10,))
    assert fleet.scaled(1, ready_at=inf) == Fleet(1)


@given(
    st.integers(0, 40),
    st.lists(st.floats(0, 1e6), max_size=10).map(sorted),
    st.integers(0, 60),
    st.floats(0, 1e6),
    st.floats(0, 2e6),
)
def test_a_fleet_has_as_many_as_it_is_told_and_none_carries_load_early(
    ready: int, starting: list[float], told: int, lead: float, at: float
) -> None:
    before = Fleet(ready, tuple(starting))
    after = before.scaled(told, ready_at=lead)
    assert after.replicas == told
    assert after.ready_at(at) <= after.replicas
    assert list(after.starting) == sorted(after.starting)
    if at < lead:
        assert after.ready_at(at) <= before.ready_at(at)
    assert after.matured(at).replicas == told


def test_it_takes_over_what_stands() -> None:
    seen = evidence(pool=pool(3, ready=3, starting=2, unschedulable=1))
    assert begun(seen).fleet == Fleet(3, (NOW + 90, NOW + 90))
    assert present_fleet(seen).replicas == 5
    assert present_fleet(seen).ready_at(NOW + 1e9) == 3


@pytest.mark.parametrize("mode", list(Mode))
def test_it_decides_as_in_mode_auto_whatever_the_mode_and_whoever_writes(mode: Mode) -> None:
    wanted = evidence(forecast=forecast(*[45.0] * 100))
    seen = replace(wanted, mode=mode, pool=pool(9, conflict="an HPA scales it"))
    assert shadowed(Shadow(Fleet(3), seen.memory), seen).fleet.replicas == plan(wanted).desired == 5


def test_behavior_applies_to_its_own_past_counts() -> None:
    seen = evidence(forecast=forecast(*[12.0] * 100), history=history(*[12.0] * 20), pool=pool(20))
    shadow, counts = Shadow(Fleet(6), seen.memory), []
    for minute in range(8):
        shadow = shadowed(shadow, later(seen, 60.0 * minute))
        counts.append(shadow.fleet.replicas)
    assert counts == [4, 3, 2, 2, 2, 2, 2, 2]


def test_no_room_really_is_no_room_for_a_shadow_of_that_size_but_for_a_smaller_one() -> None:
    seen = evidence(forecast=forecast(*[45.0] * 100), pool=pool(4, ready=4, unschedulable=2))
    assert shadowed(Shadow(Fleet(4), seen.memory), seen).fleet.replicas == 4
    assert shadowed(Shadow(Fleet(3), seen.memory), seen).fleet.replicas == 5
