"""The frontier's figure: GPU-hours against joint attainment, one line per policy, costs at matched attainments ringed.

Promised: the same frontier gives the same bytes of SVG, which follows the reader's light or dark setting. NOT promised:
every point. Settings far from the attainments compared are left out where they squeeze the rest; the JSON has them.
"""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from foretide.cli.plots import RC
from foretide.cli.style import INK, LINE, MUTED, css_variables, themed, tone_of
from foretide.policies.flow import Floats
from foretide.simulator.curve import envelope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from foretide.simulator.frontier import Curve, Frontier

TICKS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
LOWEST, HIGHEST = 0.5, 0.9999
"""Shares between which the axis lies; better ones are drawn at its end."""
DEAREST = 1.6
"""Hours over the dearest matched ones up to which the axis goes, where anything is matched."""
MANY = 400


@dataclass(frozen=True, slots=True)
class Drawn:
    svg: str
    png: bytes


def draw(found: "Frontier") -> Drawn:
    """The figure as a standalone SVG and as a PNG on white."""
    from matplotlib import rc_context

    with rc_context(RC):
        figure = _figure(found)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return Drawn(_standalone(svg.getvalue(), title=_title(found)), png.getvalue())


def log_odds(share: Floats) -> Floats:
    """Log-odds of a share, cut to what the axis shows: 0.9, 0.99 and 0.999 lie almost evenly apart."""
    cut = np.clip(share, LOWEST, HIGHEST)
    odds: Floats = np.log(cut / (1 - cut))
    return odds


def _title(found: "Frontier") -> str:
    question = found.question
    return f"{found.scenario.name}: GPU-hours against joint attainment, simulated, mean of {question.seeds} seeds"


def _figure(found: "Frontier") -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.4), layout="constrained")
    axes = figure.subplots()
    for curve in found.curves:
        _line(axes, curve, found)
    for level in found.question.attainments:
        at = float(log_odds(np.array(level)))
        axes.axvline(at, color=MUTED.light, lw=0.9, ls=(0, (4, 3)), zorder=1)
    _scales(axes, found)
    axes.set(xlabel="joint attainment: % of requests within every threshold", ylabel="GPU-hours")
    figure.suptitle(_title(found), x=0.01, ha="left", fontsize=10, color=INK.light)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, borderaxespad=0.2, handlelength=1.6)
    return figure


def _line(axes: "Axes", curve: "Curve", found: "Frontier") -> None:
    color = tone_of(curve.policy, found.question.policies).light
    joint, hours = curve.joint, curve.hours
    axes.plot(log_odds(joint), hours, ls="", marker="o", ms=4, mfc="none", mec=color, alpha=0.6)
    reached, cost = envelope(joint=joint, hours=hours)
    axes.plot([], [], color=color, label=curve.policy, lw=1.8)
    if len(reached):
        # Straight in the share, as costs are interpolated, and so bent on this axis: many points show it.
        fine = np.concatenate([reached, 1 - np.logspace(0, -5, MANY)])
        fine = np.unique(np.clip(fine, reached[0], reached[-1]))
        axes.plot(log_odds(fine), np.interp(fine, reached, cost), color=color, lw=1.8)
        axes.plot(log_odds(np.array([LOWEST, reached[0]])), [cost[0]] * 2, color=color, lw=1.0, ls=(0, (1, 2)))
    matched = [(level, h) for level in found.question.attainments if (h := curve.hours_at(level)) is not None]
    if matched:
        levels, at = np.array(matched).T
        axes.plot(log_odds(levels), at, ls="", marker="o", ms=8, mfc=color, mec=LINE.light, zorder=4)


def _scales(axes: "Axes", found: "Frontier") -> None:
    lowest = max(LOWEST, min(min(found.question.attainments) - 0.25, 0.8))
    axes.set_xlim(float(log_odds(np.array(lowest))), float(log_odds(np.array(HIGHEST))) + 0.15)
    shown = [tick for tick in TICKS if tick >= lowest]
    axes.set_xticks(log_odds(np.array(shown)), [f"{100 * tick:g}{' +' if tick == HIGHEST else ''}" for tick in shown])
    matched = [h for c in found.curves for level in found.question.attainments if (h := c.hours_at(level)) is not None]
    axes.set_ylim(0, DEAREST * max(matched) if matched else None)


def _standalone(svg: str, *, title: str) -> str:
    """The figure as a file of its own: named, without a fixed size, with the colours it follows written into it."""
    body = svg[svg.index("<svg ") :]
    opening, rest = body.split(">", 1)
    box = opening.split('viewBox="', 1)[1].split('"', 1)[0]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{title}" viewBox="{box}"><style>{css_variables()} svg {{ background: var(--paper); }}</style>'
    )
    return head + themed(rest)
