"""A network that is kept is the one that would be trained; anything that decides its weights is another network."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.evaluate.model import Series  # noqa: E402
from foretide.forecaster.network.kept import Kept  # noqa: E402
from foretide.forecaster.network.model import Config  # noqa: E402
from foretide.forecaster.network.series_model import named  # noqa: E402
from foretide.forecaster.network.train import Settings  # noqa: E402

pytestmark = pytest.mark.train
SMALL = Config(width=16, context=8, hidden=8, coefficients=2)
QUICK = Settings(steps=6, batch=16, check_every=3, check_paths=8)


def answered(values, kept, *, seed=0, rows=600, settings=QUICK):
    series = Series("a", 0.0, 600.0, ("load", "busy"), values)
    model = named("flow", config=SMALL, settings=settings, kept=kept, members=1, most=0)
    fitted = model.fit(series=series, rows=rows, horizon=2, context=36, seed=seed)
    return fitted.paths(series=series, origins=np.array([700]), horizon=2, count=4, seed=1)


def test_what_is_fitted_twice_is_trained_once_and_answers_the_same(rates, tmp_path):
    values = rates(900, day=144)[:, :2]
    fresh, kept = answered(values, None), Kept(tmp_path)
    first = answered(values, kept)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    np.testing.assert_array_equal(first, fresh)
    np.testing.assert_array_equal(answered(values, kept), fresh)
    assert [(path, path.stat().st_mtime_ns) for path in tmp_path.iterdir()] == [(file, written)]


def test_other_rows_seeds_or_settings_are_another_network(rates, tmp_path):
    values, kept = rates(900, day=144)[:, :2], Kept(tmp_path)
    answered(values, kept)
    altered = values.copy()
    altered[599] += 1.0
    for changes in ({"seed": 1}, {"rows": 598}, {"settings": replace(QUICK, rate=1e-3)}):
        answered(values, kept, **changes)
    answered(altered, kept)
    assert len(list(tmp_path.glob("*.safetensors"))) == 5


def test_rows_after_the_training_part_are_no_part_of_the_name(rates, tmp_path):
    values, kept = rates(900, day=144)[:, :2], Kept(tmp_path)
    answered(values, kept)
    altered = values.copy()
    altered[600:] += 1.0
    answered(altered, kept)
    assert len(list(tmp_path.iterdir())) == 1
