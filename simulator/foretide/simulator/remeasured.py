"""Capacity for the lengths of late, measured anew in a run as the operator does it beside its loop.

What is NOT promised: the new shape of lengths. Those that were learned from are stretched to the new means.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from foretide.policies.flow import DemandHistory, Objective, ServiceModel
from foretide.policies.lengths import Lengths, mean_lengths
from foretide.simulator.capacity import service_model
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import Tokens

MEASURING_S = 60.0
"""From asking to knowing: about what the operator's worker needs for one measurement on one core."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Lengths that a service model was measured with, and how to measure again. Arrays of one length n."""

    deployment: Deployment
    objective: Objective
    prompt_tokens: Tokens
    output_tokens: Tokens
    seed: int = 0
    cache: Path | None = None

    @property
    def means(self) -> tuple[float, float]:
        return float(self.prompt_tokens.mean()), float(self.output_tokens.mean())

    def stretched(self, by: tuple[float, float]) -> ServiceModel:
        """The service model with prompts and outputs so many times as long, within what a replica's cache holds."""
        room = self.deployment.room
        prompts, outputs = (
            np.clip(np.rint(tokens * factor), 1, room // 2).astype(np.int64)
            for tokens, factor in zip((self.prompt_tokens, self.output_tokens), by, strict=True)
        )
        return service_model(
            deployment=self.deployment,
            objective=self.objective,
            prompt_tokens=prompts,
            output_tokens=outputs,
            seed=self.seed,
            cache=self.cache,
        )


@dataclass(slots=True)
class Remeasured:
    """The service model of one run, from plan to plan."""

    learned: Learned
    first: ServiceModel
    _lengths: Lengths | None = None
    _asked_at: float = 0.0
    _known: dict[Lengths, ServiceModel] = field(default_factory=dict)
    _standing: ServiceModel | None = None

    def of(self, history: DemandHistory, *, now: float) -> ServiceModel:
        """For the lengths of late: what stood, until the measurement that they ask for is done."""
        lengths = mean_lengths(history, self._lengths or self._nearest())
        if lengths is None:
            return self._standing or self.first
        if lengths != self._lengths:
            self._lengths, self._asked_at = lengths, now
        if self._standing is None and self._is_as_learned(lengths):
            return self.first
        if lengths in self._known or now - self._asked_at >= MEASURING_S:
            self._standing = self._measured(lengths)
        return self._standing or self.first

    def _nearest(self) -> Lengths:
        prompt, output = (int(2 ** round(float(np.log2(max(1.0, mean))))) for mean in self.learned.means)
        return prompt, output

    def _is_as_learned(self, lengths: Lengths) -> bool:
        return lengths == self._nearest()

    def _measured(self, lengths: Lengths) -> ServiceModel:
        if lengths not in self._known:
            if self._is_as_learned(lengths):
                self._known[lengths] = self.first
            else:
                prompt, output = (new / old for new, old in zip(lengths, self._nearest(), strict=True))
                found = self.learned.stretched((prompt, output))
                told = f"{found.source}, for {lengths[0]} prompt and {lengths[1]} output tokens"
                self._known[lengths] = replace(found, source=told)
        return self._known[lengths]
