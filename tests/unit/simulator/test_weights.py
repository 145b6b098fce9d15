import numpy as np
import pytest

from foretide.simulator.requests import Tokens
from foretide.simulator.weights import measured_weights, stretched

PROMPTS, OUTPUTS = np.array([500, 1500]), np.array([100, 300])


def test_weights_that_are_truly_linear_are_found_again() -> None:
    def largest_rate(prompts: Tokens, outputs: Tokens) -> float:
        return 1.0 / (3e-5 * float(prompts.mean()) + 2e-4 * float(outputs.mean()))

    weights = measured_weights(largest_rate, PROMPTS, OUTPUTS)
    assert weights is not None
    assert (weights.request, weights.prompt_token, weights.output_token) == pytest.approx((0.0, 3e-5, 2e-4), rel=0.01)


def test_an_objective_that_no_load_keeps_has_no_weights() -> None:
    assert measured_weights(lambda *_: 0.0, PROMPTS, OUTPUTS) is None


def test_no_weight_is_negative_even_where_longer_answers_carry_more() -> None:
    weights = measured_weights(lambda prompts, outputs: float(outputs.mean() / prompts.mean()), PROMPTS, OUTPUTS)
    assert weights is not None
    assert min(weights.prompt_token, weights.output_token) >= 0.0


def test_lengths_stay_whole_and_positive() -> None:
    assert stretched(np.array([1, 3, 10]), 0.3).tolist() == [1, 1, 3]
