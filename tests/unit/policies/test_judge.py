"""P(the promise is kept) in a window: as a decision judges, and never less for more replicas."""

from dataclasses import replace

import numpy as np
import pytest
from given import ONE_WORK_PER_REQUEST
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.accepted_risk import violation_probability
from foretide.policies.ahead import Ahead, speed_draws
from foretide.policies.judge import DRAWS, probability_kept

STEP = 60.0
STEEP = replace(ONE_WORK_PER_REQUEST, capacity=replace(ONE_WORK_PER_REQUEST.capacity, steepness=4.0))


@given(
    load=st.just(0.0) | st.floats(1e-6, 60.0),
    replicas=st.integers(0, 8),
    sd=st.sampled_from([0.0, 0.1, 0.5]),
    steepness=st.sampled_from([0.0, 3.0, 8.0]),
)
def test_it_judges_as_a_decision_does(load: float, replicas: int, sd: float, steepness: float) -> None:
    capacity = replace(ONE_WORK_PER_REQUEST.capacity, steepness=steepness)
    service = replace(ONE_WORK_PER_REQUEST, capacity=capacity, log_speed_sd=sd)
    work, carried = np.full(5, load), np.full(5, capacity.total(replicas))
    slowed = work[None, :] * speed_draws(service, DRAWS)[:, None]
    ahead = Ahead(slowed, slowed, 5, STEP)
    kept = probability_kept(service, work=work, carried=carried)
    assert kept == pytest.approx(1 - violation_probability(ahead, capacity, replicas))


@given(st.lists(st.floats(0.0, 60.0), min_size=5, max_size=5), st.integers(1, 8), st.sampled_from([0.0, 4.0]))
def test_more_replicas_never_keep_less(rates: list[float], replicas: int, steepness: float) -> None:
    service = replace(STEEP, capacity=replace(STEEP.capacity, steepness=steepness), log_speed_sd=0.2)
    work = np.array(rates)
    few, many = (
        probability_kept(service, work=work, carried=np.full(5, service.capacity.total(count)))
        for count in (replicas, replicas + 1)
    )
    assert 0 <= few <= many <= 1
