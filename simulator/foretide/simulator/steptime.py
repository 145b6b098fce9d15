"""What a step takes on one deployment, in seconds: the two-branch linear form fitted to kernel tables.

    decode:  a + b n + c C            prefill:  a' + b' (p + n) + 2 c' sum(chunk (before + chunk / 2)) + c C

with n decodes of C context tokens in all and p prefill tokens; a mixed step takes the larger (papers.md 3.1). A
mixture of experts adds its expert term to the decode branch only: a' was fitted to whole prefill steps, which read
every expert already.
"""

from collections.abc import Iterable
from math import inf

from foretide.policies.service import StepCost
from foretide.simulator.job import Job
from foretide.simulator.profiles import Deployment

FITTED_TO = 8192
"""Longest prompt behind the coefficients. Where the fit gave c' < 0, attention saves no more beyond this context: the
time of a step would otherwise fall below zero."""


def step_cost(deployment: Deployment) -> StepCost:
    """The same for policies, which know no profiles; at the deployment's own speed factor."""
    steps, speed = deployment.profile.steps, deployment.speed_factor / 1000.0
    a, b, c = steps.decode_a_ms * speed, steps.decode_b_ms * speed, steps.decode_c_ms * speed
    crowded = None
    if steps.crowded is not None:
        above, *line = steps.crowded
        crowded = (float(above), line[0] * speed, line[1] * speed, line[2] * speed)
    return StepCost(
        decode=(a, b, c),
        prefill=(steps.prefill_a_ms * speed, steps.prefill_b_ms * speed, 2.0 * steps.prefill_c_ms * speed),
        chunk=deployment.chunk,
        experts=(steps.expert_d_ms * speed, steps.expert_share),
        crowded=crowded,
    )


class StepTime:
    """Step times by the number of decodes, kept once asked for."""

    __slots__ = ("_fixed", "_per_context", "_prefill", "_reach", "_speed", "_steps")

    def __init__(self, deployment: Deployment) -> None:
        steps = self._steps = deployment.profile.steps
        speed = self._speed = deployment.speed_factor / 1000.0
        self._prefill = (steps.prefill_a_ms * speed, steps.prefill_b_ms * speed, 2.0 * steps.prefill_c_ms * speed)
        self._reach = inf if steps.prefill_c_ms >= 0 else float(FITTED_TO)
        self._fixed: list[float] = []
        self._per_context: list[float] = []

    def decode(self, decodes: int, context: int) -> float:
        """A step of decodes alone."""
        if decodes >= len(self._fixed):
            self._learn(decodes)
        return self._fixed[decodes] + self._per_context[decodes] * context

    def growth(self, decodes: int) -> float:
        """How much longer each further step of the same decodes takes."""
        if decodes >= len(self._fixed):
            self._learn(decodes)
        return self._per_context[decodes] * decodes

    def mixed(self, chunks: Iterable[tuple[Job, int]], decodes: int, context: int) -> float:
        """A step that computes chunks of prompts, with decodes or without."""
        a, b, twice_c = self._prefill
        tokens, pairs, reach = decodes, 0.0, self._reach
        for job, count in chunks:
            tokens += count
            pairs += count * min(job.computed + count / 2.0, reach)
        prefill = a + b * tokens + twice_c * pairs
        if not decodes:
            return prefill
        decode = self.decode(decodes, context)
        return max(prefill + self._per_context[decodes] * context, decode)

    def _learn(self, decodes: int) -> None:
        for n in range(len(self._fixed), decodes + 1):
            fixed, per_context = self._steps.decode_line(n)
            self._fixed.append(fixed * self._speed)
            self._per_context.append(per_context * self._speed)
