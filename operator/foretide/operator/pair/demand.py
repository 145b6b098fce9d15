"""What users ask of two pools together: every request counted once, where it arrives, which is the prefill pool.

Arrivals and prompts are those of the prefill replicas. How much is generated only the decode replicas know: their mean
output per request, by bin, is taken for all that arrives. A decode pool that falls behind therefore hides no demand.

What is NOT promised: demand without either pool's metrics. A bin is known where the prefill pool's is, and once the
decode pool has finished any request.
"""

from dataclasses import replace

import numpy as np

from foretide.policies.flow import OUTPUT_TOKENS, REQUESTS, DemandHistory, Floats, Trust, frozen

WORST_FIRST = (Trust.ABSENT, Trust.INVALID, Trust.STALE, Trust.PARTIAL, Trust.FRESH)


def joined(prefill: DemandHistory, decode: DemandHistory) -> DemandHistory:
    """Demand on the prefill pool's grid; trusted as far as the pool that is trusted less."""
    values = prefill.values.copy()
    lengths = _lengths_at(prefill, decode)
    requests = values[:, REQUESTS]
    values[:, OUTPUT_TOKENS] = np.where(requests == 0, 0.0, requests * lengths)
    values[~np.isfinite(values).all(axis=1)] = np.nan
    worse = min((prefill, decode), key=lambda one: WORST_FIRST.index(one.trust))
    role = "prefill" if worse is prefill else "decode"
    return replace(
        prefill,
        values=frozen(values),
        trust=worse.trust,
        why=f"{role} pool: {worse.why}" if worse.why else "",
        censored=frozen(np.maximum(prefill.flags, _at(prefill, decode, decode.flags, 0.0))),
        hidden=prefill.hidden or decode.hidden,
    )


def _lengths_at(prefill: DemandHistory, decode: DemandHistory) -> Floats:
    """Output tokens per request in each of the prefill pool's bins; where none ended, as last known before."""
    requests, outputs = decode.values[:, REQUESTS], decode.values[:, OUTPUT_TOKENS]
    busy = np.isfinite(requests) & (requests > 0)
    found = np.full(len(requests), np.nan)
    found[busy] = outputs[busy] / requests[busy]
    laid = _at(prefill, decode, found, np.nan)
    known = np.flatnonzero(np.isfinite(laid))
    if not len(known):
        last = found[np.isfinite(found)]
        return np.full(len(laid), last[-1] if len(last) else np.nan)
    # Before the first, as the first: a request that has not ended yet is generated like those that have.
    before = np.maximum(np.searchsorted(known, np.arange(len(laid)), side="right") - 1, 0)
    return np.asarray(laid[known[before]], dtype=np.float64)


def _at(grid: DemandHistory, other: DemandHistory, rows: Floats, missing: float) -> Floats:
    """`rows` of `other`, on the bins of `grid`; both are aligned to multiples of the same step."""
    laid = np.full(len(grid.values), missing)
    index = np.arange(len(rows)) + round((other.start - grid.start) / grid.step)
    inside = (index >= 0) & (index < len(laid))
    laid[index[inside]] = rows[inside]
    return laid
