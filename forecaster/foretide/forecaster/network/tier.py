"""The network as a tier of the ladder: it competes like every other, on the scores of what it forecast.

What is NOT promised: a word on every past. On a grid or horizon that its heads do not reach, or where its graph fails,
the tier is silent and the ladder goes on without it.
"""

from dataclasses import dataclass

from numpy.random import Generator, default_rng

from foretide.forecaster.network.pool import LARGEST_SEED, Ask, Pool
from foretide.forecaster.past import Past
from foretide.policies.flow import Floats


@dataclass(frozen=True, slots=True)
class NetworkTier:
    """One target's view of the pool that all targets share. `key` is the target's."""

    pool: Pool
    key: str
    name: str = "network"

    def paths(self, *, past: Past, horizon: int, count: int, rng: Generator) -> Floats | None:
        """Joint paths (count, horizon, 3); one number of `rng` decides all noise, so that it can be asked ahead."""
        return self.pool.answer(Ask(self.key, past, horizon, count, seed_of(rng)))


def seed_of(rng: Generator) -> int:
    return int(rng.integers(LARGEST_SEED))


def seed_ahead(seed: int, place: int) -> int:
    """What `seed_of` will give the ladder's tier at `place` for a forecast with `seed`."""
    return seed_of(default_rng([abs(seed), place]))
