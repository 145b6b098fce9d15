"""What the shield remembers, as values that survive a restart: what is adopted where, what is on trial, what is left.

A regime is the neighbourhood of mean lengths that were met once, named after them; what was proven in one says nothing
of another. The regime of now is kept until lengths are more than `OCTAVES` from where it began, so that lengths at a
border do not flap between two.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import log2
from typing import Any

from foretide.policies.concurrency.evidence import Evidence
from foretide.policies.concurrency.limit_rule import Lengths
from foretide.policies.concurrency.window import State

OCTAVES = 1.0
"""How far lengths may be from a regime's own, in octaves of prompt and of output tokens."""


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


def regime_of(lengths: Lengths, record: Record) -> str:
    """The regime of now while it reaches so far, else the nearest that does, else a new one."""
    if record.regime is not None and distance(lengths, record.regime) <= OCTAVES:
        return record.regime
    nearest = min(record.standings, key=lambda regime: distance(lengths, regime), default=None)
    if nearest is not None and distance(lengths, nearest) <= OCTAVES:
        return nearest
    return f"{max(1, round(lengths.prompt))}/{max(1, round(lengths.output))}"


def distance(lengths: Lengths, regime: str) -> float:
    """Octaves between lengths and those that a regime is named after, in prompt or output, whichever is further."""
    own = (int(tokens) for tokens in regime.split("/"))
    pairs = zip((lengths.prompt, lengths.output), own, strict=True)
    return max(abs(log2(max(1.0, tokens) / named)) for tokens, named in pairs)


def _standing(row: Mapping[str, Any]) -> Standing:
    resting = {int(notch): Rest(**rest) for notch, rest in row["resting"].items()}
    return Standing(row["adopted"], _evidence(row["doubt"]), resting)


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**row, "log_wealth": tuple(row["log_wealth"])})
