"""What the shield remembers, as values that survive a restart: what is adopted where, what is on trial, what is left.

A regime is a coarse class of lengths; what was proven in one says nothing of another.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import log2
from typing import Any

from foretide.policies.concurrency.evidence import Evidence
from foretide.policies.concurrency.limit_rule import Lengths
from foretide.policies.concurrency.window import State

OCTAVES = 2.0
"""Width of a regime, in octaves of prompt and of output tokens."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A notch that failed, and is left alone for a while."""

    until: int
    """Number of the window from which it may be tried again."""
    strikes: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one regime."""

    adopted: int = 0
    """Notch of the fleet; 0 is the baseline."""
    doubt: Evidence = field(default_factory=Evidence)
    """For the baseline, against what is adopted."""
    resting: Mapping[int, Rest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """A notch on the canary, with the evidence for it against what the fleet runs."""

    notch: int
    windows: int = 0
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class Record:
    """All of it."""

    window: int = 0
    allowance: float = 0.0
    """What exploring may still cost, in shares of one window's requests of the whole fleet."""
    regime: str | None = None
    trial: Trial | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """Of the regime of now."""
        return self.standings.get(self.regime or "", Standing())

    def state(self) -> State:
        return asdict(self)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Record":
        """What `state` gave, also after JSON has made strings of the notches."""
        trial = state["trial"]
        return cls(
            window=state["window"],
            allowance=state["allowance"],
            regime=state["regime"],
            trial=trial and Trial(trial["notch"], trial["windows"], _evidence(trial["evidence"])),
            standings={name: _standing(row) for name, row in state["standings"].items()},
        )


def regime_of(lengths: Lengths | None) -> str | None:
    """The class of these lengths; None while they are unknown."""
    if lengths is None:
        return None
    prompt, output = (int(log2(max(1.0, tokens)) // OCTAVES) for tokens in (lengths.prompt, lengths.output))
    return f"{prompt}/{output}"


def _standing(row: Mapping[str, Any]) -> Standing:
    resting = {int(notch): Rest(**rest) for notch, rest in row["resting"].items()}
    return Standing(row["adopted"], _evidence(row["doubt"]), resting)


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**row, "log_wealth": tuple(row["log_wealth"])})
