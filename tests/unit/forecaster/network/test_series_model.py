from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.evaluate.model import Series  # noqa: E402
from foretide.forecaster.network import series_model  # noqa: E402
from foretide.forecaster.network.model import Config  # noqa: E402
from foretide.forecaster.network.schema import Transform  # noqa: E402
from foretide.forecaster.network.series_model import BEYOND, NAMES, named  # noqa: E402
from foretide.forecaster.network.train import Settings  # noqa: E402

pytestmark = pytest.mark.train
QUICK = {"settings": Settings(steps=20, batch=32, check_every=10), "members": 1, "most": 0}
SMALL = Config(width=16, context=8, hidden=8, coefficients=2)


def series(values, columns=("load", "busy")):
    return Series("a", 0.0, 600.0, columns, values)


@pytest.fixture
def shaped(rates):
    return series(rates(900, day=144)[:, :2])


@pytest.mark.parametrize("name", NAMES)
def test_every_competitor_answers_many_origins_by_finite_paths(shaped, name):
    model = named(name, **QUICK)
    model = replace(model, config=replace(model.config, width=16, context=8, hidden=8))
    fitted = model.fit(series=shaped, rows=600, horizon=3, context=36, seed=0)
    paths = fitted.paths(series=shaped, origins=np.arange(650, 690), horizon=3, count=10, seed=1)
    assert paths.shape == (40, 10, 3, 2)
    assert np.isfinite(paths).all()
    again = fitted.paths(series=shaped, origins=np.arange(650, 670), horizon=3, count=10, seed=1)
    np.testing.assert_allclose(paths[:20], again, rtol=1e-4, atol=1e-4)


def test_rows_after_an_origin_change_nothing(shaped):
    fitted = named("flow", config=SMALL, **QUICK).fit(series=shaped, rows=600, horizon=3, context=36, seed=0)
    altered = shaped.values.copy()
    altered[700:] = 77.0
    before = fitted.paths(series=shaped, origins=np.array([700]), horizon=3, count=5, seed=1)
    after = fitted.paths(series=series(altered), origins=np.array([700]), horizon=3, count=5, seed=1)
    np.testing.assert_array_equal(before, after)


def test_rows_after_the_training_part_are_not_learned_from(shaped):
    altered = shaped.values.copy()
    altered[600:] = 77.0
    answers = [
        named("flow", config=SMALL, **QUICK)
        .fit(series=one, rows=600, horizon=3, context=36, seed=0)
        .paths(series=shaped, origins=np.array([600]), horizon=3, count=5, seed=1)
        for one in (shaped, series(altered))
    ]
    np.testing.assert_array_equal(*answers)


def test_pooled_members_share_the_paths(shaped):
    fitted = named("flow", config=SMALL, **{**QUICK, "members": 2}).fit(
        series=shaped, rows=600, horizon=3, context=36, seed=0
    )
    paths = fitted.paths(series=shaped, origins=np.array([650]), horizon=3, count=10, seed=1)
    alone = replace(fitted, networks=fitted.networks[:1])
    np.testing.assert_allclose(
        paths[:, :5], alone.paths(series=shaped, origins=np.array([650]), horizon=3, count=10, seed=1)[:, :5]
    )
    assert paths.shape[1] == 10


def test_signed_and_constant_indicators_are_learned_too(rates):
    values = np.column_stack([rates(900, day=144)[:, 0] - 5.0, np.full(900, 7.0e10)])
    fitted = named("flow", config=SMALL, **QUICK).fit(series=series(values), rows=600, horizon=1, context=36, seed=0)
    assert fitted.schema.transform is Transform.LINEAR
    paths = fitted.paths(series=series(values), origins=np.array([700]), horizon=1, count=20, seed=1)
    np.testing.assert_allclose(paths[..., 1], 7.0e10, rtol=1e-6)


def test_too_few_rows_are_refused_in_one_line(shaped):
    with pytest.raises(ValueError, match="10 rows hold too few whole windows of 3 steps"):
        named("flow", **QUICK).fit(series=shaped, rows=10, horizon=3, context=36, seed=0)


def test_members_hold_back_other_stretches_and_learn_from_the_rest(rates):
    """Together they learn from all rows, and no row is in a future of both kinds."""
    values, horizon = rates(900, day=144), 3
    schema = series_model._schema(series(values, ("a", "b", "c")), horizon, 36, Transform.ASINH)
    learned, held = zip(*(series_model._stretches(values, schema, member) for member in range(3)), strict=True)
    for one, other in zip(learned, held, strict=True):
        futures = [{row + step for row in part for step in range(horizon)} for part in (one, other)]
        assert not futures[0] & futures[1]
    assert held[0].max() == 900 - horizon
    assert held[1].max() < held[0].min()
    assert max(part.max() for part in learned) == 900 - horizon
    assert set(held[0].tolist()) <= set(learned[1].tolist())


def test_a_path_leaves_what_was_seen_before_its_origin_by_no_more_than_a_share(shaped):
    fitted = named("flow", config=SMALL, **QUICK).fit(series=shaped, rows=600, horizon=3, context=36, seed=0)
    torch.nn.init.constant_(fitted.networks[0].steps.bias, 12.0)  # a network that has gone wild
    paths = fitted.paths(series=shaped, origins=np.array([700]), horizon=3, count=5, seed=1)
    low, high = shaped.values[:700].min(axis=0), shaped.values[:700].max(axis=0)
    assert (paths <= high + BEYOND * (high - low)).all()
    assert (paths >= 0.0).all()


def test_longer_series_are_trained_for_longer_up_to_a_bound():
    model = named("flow")
    steps = [model._settings(rows).steps for rows in (500, 3570, 8000, 25_000, 10**6)]
    assert steps == [350, 350, 750, 1400, 1400]
    assert [replace(model, most=0)._settings(rows).steps for rows in (500, 10**6)] == [350, 350]
