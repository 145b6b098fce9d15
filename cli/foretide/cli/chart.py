"""A small chart of demand and its forecast, drawn with characters.

Promised: exactly ROWS + 1 lines of at most the asked width. NOT promised: exact values; a column is a mean of the
steps that fall into it.
"""

import numpy as np
from rich.text import Text

from foretide.cli.style import BAND, DEMAND, MUTED, OURS
from foretide.policies.flow import Floats

ROWS = 7
MARGIN = 7
EIGHTHS = " ▁▂▃▄▅▆▇█"


def resampled(values: Floats, columns: int) -> Floats:
    """(columns, ...) means over even stretches of (n, ...); repeats values where there are fewer than columns."""
    edges = np.linspace(0, len(values), columns + 1)
    starts = np.minimum(edges[:-1].astype(int), len(values) - 1)
    ends = np.maximum(np.ceil(edges[1:] - 1e-9).astype(int), starts + 1)
    return np.array([_mean_known(values[start:end]) for start, end in zip(starts, ends, strict=True)])


def _mean_known(group: Floats) -> Floats:
    known = group[np.isfinite(group).reshape(len(group), -1).all(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(group.shape[1:], np.nan)


def block(height: float, row: int) -> str:
    """What a column of `height` rows shows in `row` (0 = lowest); a gap (NaN) shows nothing."""
    if not np.isfinite(height):
        return " "
    return EIGHTHS[int(np.clip(np.ceil((height - row) * 8), 0, 8))]


def band(heights: Floats, row: int) -> str:
    """What a forecast of (low, middle, high) rows shows in `row`: a line in the middle, shade around it."""
    low, middle, high = heights
    if row <= middle < row + 1:
        return "━"
    return "░" if low < row + 1 and high > row else " "


def column(height: float, expected: float, row: int) -> str:
    """What a past column shows in `row`: the demand, and shade from there up to what had been expected at most."""
    drawn = block(height, row)
    return "░" if drawn == " " and np.isfinite(expected) and row < expected else drawn


def chart(*, past: Floats, expected: Floats, ahead: Floats, ahead_share: float, columns: int) -> Text:
    """Demand up to now as columns, and the forecast behind it as a band, on one time scale.

    `past` (P,) requests/s; `expected` (P,) the 95 % quantile that had been forecast for then; `ahead` (H, 3) quantiles
    from now on, which take up `ahead_share` of the width.
    """
    inner = max(12, columns - MARGIN - 1)
    right = max(3, round(inner * ahead_share))
    seen, shade = resampled(past, inner - right), resampled(expected, inner - right)
    coming = resampled(ahead, right) if len(ahead) else np.full((right, 3), np.nan)
    every = np.concatenate([seen, shade, coming[:, 2]])
    highest = max(float(np.nanmax(every)) if np.isfinite(every).any() else 0.0, 1e-9) * 1.02
    scale = ROWS / highest
    drawn = Text(no_wrap=True, overflow="crop")
    for row in reversed(range(ROWS)):
        drawn.append(_label(row, highest), style=MUTED.terminal)
        for height, most in zip(seen * scale, shade * scale, strict=True):
            mark = column(height, most, row)
            drawn.append(mark, style=BAND.terminal if mark == "░" else DEMAND.terminal)
        drawn.append("│", style=MUTED.terminal)
        for heights in coming * scale:
            mark = band(heights, row)
            drawn.append(mark, style=OURS.terminal if mark == "━" else BAND.terminal)
        drawn.append("\n")
    drawn.append(f"{'0':>{MARGIN - 1}} {'─' * (inner - right)}┴{'─' * right}", style=MUTED.terminal)
    return drawn


def _label(row: int, highest: float) -> str:
    """The axis value at the top and in the middle, else blank."""
    if row not in (ROWS - 1, ROWS // 2):
        return " " * MARGIN
    value = highest * (row + 1) / ROWS
    return f"{value:>{MARGIN - 1}.{0 if value >= 10 else 1}f} "
