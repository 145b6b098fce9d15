"""What a network sees: a history in, named float32 arrays out; and its normalised paths back to demand.

Numpy only, and the same code for training and for serving. Three resolutions (the newest rows; means over about a day;
the same clock time yesterday, last week and usually, WITH what followed it), each with a mask of what was measured;
age and shape of the history; calendar; scheduled events. Whatever the input, every number is finite.

Values are transformed by asinh(x / unit), then shifted and scaled by the window's own location and scale, with a
floor, and clamped (forecasting.md of the research: nothing here depends on the unit of the demand).

What is NOT promised: that gaps are bridged. A gap carries the last value inside the newest rows, with its mask at 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretide.forecaster.network.schema import DAY_S, WEEK_S, Schema, Transform
from foretide.forecaster.past import NOTHING, Indices, Past
from foretide.policies.flow import Floats

Arrays = Mapping[str, NDArray[np.float32]]

CLAMP = 12.0
"""Normalised values beyond this many scales are cut."""
SCALE_FLOOR = 0.02
"""Smallest scale of a transformed value: about 2 % of busy demand; values of a linear schema come standardised."""
LARGEST = 1e30
EXPONENT = 60.0
"""asinh values beyond this are cut, so that sinh stays finite."""
RESOLUTIONS = ("recent", "binned", "yesterday", "last_week", "usual")
CALENDAR, EVENTS, CONTEXT = 8, 2, 4
"""Widths of the arrays `calendar`, `events` and `context`."""
THURSDAY = 4
"""Day of the week of the Unix epoch, Sunday being 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """How normalised values map to demand: each (B, N), all indicators in declared order."""

    unit: Floats
    location: Floats
    scale: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """What B workloads or origins look like to a network: arrays by input name, and the way back."""

    arrays: Arrays
    frame: Frame


def window_of_pasts(pasts: Sequence[Past], schema: Schema, *, events: Sequence[Floats | None] | None = None) -> Window:
    """One origin, the end, of each past; B = len(pasts) > 0. `events` as for `window`, one (H, 2) per past or None.

    Raises ValueError where a past's step does not divide the schema's.
    """
    plans = events if events is not None else [None] * len(pasts)
    parts = [_of_past(past, schema, plan) for past, plan in zip(pasts, plans, strict=True)]
    return joined(parts)


def _of_past(past: Past, schema: Schema, plan: Floats | None) -> Window:
    rows = regrid(past.known, past.step, schema.step_s)
    start = past.end - len(rows) * schema.step_s
    events = None if plan is None else np.asarray(plan, dtype=np.float64)[None]
    return window(rows, np.array([len(rows)]), schema, start_s=start, events=events)


def window(
    values: Floats,
    origins: Indices,
    schema: Schema,
    *,
    start_s: float,
    since: Indices | None = None,
    events: Floats | None = None,
) -> Window:
    """Windows of one workload at B origins: only rows before an origin are looked at for it.

    `values` (T, N) on the schema's grid, NaN is missing; `start_s` is the Unix time of row 0, NaN where unknown;
    rows before `since` (B,) count as missing. `events` (B, H, 2): expected demand of the first target (NaN: none) and
    confidence in [0, 1].
    """
    sound = np.where(np.isfinite(values) & (np.abs(values) < LARGEST), values, np.nan)
    first = np.zeros_like(origins) if since is None else since
    looks = schema.windows
    recent = _rows(sound, origins[:, None] + np.arange(-looks.recent, 0), first)
    span = _rows(sound, origins[:, None] + np.arange(-looks.span, 0), first)
    unit = _unit(span, schema)
    frame = _frame(_transformed(span, unit, schema), unit)
    raw = {"recent": recent, "binned": _binned(span, looks.bins), **_same_clock(sound, origins, first, schema)}
    arrays = {name: _normal(_transformed(rows, unit, schema), frame) for name, rows in raw.items()}
    out: dict[str, NDArray[np.float32]] = {}
    for name, rows in arrays.items():
        out[name] = _float32(_carried(rows) if name == "recent" else rows)
        out[f"{name}_known"] = np.isfinite(rows).astype(np.float32)
    out["context"] = _context(recent, span, frame)
    out["calendar"] = _calendar(np.asarray(start_s + origins * schema.step_s, dtype=np.float64))
    out["events"] = _events(events, frame, schema, len(origins))
    return Window({name: np.ascontiguousarray(array) for name, array in out.items()}, frame)


