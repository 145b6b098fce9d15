"""Token gaps of a view's engines between two looks, as a Prometheus would give them beside the other counters.

What is NOT promised: gaps of tokens under way. The simulator counts a request's gaps when it ends.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from foretide.policies.flow import frozen
from foretide.policies.speed import Pace, paces_of
from foretide.simulator.autoscaler import View


@dataclass(slots=True)
class TokenGaps:
    """Remembers, by engine, the count and sum of gaps at the last look."""

    _at: float | None = None
    _told: dict[str, tuple[float, float]] = field(default_factory=dict)

    def paces(self, view: View) -> tuple[Pace, ...]:
        """What the engines showed since the last look; none at the first."""
        since, until = self._at, view.scraped_at
        told = {name: (seen.gaps.count, seen.gaps.sum) for name, seen in view.histograms().items()}
        before, self._told, self._at = self._told, told, until
        if since is None or until is None or until <= since:
            return ()
        samples = view.samples()
        with_gaps = {}
        for name, (count, seconds) in told.items():
            if name in samples:
                was_count, was_seconds = before.get(name, (0.0, 0.0))
                at = samples[name].at
                with_gaps[name] = replace(
                    samples[name],
                    gaps=frozen(np.interp(at, (since, until), (was_count, count))),
                    gap_s=frozen(np.interp(at, (since, until), (was_seconds, seconds))),
                )
        return paces_of(with_gaps, since=since)
