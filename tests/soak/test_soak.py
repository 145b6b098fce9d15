"""A few virtual hours of the loop: nothing grows but what it remembers of demand."""

import pytest
from soaking import Soak, soaked


@pytest.fixture(scope="module")
def soak() -> Soak:
    return soaked(3)


def test_hardly_anything_is_kept_from_an_hour_to_the_next(soak: Soak) -> None:
    """A block is some sixty bytes: this is less than a megabyte."""
    assert soak.hours[-1].blocks - soak.hours[-2].blocks < 15_000


def test_tasks_and_descriptors_do_not_grow(soak: Soak) -> None:
    assert len({hour.tasks for hour in soak.hours}) == 1
    assert soak.hours[-1].descriptors <= soak.hours[0].descriptors


def test_noise_moves_the_count_and_no_news_but_of_that_is_told(soak: Soak) -> None:
    assert soak.writes
    assert set(soak.events) <= {"Scaled"}
    assert min(count for _, count in soak.writes) >= 4


def test_changes_of_direction_are_counted_within_half_an_hour() -> None:
    soak = Soak(writes=[(0.0, 7), (60.0, 8), (120.0, 6), (180.0, 7), (4000.0, 5)])
    assert soak.turns() == [120.0, 180.0, 4000.0]
    assert soak.most_turns() == 2
