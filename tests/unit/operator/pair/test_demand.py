"""Demand of two pools: every request once, trusted as far as the pool that is trusted less."""

import numpy as np
from given import history

from foretide.operator.pair.demand import joined
from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory, Trust, frozen


def told(requests: list[float], *, output: float, trust: Trust = Trust.FRESH) -> DemandHistory:
    found = history(*requests, trust=trust)
    values = found.values.copy()
    values[:, OUTPUT_TOKENS] = values[:, REQUESTS] * output
    return DemandHistory(found.start, found.step, frozen(values), trust, "" if trust is Trust.FRESH else "late")


def test_arrivals_and_prompts_are_the_prefill_pools_and_lengths_of_outputs_the_decode_pools() -> None:
    found = joined(told([10.0, 20.0], output=1.0), told([9.0, 15.0], output=200.0))
    np.testing.assert_allclose(found.values[:, REQUESTS], [10.0, 20.0])
    np.testing.assert_allclose(found.values[:, PROMPT_TOKENS], [10_000.0, 20_000.0])
    np.testing.assert_allclose(found.values[:, OUTPUT_TOKENS], [2000.0, 4000.0])


def test_a_bin_in_which_nothing_was_generated_takes_the_length_before_it() -> None:
    found = joined(told([10.0, 20.0], output=1.0), told([10.0, 0.0], output=200.0))
    np.testing.assert_allclose(found.values[:, OUTPUT_TOKENS], [2000.0, 4000.0])


def test_nothing_generated_yet_is_a_gap_unless_nobody_asked() -> None:
    found = joined(told([10.0, 0.0], output=1.0), told([0.0, 0.0], output=200.0))
    assert np.isnan(found.values[0]).all()
    np.testing.assert_allclose(found.values[1], 0.0)


def test_a_gap_of_the_prefill_pool_stays_one() -> None:
    found = joined(told([10.0, float("nan")], output=1.0), told([10.0, 10.0], output=200.0))
    assert np.isnan(found.values[1]).all()


def test_the_pool_that_is_trusted_less_is_named() -> None:
    found = joined(told([10.0], output=1.0), told([10.0], output=200.0, trust=Trust.STALE))
    assert (found.trust, found.why) == (Trust.STALE, "decode pool: late")


def test_pools_that_were_first_seen_at_different_times_are_laid_side_by_side() -> None:
    found = joined(told([10.0, 10.0, 10.0], output=1.0), told([10.0], output=200.0))
    np.testing.assert_allclose(found.values[:, OUTPUT_TOKENS], 2000.0)
