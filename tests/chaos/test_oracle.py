"""The judge is judged: what it must call wrong, and what it must not."""

from chaos.oracle import COLD_START_S, Demand, Write, blind, needed, wrong


def steady(rate: float, *, then: float | None = None, at: float = 100.0) -> Demand:
    return Demand([(0.0, rate)] + ([(at, then)] if then is not None else []))


def test_what_a_demand_needs_is_rounded_up() -> None:
    assert [needed(rate) for rate in (0.0, 0.1, 3.0, 8.0)] == [0, 1, 4, 10]


def test_lowering_to_what_is_needed_is_right() -> None:
    assert wrong([Write(10.0, 16, 4)], steady(3.0)) == []


def test_lowering_below_what_is_needed_is_wrong() -> None:
    write = Write(10.0, 16, 3)
    assert wrong([write], steady(3.0)) == [write]


def test_what_comes_before_new_pods_could_be_ready_counts_too() -> None:
    soon, later = 100.0 - COLD_START_S / 2, 100.0 - 2 * COLD_START_S
    assert wrong([Write(soon, 16, 4)], steady(3.0, then=8.0)) != []
    assert wrong([Write(later, 16, 4)], steady(3.0, then=8.0)) == []


def test_raising_is_never_wrong() -> None:
    assert wrong([Write(10.0, 1, 2)], steady(8.0)) == []


def test_blind_is_any_lowering_within_the_fault_and_none_outside() -> None:
    writes = [Write(9.0, 16, 15), Write(11.0, 15, 14), Write(12.0, 14, 20), Write(21.0, 20, 19)]
    assert blind(writes, since=10.0, until=20.0) == [writes[1]]
