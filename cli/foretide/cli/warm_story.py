"""What `foretide explain` says of a target's warmth."""

from collections.abc import Mapping
from typing import Any


def warm_lines(told: Mapping[str, Any]) -> list[str]:
    """What standing ready for nobody cost and what cold starts did, in two lines; none where nothing was kept."""
    if not told:
        return []
    idle = ", ".join(f"{tier} {hours}" for tier, hours in (told.get("idleGPUHours") or {}).items()) or "0"
    ended, below = told.get("podsEnded", 0), told.get("podsUtilityBelow1", 0)
    wakes = "; ".join(
        f"from {one['tier']} {one['mean']} on average of {one['count']}, last {one['last']}"
        for one in told.get("wakes") or ()
    )
    started = f"; time to ready: {wakes}" if wakes else ""
    cold = f"requests that met a cold start: at least {told.get('coldStartedRequests', 0)}"
    return [
        f"  warmth since {told.get('since')}: GPU-hours kept while nobody asked: {idle}; {cold}",
        f"  {below} of {ended} pods that went were of less use than their start took{started}",
    ]
