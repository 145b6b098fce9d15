import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.flow import Floats
from foretide.simulator.curve import (
    Trials,
    blocks_of,
    by_block,
    cheapest_reaching,
    draws,
    envelope,
    hours_at,
    ratio_at,
)

BLOCKS, SEEDS = 6, 4


def trials(*settings: tuple[float, float], noise: float = 0.0, seed: int = 0) -> Trials:
    """Each setting as (GPU-hours of a run, joint attainment); `noise` is common to all policies of a seed."""
    common = 1 + noise * np.random.default_rng(seed).standard_normal((SEEDS, BLOCKS))
    hours = np.array([[h / BLOCKS] for h, _ in settings])[:, None] * common
    requests = np.full((len(settings), SEEDS, BLOCKS), 1000.0)
    kept = np.array([[[joint]] for _, joint in settings]) * requests
    return Trials(hours, requests, kept)


def test_the_envelope_leaves_out_what_another_setting_beats_on_both_sides() -> None:
    joint, hours = np.array([0.9, 0.99, 0.97, 0.5]), np.array([4.0, 6.0, 7.0, 5.0])
    reached, cost = envelope(joint=joint, hours=hours)
    assert reached.tolist() == [0.9, 0.99]
    assert cost.tolist() == [4.0, 6.0]


def test_of_two_settings_at_the_same_cost_the_better_one_counts() -> None:
    reached, cost = envelope(joint=np.array([0.9, 0.95]), hours=np.array([4.0, 4.0]))
    assert (reached.tolist(), cost.tolist()) == ([0.95], [4.0])


def test_between_two_settings_lies_their_mixture() -> None:
    assert hours_at(0.95, joint=np.array([0.9, 1.0]), hours=np.array([4.0, 6.0])) == pytest.approx(5.0)


def test_an_attainment_that_is_never_reached_has_no_cost() -> None:
    assert hours_at(0.99, joint=np.array([0.9, 0.98]), hours=np.array([4.0, 6.0])) is None
    assert hours_at(0.99, joint=np.array([np.nan]), hours=np.array([4.0])) is None
    assert hours_at(0.99, joint=np.empty(0), hours=np.empty(0)) is None


def test_below_the_curve_nothing_is_extrapolated() -> None:
    assert hours_at(0.5, joint=np.array([0.9, 0.98]), hours=np.array([4.0, 6.0])) == 4.0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 100)), min_size=1, max_size=12),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_better_promise_never_costs_less(points: list[tuple[float, float]], one: float, other: float) -> None:
    joint, hours = np.array(points).T
    low, high = (hours_at(level, joint=joint, hours=hours) for level in sorted((one, other)))
    if high is not None:
        assert low is not None
        assert low <= high + 1e-9


def test_joint_attainment_is_the_share_of_all_requests() -> None:
    one = Trials(np.ones((1, 2, 1)), np.array([[[100.0], [300.0]]]), np.array([[[100.0], [0.0]]]))
    assert one.joint().tolist() == [0.25]
    assert one.hours().tolist() == [1.0]


def test_without_a_request_there_is_no_attainment() -> None:
    nothing = Trials(np.ones((1, 2, 3)), np.zeros((1, 2, 3)), np.zeros((1, 2, 3)))
    assert np.isnan(nothing.joint()).all()


@pytest.mark.parametrize("within", [True, False])
def test_every_resample_has_as_many_blocks_as_the_runs(within: bool) -> None:
    weights = draws(seeds=SEEDS, blocks=BLOCKS, within=within, seed=1, resamples=50)
    assert weights.shape == (50, SEEDS, BLOCKS)
    assert (weights.sum(axis=(1, 2)) == SEEDS * BLOCKS).all()
    assert (weights.sum(axis=2) % BLOCKS == 0).all()
    assert (np.ptp(weights, axis=2) == 0).all() == (not within)
    again = draws(seeds=SEEDS, blocks=BLOCKS, within=within, seed=1, resamples=50)
    np.testing.assert_array_equal(weights, again)


def test_noise_that_both_policies_share_cancels_in_their_ratio() -> None:
    weights = draws(seeds=SEEDS, blocks=BLOCKS, within=True, seed=1, resamples=200)
    ours, theirs = (trials((scale * 4.0, 0.9), (scale * 6.0, 0.999), noise=0.3) for scale in (0.8, 1.0))
    ratio = ratio_at(0.99, policy=ours, reference=theirs, weights=weights)
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.8, 0.8, 0.8))


def test_noise_of_its_own_widens_the_interval_around_the_ratio() -> None:
    weights = draws(seeds=SEEDS, blocks=BLOCKS, within=True, seed=1, resamples=200)
    ours, theirs = trials((4.0, 0.999), noise=0.3, seed=1), trials((5.0, 0.999), noise=0.3, seed=2)
    ratio = ratio_at(0.99, policy=ours, reference=theirs, weights=weights)
    assert ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < ratio.value < ratio.high


def test_a_policy_that_never_gets_there_has_no_ratio() -> None:
    weights = draws(seeds=SEEDS, blocks=BLOCKS, within=True, seed=1, resamples=10)
    assert ratio_at(0.99, policy=trials((4.0, 0.9)), reference=trials((5.0, 0.999)), weights=weights) is None


def test_an_attainment_reached_by_luck_has_no_interval() -> None:
    kept: Floats = np.full((1, SEEDS, BLOCKS), 990.0)
    kept[0, 0, 0], kept[0, 1, 1] = 890.0, 1000.0
    kept[0, 2:, :] = 995.0
    lucky = Trials(np.ones((1, SEEDS, BLOCKS)), np.full((1, SEEDS, BLOCKS), 1000.0), kept)
    weights = draws(seeds=SEEDS, blocks=BLOCKS, within=True, seed=1, resamples=200)
    level = float(lucky.joint()[0]) - 1e-9
    ratio = ratio_at(level, policy=lucky, reference=trials((5.0, 0.9999)), weights=weights)
    assert ratio is not None
    assert (ratio.low, ratio.high) == (None, None)


def test_tuning_takes_the_cheapest_setting_that_reaches_the_attainment_by_itself() -> None:
    joint, hours = {1.0: 0.9, 2.0: 0.995, 3.0: 0.999}, {1.0: 3.0, 2.0: 5.0, 3.0: 4.0}
    assert cheapest_reaching(0.99, joint=joint, hours=hours) == 3.0
    assert cheapest_reaching(0.9999, joint=joint, hours=hours) is None


def test_blocks_cover_the_run_and_its_end() -> None:
    index = blocks_of(np.array([0.0, 4.9, 5.0, 10.0]), duration_s=10.0, blocks=2)
    assert index.tolist() == [0, 0, 1, 1]
    assert by_block(index=index, weights=[1.0, 2.0, 4.0, 8.0], blocks=3).tolist() == [3.0, 12.0, 0.0]
