"""What is shipped is what its card says, and answers with finite paths; that it forecasts well is not claimed here."""

from pathlib import Path

import numpy as np
import pytest

from foretide.forecaster.network import shipped
from foretide.forecaster.network.features import to_demand, window
from foretide.forecaster.network.schema import HEADS
from foretide.forecaster.network.session import noise_of, opened

FOLDER = Path(str(shipped.__path__[0]))
MOST_BYTES = 5_000_000


@pytest.mark.parametrize("head", sorted(HEADS))
def test_the_shipped_network_passes_every_check_and_draws_demand(head: str) -> None:
    schema, session = HEADS[head], opened(FOLDER, head)
    rng = np.random.default_rng(3)
    seen = window(rng.gamma(2.0, 3.0, (400, 3)), np.array([12, 400]), schema, start_s=0.0)
    paths = session.paths(seen.arrays, noise_of([1, 2], 64, schema))
    demand = to_demand(paths, seen.frame, schema)
    assert demand.shape == (2, 64, schema.horizon, 3)
    assert np.isfinite(demand).all()
    assert demand.min() >= 0
    assert demand.std(axis=1).min() > 0


def test_the_shipped_networks_are_small_and_name_data_that_may_be_used() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < MOST_BYTES
    for head in HEADS:
        licences = {source.licence for source in opened(FOLDER, head).card.data}
        assert licences <= {"Apache-2.0", "CC-BY-4.0", "MIT"}
