"""What each demand path needs of each pool, by itself.

More replicas never break a path that fewer carry, so a path is known by the fewest that carry it. The probability that
a pair of counts breaks the promise is then the share of paths that need more of either: TTFT breaks in the one pool,
TPOT in the other, and a path that breaks both counts once.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from foretide.policies.accepted_risk import broken_paths
from foretide.policies.ahead import Ahead, ahead_of
from foretide.policies.flow import PROMPT_TOKENS, CapacityTable, Evidence, Floats
from foretide.policies.pair.setting import Counts, PairEvidence

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Needs:
    """Fewest replicas that carry each path, per pool: (K,) each, of the same paths in the same order."""

    prefill: Whole
    decode: Whole

    def probability(self, counts: Counts) -> float:
        """Share of paths on which TTFT or TPOT breaks."""
        return float(((self.prefill > counts.prefill) | (self.decode > counts.decode)).mean())


def needs_of(evidence: PairEvidence) -> Needs:
    """Both pools' needs over the planning horizon of each. Raises ValueError without a forecast."""
    return Needs(
        _pool_needs(evidence.prefill, evidence.transfer.sent),
        _pool_needs(evidence.decode, evidence.transfer.fetched),
    )


def _pool_needs(evidence: Evidence, link: float) -> Whole:
    if evidence.forecast is None:
        raise ValueError("forecast: none: needs are of demand paths")
    ahead, most = ahead_of(evidence, evidence.forecast), evidence.pool.max_replicas
    carried = fewest_per_path(ahead, evidence.service.capacity, most=most)
    prompts = evidence.forecast.paths[:, : ahead.work.shape[1], PROMPT_TOKENS]
    return np.maximum(carried, _links(prompts, link, most))


def fewest_per_path(ahead: Ahead, capacity: CapacityTable, *, most: int) -> Whole:
    """Fewest replicas that do not break a path; `most` + 1 where none do."""
    needed = np.full(len(ahead.work), most + 1, dtype=np.int64)
    open_paths = np.arange(len(needed))
    for count in range(most + 1):
        rest = Ahead(ahead.work[open_paths], ahead.requests[open_paths], ahead.window, ahead.step)
        broken = broken_paths(rest, capacity, count)
        needed[open_paths[~broken]] = count
        open_paths = open_paths[broken]
        if not len(open_paths):
            break
    return needed


def _links(prompts: Floats, link: float, most: int) -> Whole:
    """Replicas whose links carry the busiest bin of each path."""
    if link == inf:
        return np.zeros(len(prompts), dtype=np.int64)
    wanted = np.ceil(prompts.max(axis=1) / link - 1e-9)
    return np.asarray(np.minimum(wanted, most + 1), dtype=np.int64)
