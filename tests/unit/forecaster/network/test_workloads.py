import numpy as np

from foretide.forecaster.network.workloads import from_counts, generated


def test_generated_demand_is_possible_and_seeded():
    for seed in range(25):
        made = [generated(rows=2000, step_s=60.0, rng=np.random.default_rng(seed)) for _ in range(2)]
        np.testing.assert_array_equal(made[0].values, made[1].values)
        assert made[0].values.shape == (2000, 3)
        assert np.isfinite(made[0].values).all()
        assert (made[0].values >= 0).all()


def test_generated_workloads_differ_in_size_and_shape():
    rows = [generated(rows=3000, step_s=60.0, rng=np.random.default_rng(seed)).values[:, 0] for seed in range(60)]
    means = np.array([row.mean() for row in rows])
    spread = np.array([row.std() for row in rows]) / np.maximum(means, 1e-9)
    assert means.max() > 1000 * means.min()
    assert np.quantile(spread, 0.9) > 3 * np.quantile(spread, 0.1)
    assert any((row == 0).mean() > 0.3 for row in rows)


def test_without_requests_there_are_no_tokens():
    counts = np.array([0.0, 2.0, 0.0, 5.0])
    made = from_counts("counts", counts, step_s=60.0, start_s=np.nan, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(made.values[:, 0], counts)
    assert ((made.values[:, 1:] > 0) == (counts > 0)[:, None]).all()
