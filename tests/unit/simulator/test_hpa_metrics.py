import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.hpa_metrics import MOST, average_value, milli, pods_metric, tolerated


@pytest.mark.parametrize(
    ("total", "current", "wanted"),
    [(0, 3, 0), (15, 3, 3), (16, 3, 3), (16.5, 3, 3), (17, 3, 4), (13.5, 3, 3), (13, 3, 3), (10, 3, 2), (100, 3, 20)],
)
def test_average_value_divides_the_total_and_tolerates_a_tenth(total: float, current: int, wanted: int) -> None:
    assert average_value(total=total, target=5.0, current=current) == wanted


def test_what_is_divided_are_thousandths() -> None:
    # In floats of whole units 0.9 / 0.3 is 3.0000000000000004.
    assert average_value(total=0.9, target=0.3, current=1) == 3
    assert [milli(value) for value in (0.1234, 2.0, 1e-9, 0.0)] == [124, 2000, 1, 0]


def test_without_pods_there_is_no_tolerance() -> None:
    assert average_value(total=5.0, target=5.0, current=0) == 1


def test_a_count_has_32_bits() -> None:
    assert average_value(total=1e18, target=0.001, current=1) == MOST


@given(
    total=st.integers(min_value=0, max_value=10**6),
    target=st.integers(min_value=1, max_value=10**4),
    current=st.integers(min_value=1, max_value=200),
)
def test_whole_numbers_are_rounded_up_or_left_alone(total: int, target: int, current: int) -> None:
    wanted = average_value(total=float(total), target=float(target), current=current)
    assert wanted in {current, -(-total // target)}
    if wanted == current != -(-total // target):
        assert tolerated(total / (target * current))


@pytest.mark.parametrize(
    ("used", "current", "wanted"),
    [
        ([0.8, 0.8], 2, 2),
        ([0.86, 0.86], 2, 2),  # 1.075: within the tolerance
        ([1.0, 1.0], 2, 3),  # ceil(1.25 x 2)
        ([0.4, 0.4, 0.4], 3, 2),  # ceil(0.5 x 3)
        ([0.0], 1, 0),
    ],
)
def test_the_mean_over_the_target_is_what_counts(used: list[float], current: int, wanted: int) -> None:
    assert pods_metric(used=used, target=0.8, current=current) == wanted


def test_a_missing_pod_counts_as_idle_on_the_way_up() -> None:
    # (1.0 x 3 + 0) / 4 / 0.5 = 1.5, times four pods.
    assert pods_metric(used=[1.0] * 3, target=0.5, current=4, missing=1) == 6
    assert pods_metric(used=[1.0] * 3, target=0.5, current=3) == 6


def test_a_missing_pod_counts_as_on_target_on_the_way_down() -> None:
    # (0.2 x 3 + 0.8) / 4 / 0.8 = 0.4375, times four pods; without the fourth it would have been one.
    assert pods_metric(used=[0.2] * 3, target=0.8, current=4, missing=1) == 2
    assert pods_metric(used=[0.2] * 3, target=0.8, current=3) == 1


def test_starting_pods_count_as_idle_on_the_way_up_and_may_turn_it_off() -> None:
    # (2 x 1.0 + 0) / 3 / 0.8 = 0.83: would turn the direction, so nothing happens.
    assert pods_metric(used=[1.0, 1.0], target=0.8, current=3, unready=1) == 3
    # (4 x 1.0 + 0) / 5 / 0.5 = 1.6, times five.
    assert pods_metric(used=[1.0] * 4, target=0.5, current=5, unready=1) == 8


def test_starting_pods_do_not_matter_on_the_way_down() -> None:
    assert pods_metric(used=[0.2, 0.2], target=0.8, current=3, unready=1) == 1


def test_the_mean_of_pods_is_cut_off_below_a_thousandth() -> None:
    # 2.003 / 2 is 1.0015, of which HPA sees 1.001: within a tenth of 0.91, as 1.0015 would not be.
    assert pods_metric(used=[1.001, 1.002], target=0.91, current=2) == 2
    assert 1.0015 / 0.91 > 1.1


def test_missing_pods_are_left_out_of_a_mean_exactly_on_target() -> None:
    assert pods_metric(used=[0.5, 0.5], target=0.5, current=4, missing=2) == 4
