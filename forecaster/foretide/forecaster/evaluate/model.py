"""The seam of every comparison: a series of indicators, and a model that is fitted once and asked at many origins.

What is NOT promised: that a model keeps to the rows it may see. The evaluation checks it by altering the rows after.
"""

from dataclasses import dataclass
from typing import Protocol

from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One group's indicators on an even grid: `values` has shape (T, N), NaN is missing, columns in declared order."""

    group: str
    start_s: float
    """Seconds since the Unix epoch of row 0, for the clock; 0 where only an index is known."""
    step_s: float
    columns: tuple[str, ...]
    values: Floats


class Fitted(Protocol):
    """A model that has seen its training rows."""

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N) in the series' units; path o starts with row `origins[o]`.

        Only rows before an origin may be looked at for it. Finite. The same arguments give the same paths.
        """
        ...


class Model(Protocol):
    """One competitor of `foretide forecast evaluate`."""

    @property
    def name(self) -> str: ...

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Learns from the first `rows` rows alone. `context` is how many rows a window of it may look back."""
        ...
