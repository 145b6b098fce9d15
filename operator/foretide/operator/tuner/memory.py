"""What the tuner remembers of one resource, as text in its status: it belongs to the limit that stands beside it.

A ConfigMap would do as well, but asks for the right to write ConfigMaps everywhere, and can be lost or kept without its
resource. In the status it costs a few kilobytes at most, and a new life of the process goes on with the next window.

What is NOT promised: a memory of more than `MOST` characters. What was learnt is then dropped, and begins anew.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from foretide.policies.concurrency.in_time import Past
from foretide.policies.concurrency.window import State

MOST = 16384
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it. `limit` is the one that the windows of `past` were seen at."""

    limit: int | None = None
    ours: int | None = None
    """What we wrote last; None where we never did."""
    canary_ours: tuple[int, ...] = ()
    """What we wrote to the canary last, and before: either may be there after a life that ended in between."""
    lengths: State | None = None
    """The rule's."""
    past: Past = field(default_factory=Past)
    role: str = ""
    """Of the canary in the window that runs: control, canary or empty."""
    learnt: Mapping[str, Any] | None = None
    """The shield's."""
    conflict: int | None = None
    """Generation of the resource at which somebody else was found to write the number."""
    knob: str = ""
    """Whose memory it is; of another number it says nothing."""

    def of(self, knob: str) -> "Memory":
        """The memory of this number: only lengths outlive a change of what is tuned."""
        return self if self.knob == knob else Memory(lengths=self.lengths, knob=knob)

    def knows_canary(self, now: int) -> bool:
        """Whether the canary's number is ours, or nobody's yet."""
        return not self.canary_ours or now in self.canary_ours

    def before_canary(self, now: int | None, value: int | None) -> "Memory":
        """The memory before the canary goes from `now` to `value`; None where it is not set."""
        return self if value is None or now is None else replace(self, canary_ours=(now, value))

    def text(self) -> str:
        """Raises nothing: what is too long is left out."""
        told = {
            "limit": self.limit,
            "ours": self.ours,
            "canaryOurs": self.canary_ours,
            "lengths": self.lengths,
            "past": self.past.state(),
            "role": self.role,
            "learnt": self.learnt,
            "conflict": self.conflict,
            "knob": self.knob,
        }
        text = json.dumps(_rounded(told), separators=(",", ":"))
        return text if len(text) <= MOST or self.learnt is None else replace(self, learnt=None, role="").text()


def remembered(text: Any) -> Memory:
    """What `text` gave; nothing where it makes no sense."""
    try:
        told = json.loads(text)
        return Memory(
            limit=told["limit"],
            ours=told["ours"],
            canary_ours=tuple(told["canaryOurs"]),
            lengths=told["lengths"],
            past=Past.of(told["past"]),
            role=told["role"],
            learnt=told["learnt"],
            conflict=told["conflict"],
            knob=told["knob"],
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return Memory()


def _rounded(value: Any) -> Any:
    """Times keep their seconds: only what has decimals is rounded."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
