"""The contract between a network and whoever feeds it: indicators in their order and level, windows, horizon, grid.

Order and level are part of the schema and so of its hash: a network must never be fed columns in another order, and
demand must never be told to look at what our own actions cause.

What is NOT promised: that two schemas with one hash were trained alike. The card says how.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from foretide.policies.flow import INDICATORS

VERSION = 1
DEMAND, ENGINE, SERVICE, RESOURCE = 0, 1, 2, 3
"""Levels: what users ask for; running and waiting; latency; utilisation. An indicator sees its own level and lower."""
DAY_S, WEEK_S = 86400.0, 604800.0


class BadSchema(ValueError):
    """The text is no schema of this version; the message names the field."""


class Transform(StrEnum):
    """What is done to values before they are scaled."""

    ASINH = "asinh"
    """asinh(x / unit): linear near zero, logarithmic for busy times; for rates."""
    LINEAR = "linear"
    """Nothing; for indicators of any sign and kind, which the caller has standardised."""


@dataclass(frozen=True, slots=True)
class Indicator:
    name: str
    level: int = DEMAND
    target: bool = True
    """Whether it is forecast, rather than only looked at."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How far the resolutions look back, in rows of the head's grid."""

    recent: int = 60
    """Newest rows as they are."""
    bins: int = 48
    """Means of `bin_rows` rows each, newest last, ending at the origin."""
    bin_rows: int = 30
    before: int = 30
    """Same clock on an earlier day: rows before this clock time; the horizon itself and `after` rows follow."""
    after: int = 15
    usual_days: int = 7
    """Days whose same-clock stretches are averaged into the usual one."""

    @property
    def span(self) -> int:
        """Rows that the binned resolution covers."""
        return self.bins * self.bin_rows


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything on which the meaning of a network's inputs and outputs depends."""

    head: str
    horizon: int
    step_s: float
    indicators: tuple[Indicator, ...]
    windows: Windows
    transform: Transform = Transform.ASINH
    version: int = VERSION

    @property
    def targets(self) -> tuple[int, ...]:
        """Columns that are forecast, ascending."""
        return tuple(index for index, indicator in enumerate(self.indicators) if indicator.target)

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(indicator.level for indicator in self.indicators)

    @property
    def dimensions(self) -> int:
        """Numbers of noise per path: horizon x targets."""
        return self.horizon * len(self.targets)

    @property
    def day(self) -> int:
        """Rows after which the clock shows the same time."""
        return max(1, round(DAY_S / self.step_s))

    @property
    def week(self) -> int:
        return max(1, round(WEEK_S / self.step_s))

    @property
    def same_clock(self) -> int:
        """Rows of a same-clock stretch: before, horizon, after."""
        return self.windows.before + self.horizon + self.windows.after


_DEMAND = tuple(Indicator(name) for name in INDICATORS)
REPLICA = Schema("replica", 30, 60.0, _DEMAND, Windows())
"""Replica lead time: 30 minutes by the minute."""
NODE = Schema("node", 36, 600.0, _DEMAND, Windows(recent=72, bins=56, bin_rows=18, before=12, after=6))
"""Node lead time: 6 hours by ten minutes; its bins look back a week."""
HEADS = {schema.head: schema for schema in (REPLICA, NODE)}


def canonical(schema: Schema) -> str:
    """The schema as JSON with sorted keys and no spaces: one text for one schema."""
    return json.dumps(asdict(schema), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(schema: Schema) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(schema).encode()).hexdigest()


def schema_from(fields: Mapping[str, Any]) -> Schema:
    """The schema that `canonical` wrote, parsed; raises BadSchema on anything else."""
    try:
        schema = Schema(
            head=str(fields["head"]),
            horizon=int(fields["horizon"]),
            step_s=float(fields["step_s"]),
            indicators=tuple(_indicator(**indicator) for indicator in fields["indicators"]),
            windows=Windows(**{name: int(size) for name, size in fields["windows"].items()}),
            transform=Transform(fields["transform"]),
            version=int(fields["version"]),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise BadSchema(f"schema: {error}") from error
    _check(schema)
    return schema


def _indicator(name: Any, level: Any = 0, target: Any = True) -> Indicator:
    return Indicator(str(name), int(level), bool(target))


def _check(schema: Schema) -> None:
    if schema.version != VERSION:
        raise BadSchema(f"schema: version is {schema.version}, this build reads version {VERSION}")
    sizes = asdict(schema.windows) | {"horizon": schema.horizon, "step_s": schema.step_s}
    for name, size in sizes.items():
        if not 0 < size <= 100_000:
            raise BadSchema(f"schema: {name} is {size}, it must be between 1 and 100000")
    if not schema.targets:
        raise BadSchema("schema: no indicator is a target")
    if len({indicator.name for indicator in schema.indicators}) < len(schema.indicators):
        raise BadSchema("schema: two indicators have one name")
