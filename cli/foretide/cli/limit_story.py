"""What `foretide explain` says of the concurrency limit: two lines at most, and none where nothing is tuned."""

from collections.abc import Mapping
from typing import Any


def limit_lines(spec: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """`told` is the tuner's part of the status."""
    if not told:
        fix = "start one with `foretide tuner`, or set the chart's tuner.enabled"
        return [f"  concurrency: no tuner has looked at it yet; {fix}"] if spec.get("concurrency") else []
    limit, baseline = told.get("limit", "unknown"), told.get("baseline", "unknown")
    canary = f", {told['canary']} on the canary" if "canary" in told else ""
    now = f"{limit} requests at once on each replica{canary}, n* is {baseline}"
    lines = [f"  concurrency: {now}; {told.get('state')}, {told.get('reason')}: {told.get('message')}"]
    if change := told.get("lastChange"):
        what = f"{change['from']} -> {change['to']}  {change['reason']}: {change['message']}"
        lines.append(f"    last change: {change['time']}  {what}")
    return lines
