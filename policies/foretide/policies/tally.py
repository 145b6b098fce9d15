"""Sums of judged windows: what two fleets cost and kept, and what could not be judged."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """GPU-seconds of one fleet, and the expected seconds of windows in which it would have kept the promise."""

    gpu_s: float = 0.0
    kept_s: float = 0.0

    def __add__(self, other: "Account") -> "Account":
        return Account(self.gpu_s + other.gpu_s, self.kept_s + other.kept_s)


@dataclass(frozen=True, slots=True)
class Tally:
    """Windows in seconds: judged, or left out by what was wrong with them. Accounts are of the judged ones only."""

    judged_s: float = 0.0
    missing_s: float = 0.0
    censored_s: float = 0.0
    unwatched_s: float = 0.0
    present: Account = field(default_factory=Account)
    foretide: Account = field(default_factory=Account)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.judged_s + other.judged_s,
            self.missing_s + other.missing_s,
            self.censored_s + other.censored_s,
            self.unwatched_s + other.unwatched_s,
            self.present + other.present,
            self.foretide + other.foretide,
        )

    @property
    def all_s(self) -> float:
        return self.judged_s + sum(self.left_out_s.values())

    @property
    def left_out_s(self) -> dict[str, float]:
        """Seconds of windows that could not be judged, by cause."""
        return {"missing": self.missing_s, "censored": self.censored_s, "unwatched": self.unwatched_s}

    def kept(self, account: Account) -> float | None:
        """Share of the judged windows, in [0, 1]; None where none was judged."""
        return min(1.0, account.kept_s / self.judged_s) if self.judged_s > 0 else None


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, counted from 1970-01-01."""

    number: int
    tally: Tally
