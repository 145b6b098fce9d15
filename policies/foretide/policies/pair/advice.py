"""Whether the same promise costs less with every replica doing both."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """Costs per hour at the same promise, both None where that way of serving cannot keep it."""

    pair: float | None
    aggregated: float | None

    @property
    def aggregated_is_cheaper(self) -> bool:
        return self.aggregated is not None and (self.pair is None or self.aggregated < self.pair - 1e-9)

    def told(self) -> str:
        """One line for a person."""
        if self.pair is None and self.aggregated is None:
            return "neither two pools nor one keep the promise within the limits"
        if self.pair is None:
            return f"two pools cannot keep the promise within the limits; one pool does at {self.aggregated:g} an hour"
        if self.aggregated is None:
            return f"one pool cannot keep the promise within the limits; two do at {self.pair:g} an hour"
        cheaper = "one pool that does both" if self.aggregated_is_cheaper else "the pair of pools"
        same = abs(self.pair - self.aggregated) <= 1e-9
        told = f"two pools cost {self.pair:g} an hour, one pool {self.aggregated:g}"
        return f"{told}: no difference" if same else f"{told}: {cheaper} is cheaper"
