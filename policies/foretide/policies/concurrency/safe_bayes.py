"""Safe contextual Bayesian optimisation of the limit: a Gaussian process over the ratio to n* and the lengths of late.

What is learnt is the goodput of a window over the rate that the service model expects of a full batch at n*, a number
near 1 for any lengths, so that what one kind of traffic taught serves the next. Chosen is the notch with the highest
upper bound among those whose lower bound is at most `slack` below what n* is expected to give (after SafeOpt, Sui,
Gotovos, Burdick and Krause, ICML 2015; their expanders and Lipschitz constant are left out). No draws: the same windows
give the same limits.

What is NOT promised: safety while nothing is known, or through a sudden change. That is the shield's affair.
"""

from collections import deque
from dataclasses import dataclass
from math import isfinite, log2

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.notches import REACH, at_notch, notch_of
from foretide.policies.concurrency.window import Bounds, State, Window
from foretide.policies.service import Floats

NOTCHES = np.arange(-REACH, REACH + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The process and how it is used; chosen on development traffic."""

    amplitude: float = 0.3
    """Standard deviation of the curve around its mean."""
    noise: float = 0.1
    """Standard deviation of one window."""
    notches: float = 4.0
    """Length scale in notches."""
    octaves: float = 1.5
    """Length scale in octaves of prompt and of output tokens."""
    bold: float = 1.0
    """Standard deviations of the upper bound."""
    cautious: float = 1.0
    """Standard deviations of the lower bound."""
    slack: float = 0.1
    """What a choice may be expected to lose against n*, in shares of the rate expected of a full batch at n*."""
    kept: int = 160
    """Windows remembered."""


class SafeBayes:
    """Rows remembered: (notch, log2 prompt, log2 output, relative goodput)."""

    def __init__(self, rule: Rule, *, bounds: Bounds, surrogate: Surrogate | None = None) -> None:
        self.name = "bandit"
        self._rule, self._bounds, self._surrogate = rule, bounds, surrogate or Surrogate()
        self._rows: deque[tuple[float, float, float, float]] = deque(maxlen=self._surrogate.kept)
        self._best: float | None = None

    def act(self, seen: Window | None) -> int:
        self._rule.act(seen)
        self._best = self._rule.unbounded
        if self._rule.lengths is None or not self._rows:
            return self._bounds.clip(self._best)
        return self._bounds.clip(at_notch(self._best, self._chosen()))

    def learn(self, outcome: Window) -> None:
        """Windows before lengths are known, and those in which nothing was asked, teach nothing."""
        expected, lengths = self._rule.expected(), self._rule.lengths
        if self._best is None or expected is None or lengths is None or outcome.attainment is None:
            return
        relative = outcome.good / outcome.seconds / expected
        notch = notch_of(outcome.limit, self._best)
        if isfinite(relative):
            self._rows.append((notch, log2(lengths.prompt), log2(lengths.output), relative))

    def state(self) -> State:
        return {"rows": [list(row) for row in self._rows], "rule": dict(self._rule.state()), "best": self._best}

    def restore(self, state: State) -> None:
        rows, rule, best = state["rows"], state["rule"], state["best"]
        assert isinstance(rows, list)
        assert isinstance(rule, dict)
        self._rows.clear()
        self._rows.extend((float(n), float(p), float(o), float(y)) for n, p, o, y in rows)
        self._rule.restore(rule)
        self._best = None if best is None else float(str(best))

    def _chosen(self) -> float:
        mean, sd = self.believed()
        surrogate, baseline = self._surrogate, float(mean[REACH])
        safe = mean - surrogate.cautious * sd >= baseline - surrogate.slack
        safe[REACH] = True
        return float(NOTCHES[int(np.argmax(np.where(safe, mean + surrogate.bold * sd, -np.inf)))])

    def believed(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of relative goodput at each notch and the lengths of late, (2 REACH + 1,) each.

        Raises ValueError before anything was learnt.
        """
        lengths = self._rule.lengths
        if lengths is None or not self._rows:
            raise ValueError("windows: 0: learn from at least one before asking")
        surrogate, rows = self._surrogate, np.array(self._rows)
        here = np.tile([0.0, log2(lengths.prompt), log2(lengths.output)], (len(NOTCHES), 1))
        here[:, 0] = NOTCHES
        known, level = self._scaled(rows[:, :3]), float(rows[:, 3].mean())
        covariance = self._kernel(known, known) + surrogate.noise**2 * np.eye(len(rows))
        factor = cho_factor(covariance, lower=True)
        across = self._kernel(self._scaled(here), known)
        mean = level + across @ cho_solve(factor, rows[:, 3] - level)
        explained = np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
        return mean, np.sqrt(np.maximum(surrogate.amplitude**2 - explained, 0.0))

    def _scaled(self, places: Floats) -> Floats:
        octaves = self._surrogate.octaves
        return np.asarray(places / np.array([self._surrogate.notches, octaves, octaves]), dtype=np.float64)

    def _kernel(self, left: Floats, right: Floats) -> Floats:
        squares = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(self._surrogate.amplitude**2 * np.exp(-squares / 2.0), dtype=np.float64)
