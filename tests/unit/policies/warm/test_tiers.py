"""Tiers: each wrong one is refused by name, value and fix."""

import pytest

from foretide.policies.warm.tiers import BadTiers, Tiers, WarmTier, zero_or_ready

ZERO, SLEEPING, READY = WarmTier("zero", 80.0, 0.0), WarmTier("sleeping", 2.0, 0.1), WarmTier("ready", 0.0, 1.0)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((ZERO,), "tiers: 1: give at least two"),
        ((ZERO, READY, SLEEPING), "sleeping.wake_s: 2: a dearer tier must wake faster than ready"),
        ((ZERO, WarmTier("sleeping", 80.0, 0.1), READY), "sleeping.wake_s: 80: a dearer tier must wake faster"),
        ((ZERO, WarmTier("sleeping", 2.0, 0.0), READY), "sleeping.price: 0: .* must cost more, or drop zero"),
        ((ZERO, SLEEPING), "the first must have price 0 and the last wake_s 0"),
        ((WarmTier("zero", float("nan"), 0.0), READY), "zero.wake_s: nan: give a number from 0 to 86400"),
        ((ZERO, WarmTier("ready", 0.0, 1.5)), "ready.price: 1.5: give a number from 0 to 1"),
        ((WarmTier("zero", -1.0, 0.0), READY), "zero.wake_s: -1"),
    ],
)
def test_tiers_out_of_order_are_refused(steps: tuple[WarmTier, ...], said: str) -> None:
    with pytest.raises(BadTiers, match=said):
        Tiers(steps)


def test_prices_and_wake_times_keep_their_order() -> None:
    tiers = Tiers((ZERO, SLEEPING, READY))
    assert tiers.wake_s.tolist() == [80.0, 2.0, 0.0]
    assert tiers.price.tolist() == [0.0, 0.1, 1.0]
    assert zero_or_ready(80.0) == Tiers((ZERO, READY))
