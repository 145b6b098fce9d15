"""How much a prompt token and an output token weigh in work, measured rather than derived.

A load is at its limit for many mixes of lengths. If work is to be linear in tokens, the weights must make all those
limits weigh the same: for each mix i at its largest rate r_i per replica, r_i (w_p P_i + w_o O_i) = 1. The weights are
the non-negative least-squares answer over a few mixes around the usual one, so that 1 work/s is about what one replica
carries, whatever the mix.

What is NOT promised: exactness far from the usual lengths. Measured on Azure's conversation lengths, mixes 1.4 times
longer or shorter come out within some 10 %.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls

from foretide.policies.flow import WorkPerUnit
from foretide.simulator.requests import Tokens

MIXES = ((1.0, 1.0), (1.5, 1.0), (1.0, 1.5), (0.67, 1.0), (1.0, 0.67))
"""Factors on prompt and output lengths."""

LargestRate = Callable[[Tokens, Tokens], float]
"""Requests/s per replica at which requests of these lengths just keep the promise; 0 where none do."""


def measured_weights(largest_rate: LargestRate, prompts: Tokens, outputs: Tokens) -> WorkPerUnit | None:
    """The weights; None where some mix has no feasible load, so that nothing can be compared."""
    rows = []
    for prompt_factor, output_factor in MIXES:
        longer, wordier = stretched(prompts, prompt_factor), stretched(outputs, output_factor)
        rate = largest_rate(longer, wordier)
        if rate <= 0:
            return None
        rows.append((rate * longer.mean(), rate * wordier.mean()))
    (prompt, output), _ = nnls(np.array(rows), np.ones(len(rows)))
    return WorkPerUnit(0.0, float(prompt), float(output))


def stretched(lengths: Tokens, factor: float) -> Tokens:
    """Lengths times a factor, whole and at least 1."""
    return np.asarray(np.maximum(1, np.rint(lengths * factor)), dtype=np.int64)
