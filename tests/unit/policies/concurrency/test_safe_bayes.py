"""The surrogate against a direct solution of the same equations, and what it chooses on curves whose best is known."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from shown import LINEAR, shown

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.notches import REACH, at_notch, notch_of
from foretide.policies.concurrency.safe_bayes import SafeBayes, Surrogate
from foretide.policies.concurrency.window import Bounds, Window

BOUNDS = Bounds(4, 512)
BEST = 190
"""n* at the lengths of `shown`."""


def agent(surrogate: Surrogate | None = None) -> SafeBayes:
    return SafeBayes(Rule(LINEAR, tpot_s=0.05, bounds=BOUNDS), bounds=BOUNDS, surrogate=surrogate)


def taught(curve: Callable[[float], float], *, windows: int = 40) -> list[int]:
    """Limits that an agent chooses where goodput follows the curve over limit / n*."""
    one, limits = agent(), []
    seen: Window | None = shown(limit=BEST, good=round(600 * curve(1.0)), ended=600)
    for _ in range(windows):
        limits.append(one.act(seen))
        seen = shown(limit=limits[-1], good=round(600 * curve(limits[-1] / BEST)), ended=600)
        one.learn(seen)
    return limits


def test_it_begins_with_n_star() -> None:
    assert agent().act(shown()) == BEST


@pytest.mark.parametrize("best", [0.6, 0.8, 1.0, 1.3, 1.6])
def test_it_finds_the_top_of_a_smooth_curve(best: float) -> None:
    def curve(ratio: float) -> float:
        return 0.9 - 1.5 * np.log(ratio / best) ** 2

    late = taught(curve)[-10:]
    assert min(curve(limit / BEST) for limit in late) >= 0.97 * 0.9


def test_it_does_not_leap_beyond_a_cliff_to_look() -> None:
    limits = taught(lambda ratio: 0.8 * ratio if ratio <= 1.05 else 0.0)
    assert max(limits) <= BEST * 1.1**3
    assert sum(limit > 1.05 * BEST for limit in limits) <= 6


def test_what_is_believed_solves_the_equations_of_a_gaussian_process() -> None:
    surrogate, one = Surrogate(), agent()
    for notch, good in ((0, 400), (2, 500), (-3, 300)):
        one.act(shown())
        one.learn(shown(limit=BOUNDS.clip(at_notch(BEST, notch)), good=good, ended=600))
    state = one.state()["rows"]
    assert isinstance(state, list)
    rows = np.array(state)
    at = np.arange(-REACH, REACH + 1) / surrogate.notches
    x, y = rows[:, 0] / surrogate.notches, rows[:, 3]

    def kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return surrogate.amplitude**2 * np.exp(-0.5 * np.subtract.outer(left, right) ** 2)

    inverse = np.linalg.inv(kernel(x, x) + surrogate.noise**2 * np.eye(3))
    mean, sd = one.believed()
    np.testing.assert_allclose(mean, y.mean() + kernel(at, x) @ inverse @ (y - y.mean()), atol=1e-9)
    variance = surrogate.amplitude**2 - np.diag(kernel(at, x) @ inverse @ kernel(x, at))
    np.testing.assert_allclose(sd, np.sqrt(variance), atol=1e-7)


def test_windows_without_lengths_or_requests_teach_nothing() -> None:
    one = agent()
    one.learn(shown())  # before the first choice
    one.act(None)
    one.learn(shown(ended=0, good=0))
    with pytest.raises(ValueError, match="windows: 0: learn from at least one"):
        one.believed()


def test_it_survives_a_restart() -> None:
    one = agent()
    for good in (300, 350, 280):
        one.learn(shown(limit=one.act(shown()), good=good))
    again = agent()
    again.restore(json.loads(json.dumps(one.state())))
    assert again.act(shown(prompt=2000.0)) == one.act(shown(prompt=2000.0))
    np.testing.assert_array_equal(again.believed(), one.believed())


def test_a_notch_is_a_tenth() -> None:
    assert at_notch(100.0, 1) == pytest.approx(110.0)
    assert notch_of(at_notch(100.0, -3), 100.0) == pytest.approx(-3.0)