def joined(parts: Sequence[Window]) -> Window:
    """The windows of several workloads as one batch, in order."""
    arrays = {name: np.concatenate([part.arrays[name] for part in parts]) for name in parts[0].arrays}
    stacks = (np.concatenate([getattr(part.frame, name) for part in parts]) for name in ("unit", "location", "scale"))
    return Window(arrays, Frame(*stacks))


def normalised(demand: Floats, frame: Frame, schema: Schema) -> Floats:
    """Demand (B, ..., N) as the network sees it, NaN kept; `to_demand` is its inverse inside the clamp."""
    shape = (len(frame.unit),) + (1,) * (demand.ndim - 2) + (demand.shape[-1],)
    unit, location, scale = (part.reshape(shape) for part in (frame.unit, frame.location, frame.scale))
    moved = demand / unit if schema.transform is Transform.LINEAR else np.arcsinh(demand / unit)
    return np.asarray(np.clip((moved - location) / scale, -CLAMP, CLAMP), dtype=np.float64)


def to_demand(paths: NDArray[np.float32], frame: Frame, schema: Schema) -> Floats:
    """Normalised paths (B, K, H, targets) -> demand in its own unit, finite; never negative where asinh was used."""
    columns = list(schema.targets)
    unit, location, scale = (
        part[:, None, None, columns] for part in (frame.unit, frame.location, frame.scale)
    )  # (B, 1, 1, targets)
    moved = np.clip(np.nan_to_num(paths.astype(np.float64)), -CLAMP, CLAMP) * scale + location
    if schema.transform is Transform.LINEAR:
        return np.asarray(unit * moved, dtype=np.float64)
    return np.asarray(np.maximum(unit * np.sinh(np.clip(moved, -EXPONENT, EXPONENT)), 0.0), dtype=np.float64)


def regrid(values: Floats, step: float, to: float) -> Floats:
    """Rows on a coarser grid that ends where this one ends: means of measured rows, NaN where under half were.

    Raises ValueError where `to` is no whole multiple of `step`.
    """
    factor = round(to / step)
    if factor < 1 or abs(factor * step - to) > 1e-6 * to:
        raise ValueError(f"a grid of {step:g} s cannot be brought to one of {to:g} s")
    rows = values[len(values) % factor :].reshape(-1, factor, values.shape[1])
    known = np.isfinite(rows)
    count = known.sum(axis=1)
    mean = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(1, count)
    return np.asarray(np.where(2 * count >= factor, mean, np.nan), dtype=np.float64)


def _rows(values: Floats, rows: Indices, first: Indices) -> Floats:
    """Rows (B, L) of the values as (B, L, N); NaN outside, and before `first`."""
    inside = (rows >= np.maximum(first, 0)[:, None]) & (rows < len(values))
    picked = values[np.where(inside, rows, 0)] if len(values) else np.zeros((*rows.shape, values.shape[1]))
    return np.where(inside[..., None], picked, np.nan)


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    mean = np.where(known, values, 0.0).sum(axis=axis) / np.maximum(1, count)
    return np.asarray(np.where(count > 0, mean, np.nan), dtype=np.float64)


def _unit(span: Floats, schema: Schema) -> Floats:
    """(B, N): a third of the mean positive value, as the rest of the forecaster has it; 1 where there is none."""
    if schema.transform is Transform.LINEAR:
        return np.ones((len(span), span.shape[-1]))
    size = _mean(np.where(span > 0, span, np.nan), axis=1)
    return np.asarray(np.where(size > NOTHING, size / 3.0, 1.0), dtype=np.float64)


def _transformed(rows: Floats, unit: Floats, schema: Schema) -> Floats:
    moved = rows / unit[:, None, :]
    return moved if schema.transform is Transform.LINEAR else np.asarray(np.arcsinh(moved), dtype=np.float64)


