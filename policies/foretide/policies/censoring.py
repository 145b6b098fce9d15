"""Where measured demand may be less than what was asked for: requests turned away, given up, or hidden by a full queue.

A row is censored where
- requests were turned away: whoever sent them may have gone, or come back several times;
- clients gave up (more than `GAVE_UP` of what finished was aborted) while requests queued most of the time;
- requests queued most of the time, or an engine's queue stood still at its limit while it worked, and what is turned
  away is not exposed: beyond a full queue, demand leaves no trace.

What is NOT promised: that an uncensored row is all that was asked for. What a gateway refuses never gets here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.policies.service import Floats

MOSTLY = 0.5
"""Share of the engines' measured time with a queue from which on a fleet counts as saturated."""
GAVE_UP = 0.05
FULL_QUEUE = 10.0
"""A queue this long that is exactly as long at every scrape, while requests finish, is held there by a limit."""
STANDS = 0.9
"""Share of an engine's measured time for which its queue must have stood still."""
NOT_EXPOSED = "requests that are turned away are not exposed (http_requests_total of the engines' /v1 handlers)"


@dataclass(frozen=True, slots=True, eq=False)
class Pressure:
    """Sums per grid bin over all engines, (bins,) each: requests, seconds of engines, and engines with a full queue."""

    rejected: Floats
    aborted: Floats
    finished: Floats
    queued_s: Floats
    measured_s: Floats
    unseen_s: Floats
    """Of `measured_s`, by engines that do not expose what they turn away."""
    full: Floats


def queued(waiting: Floats) -> NDArray[np.bool_]:
    """Per interval between samples, (n - 1,): whether something waited at both ends."""
    return np.asarray((waiting[:-1] >= 1) & (waiting[1:] >= 1))


def at_limit(waiting: Floats, finished: Floats) -> NDArray[np.bool_]:
    """Per interval, (n - 1,): whether a long queue stood still while requests finished."""
    still = (waiting[:-1] == waiting[1:]) & (waiting[1:] >= FULL_QUEUE)
    return np.asarray(still & (np.diff(finished) > 0))


def censored(seen: Pressure) -> tuple[Floats, str]:
    """1 where a bin's demand may be more than was measured, else 0, (bins,); and why, of the newest such bin, in words.

    Without such a bin the words say what could not have been noticed; empty where nothing.
    """
    saturated = (seen.measured_s > 0) & (seen.queued_s >= MOSTLY * seen.measured_s)
    unseen = seen.unseen_s > 0
    reasons = (
        (seen.rejected > 1e-9, "requests were turned away"),
        ((seen.aborted > GAVE_UP * seen.finished) & saturated, "clients gave up on requests that queued"),
        (unseen & (saturated | (seen.full > 0)), f"queues stand, and {NOT_EXPOSED}"),
    )
    flags = np.zeros(len(unseen), dtype=np.bool_)
    why = NOT_EXPOSED if unseen.any() else ""
    newest = -1
    for holds, words in reasons:
        flags |= holds
        if holds.any() and int(np.flatnonzero(holds)[-1]) > newest:
            newest, why = int(np.flatnonzero(holds)[-1]), words
    return flags.astype(np.float64), why
