import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.loss import choice_score, crps, energy_score  # noqa: E402
from foretide.forecaster.scoring import crps as crps_of_one  # noqa: E402

pytestmark = pytest.mark.train


def test_the_crps_is_that_of_the_rest_of_the_forecaster():
    paths, actual = torch.randn(3, 20, 5, 2), torch.randn(3, 5, 2)
    found = crps(paths, actual)
    for row in range(3):
        for column in range(2):
            expected = crps_of_one(paths[row, :, :, column].double().numpy(), actual[row, :, column].double().numpy())
            np.testing.assert_allclose(found[row, :, column].numpy(), expected, atol=1e-5)


def test_the_energy_score_of_one_dimension_is_the_crps():
    paths, actual = torch.randn(2, 8, 1, 1), torch.randn(2, 1, 1)
    shifts = torch.stack([(paths - paths.roll(k, 1)).abs().mean(1) for k in range(1, 5)]).mean(0)
    expected = (paths - actual[:, None]).abs().mean(1) - 0.5 * shifts
    torch.testing.assert_close(energy_score(paths, actual), expected[:, 0, 0], atol=1e-3, rtol=0)


def test_a_forecast_of_the_truth_is_chosen_over_one_beside_it():
    generator = torch.Generator().manual_seed(0)
    actual = torch.randn(400, 6, 1, generator=generator)
    honest = torch.randn(400, 64, 6, 1, generator=generator)
    scores = [choice_score(paths, actual).mean() for paths in (honest, honest + 0.7, 0.3 * honest, 3 * honest)]
    assert scores[0] == min(scores)
