"""Figures of a comparison of forecasters: fans, PIT histograms, calibration, skill over time; SVG, our colours.

Promised: the same cells give the same bytes. NOT promised: every model in every figure; five lines are what an eye
keeps apart, so the best ones by CRPS and the reference are drawn.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretide.cli.plots import RC, WIDTH
from foretide.cli.style import BAND, DEMAND, INK, MUTED, OTHERS, OURS, RIVAL, Tone
from foretide.policies.flow import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Cell = Mapping[str, Any]
LINES = 5
REFERENCE = "seasonal-naive"
OWN = ("pooled", "flow")
STRETCHES = 12
"""Points of the skill curve."""


def draw_all(cells: Sequence[Cell], *, out: Path) -> list[Path]:
    """Writes four figures per series to `out` and gives their paths."""
    written = []
    for group in dict.fromkeys(cell["group"] for cell in cells):
        chosen = shown([cell for cell in cells if cell["group"] == group])
        drawn = {"fan": fans, "pit": pits, "calibration": calibration, "skill": skill}
        for kind, draw in drawn.items():
            path = out / f"{kind}-{_plain(group)}.svg"
            path.write_bytes(_svg(draw, chosen, group))
            written.append(path)
    return written


def shown(cells: Sequence[Cell]) -> list[Cell]:
    """At most LINES: the smallest CRPS first, ours and the reference always among them."""
    ordered = sorted(cells, key=lambda cell: float(np.nan_to_num(cell["figures"]["crps"], nan=np.inf)))
    always = [cell for cell in ordered if cell["model"] in (*OWN, REFERENCE)]
    rest = [cell for cell in ordered if cell not in always][: max(0, LINES - len(always))]
    return [cell for cell in ordered if cell in always or cell in rest]


def tones(cells: Sequence[Cell]) -> dict[str, Tone]:
    """A colour per model, the same in every figure of a series."""
    fixed = {"pooled": OURS, REFERENCE: RIVAL}
    others = [cell["model"] for cell in cells if cell["model"] not in fixed]
    free = {name: OTHERS[index % len(OTHERS)] for index, name in enumerate(others)}
    return {cell["model"]: (fixed | free)[cell["model"]] for cell in cells}


def _svg(draw: Any, cells: Sequence[Cell], group: str) -> bytes:
    from matplotlib import rc_context

    with rc_context(RC):
        figure = draw(cells)
        figure.suptitle(f"{group}: {figure.get_label()}", x=0.01, ha="left", fontsize=10, color=INK.light)
        target = io.BytesIO()
        figure.savefig(target, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def _figure(rows: int, columns: int, *, height: float, title: str) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained", label=title)
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel())


def fans(cells: Sequence[Cell]) -> "Figure":
    """Forecast intervals at a few origins, and what came (first indicator); a row per model."""
    models, origins = cells[:3], max(1, len(cells[0]["fans"]))
    title = "50, 80 and 95 % intervals at some origins; the dark line is what came"
    figure, panels = _figure(len(models), origins, height=0.6 + 1.7 * len(models), title=title)
    for row, cell in enumerate(models):
        for column, fan in enumerate(cell["fans"]):
            axes = panels[row * origins + column]
            draw_fan(axes, np.asarray(fan["quantiles"]), np.asarray(fan["actual"], dtype=np.float64), OURS)
            if column == 0:
                axes.set_ylabel(cell["model"])
            axes.set_ylim(bottom=0 if np.nanmin(fan["quantiles"]) >= 0 else None)
            if row == len(models) - 1:
                axes.set_xlabel("rows ahead")
    return figure


def draw_fan(axes: "Axes", quantiles: Floats, actual: Floats | None, tone: Tone) -> None:
    """`quantiles` (7, H) at 2.5, 10, 25, 50, 75, 90 and 97.5 %."""
    ahead = np.arange(1, quantiles.shape[1] + 1)
    marker = "o" if len(ahead) == 1 else None
    for low, high, strength in ((0, 6, 0.15), (1, 5, 0.2), (2, 4, 0.3)):
        if len(ahead) == 1:
            axes.vlines(ahead, quantiles[low], quantiles[high], color=tone.light, alpha=strength, lw=12)
        else:
            axes.fill_between(ahead, quantiles[low], quantiles[high], color=tone.light, alpha=strength, lw=0)
    axes.plot(ahead, quantiles[3], color=tone.light, lw=1.2, marker=marker)
    if actual is not None:
        axes.plot(ahead, actual, color=DEMAND.light, marker=marker)


def pits(cells: Sequence[Cell]) -> "Figure":
    """Ranks of outcomes among the paths: level is calibrated, a heap amid is too wide, heaps outside too narrow."""
    figure, panels = _figure(
        1, len(cells), height=2.3, title="ranks of outcomes among paths (PIT); level is calibrated"
    )
    for axes, cell in zip(panels, cells, strict=True):
        shares = np.asarray(cell["pit"])
        edges = (np.arange(len(shares)) + 0.5) / len(shares)
        axes.bar(edges, shares * len(shares), width=1.0 / len(shares), color=BAND.light, edgecolor="white", lw=0.4)
        axes.axhline(1.0, color=MUTED.light, lw=0.8)
        axes.set(title=cell["model"], xlim=(0, 1), ylim=(0, max(2.5, float(shares.max() * len(shares)) * 1.05)))
    return figure


def calibration(cells: Sequence[Cell]) -> "Figure":
    """Share of outcomes below each quantile: of single steps, and of the peak over the horizon."""
    figure, panels = _figure(
        1, 2, height=3.6, title="share of outcomes below each quantile; the diagonal is calibrated"
    )
    for axes, kind, title in zip(panels, ("pit", "peak_pit"), ("single steps", "peak over the horizon"), strict=True):
        axes.plot([0, 1], [0, 1], color=MUTED.light, lw=0.8)
        for name, cell in {cell["model"]: cell for cell in cells}.items():
            shares = np.concatenate([[0.0], np.cumsum(cell[kind])])
            axes.plot(np.linspace(0, 1, len(shares)), shares, color=tones(cells)[name].light, label=name)
        axes.set(title=title, xlabel="quantile of the forecast", xlim=(0, 1), ylim=(0, 1))
    panels[0].legend(loc="upper left", fontsize=8)
    return figure


def skill(cells: Sequence[Cell]) -> "Figure":
    """Mean CRPS over that of the reference, in even stretches of time; below 1 is better than the reference."""
    reference = next((cell for cell in cells if cell["model"] == REFERENCE), cells[-1])
    title = f"CRPS over that of {reference['model']}, in {STRETCHES} stretches of time"
    figure, (axes,) = _figure(1, 1, height=3.2, title=title)
    at = np.asarray(reference["at_s"])
    days = (at - at[0]) / 86400.0
    base = _stretched(np.asarray(reference["by_origin"]["crps"]))
    middle = _stretched(days)
    for cell in cells:
        own = _stretched(np.asarray(cell["by_origin"]["crps"]))
        ratio = np.divide(own, base, out=np.full(len(own), np.nan), where=base > 0)
        axes.plot(middle, ratio, color=tones(cells)[cell["model"]].light, label=cell["model"])
    axes.set(xlabel="days since the first origin", ylim=(0, None))
    axes.legend(loc="upper left", ncols=3, fontsize=8)
    return figure


def _stretched(values: Floats) -> Floats:
    parts = np.array_split(values, min(STRETCHES, len(values)))
    known = [part[np.isfinite(part)] for part in parts]
    return np.array([part.mean() if len(part) else np.nan for part in known])


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)[:60]
