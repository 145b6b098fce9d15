"""Which tiers make sense, and where a target stands among them."""

import pytest

from foretide.policies.declared import PLACEHOLDER, SLEEPING, Between, Rest
from foretide.policies.warm.ladder import by_keep_alive, place_of, usable

SLEEP = Between(SLEEPING, wake_s=3.0, price=0.2, keep_s=300.0)
HOLD = Between(PLACEHOLDER, wake_s=40.0, price=0.1, keep_s=3600.0)


def names(rest: Rest, wake_s: float) -> list[str]:
    return [one.name for one in usable(rest, wake_s=wake_s).steps]


def test_a_tier_that_is_no_faster_than_a_colder_one_is_left_out() -> None:
    both = Rest(None, (HOLD, SLEEP))
    assert names(both, 80.0) == ["zero", "placeholder", "sleeping", "ready"]
    assert names(both, 30.0) == ["zero", "sleeping", "ready"]
    assert names(both, 2.0) == ["zero", "ready"]
    cheap = Rest(None, (HOLD, Between(SLEEPING, 3.0, 0.05)))
    assert names(cheap, 80.0) == ["zero", "placeholder", "ready"]


@pytest.mark.parametrize(
    ("idle_s", "tier"),
    [
        (0, "ready"),
        (599, "ready"),
        (600, "sleeping"),
        (899, "sleeping"),
        (900, "placeholder"),
        (4499, "placeholder"),
        (4500, "zero"),
    ],
)
def test_under_a_fixed_keep_alive_every_tier_is_held_for_its_own_time(idle_s: float, tier: str) -> None:
    assert by_keep_alive(Rest(600.0, (HOLD, SLEEP)), idle_s=idle_s) == tier


def test_a_tier_without_a_time_is_held_for_ever() -> None:
    assert by_keep_alive(Rest(60.0, (Between(SLEEPING, 3.0, 0.2),)), idle_s=1e6) == "sleeping"


def test_where_a_target_stands() -> None:
    tiers = usable(Rest(None, (HOLD, SLEEP)), wake_s=80.0)
    assert place_of(tiers, desired=0, asleep=0) == 0
    assert place_of(tiers, desired=1, asleep=1) == 2
    assert place_of(tiers, desired=1, asleep=0) == 3
    assert place_of(usable(Rest(), wake_s=80.0), desired=1, asleep=1) == 1
