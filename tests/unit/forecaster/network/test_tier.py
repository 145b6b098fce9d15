"""In the ladder the network is one tier among others, and one prefetch for all targets changes no answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from graphs import artifact
from numpy.random import default_rng

from foretide.forecaster.network.pool import Ask, Pool
from foretide.forecaster.network.schema import REPLICA
from foretide.forecaster.network.session import opened
from foretide.forecaster.network.tier import NetworkTier, seed_ahead
from foretide.forecaster.past import past_of
from foretide.forecaster.tier import Tier
from foretide.policies.flow import DemandHistory, Floats


def test_the_noise_of_a_tier_can_be_asked_ahead(
    tmp_path: Path, history: Callable[..., DemandHistory], days: Callable[..., Floats]
) -> None:
    artifact(tmp_path, REPLICA)
    pool = Pool([opened(tmp_path, "replica")])
    tier: Tier = NetworkTier(pool, "shop/llama")
    past = past_of(history(days(300), step=30.0))
    alone = tier.paths(past=past, horizon=20, count=16, rng=default_rng([77, 5]))
    pool.prefetch([Ask("shop/llama", past, 20, 16, seed_ahead(-77, 5))])
    ahead = tier.paths(past=past, horizon=20, count=16, rng=default_rng([77, 5]))
    assert pool.read_ahead == 1
    assert alone is not None
    assert ahead is not None
    np.testing.assert_array_equal(alone, ahead)