def _frame(span: Floats, unit: Floats) -> Frame:
    """Location and scale (B, N) of the transformed span: mean and deviation of what is known, with a floor."""
    location = np.nan_to_num(_mean(span, axis=1))
    spread = np.nan_to_num(_mean((span - location[:, None, :]) ** 2, axis=1))
    return Frame(unit, location, np.maximum(np.sqrt(spread), SCALE_FLOOR))


def _normal(rows: Floats, frame: Frame) -> Floats:
    """(B, L, N) transformed -> (B, N, L) normalised, NaN kept."""
    moved = (rows - frame.location[:, None, :]) / frame.scale[:, None, :]
    return np.clip(moved, -CLAMP, CLAMP).transpose(0, 2, 1)


def _float32(rows: Floats) -> NDArray[np.float32]:
    return np.nan_to_num(rows).astype(np.float32)


def _carried(rows: Floats) -> Floats:
    """Along the last axis, a gap repeats what was before it."""
    places = np.where(np.isfinite(rows), np.arange(rows.shape[-1]), 0)
    return np.take_along_axis(rows, np.maximum.accumulate(places, axis=-1), axis=-1)


def _binned(span: Floats, bins: int) -> Floats:
    """(B, bins x rows, N) -> (B, bins, N): means of what is known."""
    return _mean(span.reshape(len(span), bins, -1, span.shape[-1]), axis=2)


def _same_clock(values: Floats, origins: Indices, first: Indices, schema: Schema) -> dict[str, Floats]:
    """Stretches around this clock time, with their future side; rows at or after the origin stay unknown."""
    around = np.arange(-schema.windows.before, schema.horizon + schema.windows.after)

    def back(rows: int) -> Floats:
        places = origins[:, None] - rows + around
        return _rows(values, np.where(places < origins[:, None], places, -1), first)

    days = np.stack([back(day * schema.day) for day in range(1, schema.windows.usual_days + 1)])
    return {"yesterday": days[0], "last_week": back(schema.week), "usual": _mean(days, axis=0)}


def _context(recent: Floats, span: Floats, frame: Frame) -> NDArray[np.float32]:
    """(B, N, 4): age of the newest row, how much is known, share of zeros, and the scale; all of order one."""
    known = np.isfinite(span)
    count = known.sum(axis=1)
    seen = np.isfinite(recent)[:, ::-1]
    age = np.where(seen.any(axis=1), seen.argmax(axis=1), recent.shape[1])
    zeros = (span == 0).sum(axis=1) / np.maximum(1, count)
    columns = (np.log1p(age) / 4.0, np.log1p(count) / 8.0, zeros, np.log(frame.scale))
    return _float32(np.clip(np.stack(columns, axis=-1), -CLAMP, CLAMP))


def _calendar(at: Floats) -> NDArray[np.float32]:
    """(B, 8) of the origin's time: day's first two harmonics, week's first, weekend, known; zeros where unknown."""
    known = np.isfinite(at) & (np.abs(at) < 1e12)
    seconds = np.where(known, at, 0.0)
    day, week = 2 * np.pi * seconds / DAY_S, 2 * np.pi * seconds / WEEK_S
    weekday = (np.floor(seconds / DAY_S) + THURSDAY) % 7
    weekend = ((weekday == 0) | (weekday == 6)).astype(np.float64)
    turns = (day, 2 * day, week)
    columns = [*(wave(turn) for turn in turns for wave in (np.sin, np.cos)), weekend, np.ones_like(seconds)]
    return _float32(np.stack(columns, axis=-1) * known[:, None])


def _events(events: Floats | None, frame: Frame, schema: Schema, count: int) -> NDArray[np.float32]:
    """(B, H, 2): expected demand of the first target, normalised, and confidence; zeros where nothing is scheduled."""
    if events is None:
        return np.zeros((count, schema.horizon, EVENTS), dtype=np.float32)
    column = schema.targets[0]
    one = Frame(*(part[:, column : column + 1] for part in (frame.unit, frame.location, frame.scale)))
    level = normalised(np.minimum(np.asarray(events[..., :1], dtype=np.float64), LARGEST), one, schema)[..., 0]
    trust = np.nan_to_num(np.clip(events[..., 1], 0.0, 1.0))
    planned = np.isfinite(level) & (trust > 0)
    return _float32(np.stack([np.where(planned, level, 0.0), np.where(planned, trust, 0.0)], axis=-1))
