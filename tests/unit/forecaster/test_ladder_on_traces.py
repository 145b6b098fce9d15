"""The ladder on real minute series: it must beat last value, keep up with its best tier, and cover.

Two public request series serve as development data: what holds here is a floor, not a claim about other traffic.
"""

import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foretide.forecaster.ladder import Ladder
from foretide.forecaster.past import Past
from foretide.forecaster.scoring import covered, crps
from foretide.policies.flow import DemandHistory, Floats, Trust, frozen

SERIES = {"twitter_stream_1min": "messages", "nasa_http_requests_1min": "requests"}
HORIZON, TWO_DAYS = 10, 2880
STRETCHES, ORIGINS, EVERY = (0.3, 0.5, 0.7), 100, 7
"""Where each stretch of forecast origins begins in a series, how many it has, and how many minutes lie between. None
reaches into the last fifth, which is for evaluations alone."""


class Watched(Ladder):
    """A ladder that shows the paths of each tier behind its latest forecast."""

    drawn: dict[str, Floats]

    def _drawn(self, past: Past, bound: Floats, horizon: int, count: int, seed: int) -> dict[str, Floats]:
        self.drawn = super()._drawn(past, bound, horizon, count, seed)
        return self.drawn


def read(name: str) -> Floats:
    folder = os.environ.get("FORETIDE_DATA")
    if not folder:
        pytest.skip(f"FORETIDE_DATA is not set: series/{name}.csv.gz was not checked")
    path = Path(folder) / "series" / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is absent from FORETIDE_DATA/series")
    rate = pd.read_csv(path)[SERIES[name]].to_numpy(np.float64) / 60
    return np.asarray(np.column_stack([rate, 1000 * rate, 200 * rate]))


@pytest.mark.data
@pytest.mark.parametrize("name", SERIES)
def test_the_pool_is_as_good_as_its_best_tier_and_better_than_last_value(name: str) -> None:
    values = read(name)
    scores: dict[str, list[float]] = defaultdict(list)
    inside: list[Floats] = []
    for stretch in STRETCHES:
        begin, ladder = int(stretch * len(values)), Watched()
        for end in range(begin, begin + ORIGINS * EVERY, EVERY):
            actual = values[end : end + HORIZON, 0]
            told = DemandHistory((end - TWO_DAYS) * 60.0, 60.0, frozen(values[end - TWO_DAYS : end]), Trust.FRESH)
            made = ladder.forecast(history=told, horizon=HORIZON, paths=256, seed=end)
            if made is None or made.flagged or np.isnan(actual).any() or len(ladder.drawn) < 4:
                continue
            inside.append(covered(made.paths[:, :, 0], actual, level=0.8))
            for tier, paths in ({"pool": made.paths} | ladder.drawn).items():
                scores[tier].append(float(crps(paths[:, :, 0], actual).mean()))
            scores["last value"].append(float(np.abs(values[end - 1, 0] - actual).mean()))
    mean = {tier: float(np.mean(each)) for tier, each in scores.items()}
    pool, last_value = mean.pop("pool"), mean.pop("last value")
    assert len(inside) > ORIGINS
    assert pool <= 1.05 * min(mean.values()), mean
    assert pool < last_value
    assert 0.74 <= np.mean(inside) <= 0.88
