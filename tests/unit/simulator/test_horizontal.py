from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.behavior import HPA_DEFAULT
from foretide.policies.flow import Behavior, Memory, ReasonCode, ScaleEvent, ScalingPolicy, ScalingRules
from foretide.simulator.horizontal import Limits, stored, sync

COUNTS = st.integers(min_value=0, max_value=60)
BEHAVIORS = st.sampled_from(
    [
        None,
        HPA_DEFAULT,
        Behavior(
            up=ScalingRules(30.0, (ScalingPolicy("Percent", 50, 30.0),)),
            down=ScalingRules(60.0, (ScalingPolicy("Pods", 2, 45.0), ScalingPolicy("Percent", 10, 15.0))),
        ),
    ]
)


def run(limits: Limits, counts: list[int | None], *, begins: int = 2, every: float = 15.0) -> list[int]:
    """The count after each sync, every 15 s, given what the metric asks for."""
    memory: Memory | None = None
    current, found = begins, []
    for index, wanted in enumerate(counts):
        done = sync(limits, now=every * index, current=current, wanted=wanted, memory=memory)
        current, memory = done.replicas, done.memory
        found.append(current)
    return found


def test_a_target_at_zero_rests_there() -> None:
    assert run(Limits(1, 9), [5, 5], begins=0) == [0, 0]


def test_a_minimum_of_zero_lets_it_leave_zero() -> None:
    assert run(Limits(0, 9), [3], begins=0) == [3]


def test_bounds_are_enforced_before_any_metric_is_read() -> None:
    assert run(Limits(3, 9), [None, None], begins=1) == [3, 3]
    assert run(Limits(3, 9), [3, 9], begins=12) == [9, 9]


def test_no_metric_is_no_change_and_leaves_no_recommendation() -> None:
    done = sync(Limits(1, 9), now=15.0, current=4, wanted=None, memory=None)
    assert (done.replicas, done.code) == (4, ReasonCode.BLIND)
    assert [past.replicas for past in done.memory.recommendations] == [4]


def test_without_behavior_it_at_most_doubles_and_goes_to_four_from_less() -> None:
    assert run(Limits(1, 50), [40, 40, 40], begins=1) == [4, 8, 16]


def test_with_behavior_it_adds_four_or_doubles() -> None:
    assert run(Limits(1, 50, HPA_DEFAULT), [40, 40, 40], begins=1) == [5, 10, 20]


def test_without_behavior_a_peak_that_the_limit_held_back_is_followed_up_after_it_has_gone() -> None:
    assert run(Limits(1, 50), [40, 2, 2, 2]) == [4, 8, 16, 32]
    assert run(Limits(1, 50, HPA_DEFAULT), [40, 2, 2, 2]) == [6, 6, 6, 6]


def test_without_behavior_a_recommendation_counts_until_it_is_older_than_the_window() -> None:
    assert run(Limits(1, 9, downscale_s=30.0), [1] * 4) == [2, 2, 2, 1]


def test_a_window_of_behavior_ends_when_it_is_over() -> None:
    down = ScalingRules(30.0, HPA_DEFAULT.down.policies)
    assert run(Limits(1, 9, Behavior(HPA_DEFAULT.up, down)), [1] * 3) == [2, 2, 1]


def test_a_new_event_takes_the_place_of_the_last_one_too_old_for_its_direction() -> None:
    behavior = Behavior(up=ScalingRules(0.0, (ScalingPolicy("Pods", 4, 10.0),)), down=HPA_DEFAULT.down)
    first, second, lower = ScaleEvent(0.0, 1, 2), ScaleEvent(5.0, 2, 3), ScaleEvent(6.0, 3, 2)
    new = ScaleEvent(18.0, 2, 4)
    assert stored((first, second, lower), new, behavior=behavior) == (first, new, lower)
    assert stored((second, lower), ScaleEvent(14.0, 2, 4), behavior=behavior)[:2] == (second, lower)


@given(
    behavior=BEHAVIORS,
    wanted=st.lists(st.none() | COUNTS, min_size=1, max_size=40),
    minimum=st.integers(min_value=1, max_value=5),
    width=st.integers(min_value=0, max_value=30),
    begins=st.integers(min_value=1, max_value=40),
)
def test_it_never_leaves_its_bounds_and_never_goes_past_what_somebody_wanted(
    behavior: Behavior | None, wanted: list[int | None], minimum: int, width: int, begins: int
) -> None:
    limits = Limits(minimum, minimum + width, behavior)
    counts = run(limits, wanted, begins=begins)
    asked = [begins, *[count for count in wanted if count is not None]]
    assert all(minimum <= count <= minimum + width for count in counts)
    low, high = max(minimum, min(asked)), min(minimum + width, max(asked))
    assert all(min(low, minimum + width) <= count <= max(high, minimum) for count in counts)


@given(behavior=BEHAVIORS, wanted=st.lists(COUNTS, min_size=30, max_size=40), last=st.integers(1, 30))
def test_a_steady_metric_is_reached_in_the_end(behavior: Behavior | None, wanted: list[int], last: int) -> None:
    counts = run(Limits(1, 30, behavior), [*wanted, *[last] * 120])
    assert counts[-1] == last
