"""Evidence to decide on: every part has a sane default, a test names only what it is about."""

from dataclasses import replace
from typing import Any

import numpy as np

from foretide.policies.flow import (
    Behavior,
    CapacityTable,
    ColdStart,
    DemandForecast,
    DemandHistory,
    Evidence,
    LatencyTarget,
    Memory,
    Mode,
    Objective,
    Pool,
    Rhythm,
    ServiceModel,
    Trust,
    WorkPerUnit,
    frozen,
)

NOW = 6000.0
TEN_PER_REPLICA = CapacityTable(replicas=(1,), per_replica=(10.0,), binding=("ttft",))
ONE_WORK_PER_REQUEST = ServiceModel(
    work=WorkPerUnit(request=1.0, prompt_token=0.0, output_token=0.0),
    capacity=TEN_PER_REPLICA,
    source="ten requests/s per replica",
    waiting_work_s=0.1,
)
OBJECTIVE = Objective(ttft=LatencyTarget(99.0, 0.5), max_violation_probability=0.01)


def history(*rates: float, trust: Trust = Trust.FRESH, step: float = 60.0, now: float = NOW) -> DemandHistory:
    """Requests/s per bin, ending now."""
    values = np.array([[rate, rate * 1000, rate * 200] for rate in rates])
    return DemandHistory(start=now - step * len(rates), step=step, values=frozen(values), trust=trust, why="a test")


def forecast(*rates: float, flagged: str = "", steps: int = 5, now: float = NOW) -> DemandForecast:
    """One path per rate, constant over the horizon."""
    paths = np.array([[[rate, rate * 1000, rate * 200]] * steps for rate in rates])
    return DemandForecast(made_at=now, step=60.0, paths=frozen(paths), weights={"given": 1.0}, flagged=flagged)


def pool(desired: int = 3, **changes: Any) -> Pool:
    found = Pool(name="main", min_replicas=1, max_replicas=50, desired=desired, ready=desired, version="7")
    return replace(found, **changes)


def evidence(**changes: Any) -> Evidence:
    """Three replicas of ten requests/s each, 25 requests/s in the past and in every path."""
    usual = Evidence(
        now=NOW,
        mode=Mode.AUTO,
        objective=OBJECTIVE,
        behavior=Behavior(),
        pool=pool(),
        history=history(*[25.0] * 20),
        forecast=forecast(*[25.0] * 100),
        backlog=None,
        service=ONE_WORK_PER_REQUEST,
        cold_start=ColdStart(median_s=90.0, sigma=0.0),
        memory=Memory(watching_since=0.0),
        rhythm=Rhythm(),
    )
    return replace(usual, **changes)
