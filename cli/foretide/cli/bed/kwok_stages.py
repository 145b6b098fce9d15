"""Stage files for KWOK, the fake kubelet: Pending, Running while the engine loads, Ready, then drained and gone.

A pod with readiness gates is ready while all of them are open, as a kubelet has it.

Promised: `foretide.io/start-delay`, `foretide.io/start-delay-max` and `foretide.io/stop-delay` on a pod win over what
is given here. NOT promised: init containers, restarts and Jobs; and an edit of a pod that is starting starts its
delay anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STAGES = Path(__file__).parent / "stages"


@dataclass(frozen=True, slots=True)
class PodTimes:
    """How long pods take when their annotations do not say, in seconds."""

    start_s: float = 20.0
    start_at_most_s: float | None = None
    """With it, starts take an evenly spread time between the two."""
    stop_s: float = 1.0

    @property
    def delays(self) -> Mapping[str, Mapping[str, int]]:
        """Stage name -> fields of its delay, in milliseconds."""
        longest = max(self.start_s, self.start_at_most_s or 0.0)
        return {
            "pod-ready": {
                "durationMilliseconds": round(self.start_s * 1000),
                "jitterDurationMilliseconds": round(longest * 1000),
            },
            "pod-delete": {"durationMilliseconds": round(self.stop_s * 1000)},
        }


def stages(times: PodTimes) -> str:
    """All stages as one YAML stream."""
    return yaml.safe_dump_all([_with_delay(path, times) for path in sorted(STAGES.glob("*.yaml"))], sort_keys=False)


def _with_delay(path: Path, times: PodTimes) -> dict[str, Any]:
    stage: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    delay = times.delays.get(stage["metadata"]["name"])
    if delay:
        stage["spec"]["delay"].update(delay)
    return stage
