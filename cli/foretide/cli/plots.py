"""The report's figures, as inline SVG that follows the reader's light or dark setting.

Promised: the same runs give the same bytes; long series are thinned, so that a figure stays below about 200 kB.
NOT promised: that a figure shows every request. Curves are thinned to the points that the eye can tell apart.
"""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from foretide.cli.style import BAND, BROKEN, DEMAND, FONT, INK, LINE, MUTED, Tone, duration, themed, tone_of
from foretide.policies.flow import Floats, LatencyTarget, Objective
from foretide.simulator.faults import Crash
from foretide.simulator.run import PolicyRun
from foretide.simulator.score import Flags, within

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
HOUR = 3600.0
WIDTH = 9.0
MOST_POINTS = 700
NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "end to end"}
SHARES = (0.0, 0.5, 0.9, 0.99, 0.999)
RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "foretide",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK.light,
    "axes.labelcolor": MUTED.light,
    "axes.edgecolor": LINE.light,
    "axes.titlecolor": INK.light,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE.light,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED.light,
    "ytick.color": MUTED.light,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


SHORTEST = 1 / 60
"""Hours that an axis shows at least: a trace of one moment is a minute wide."""


def thinned(*, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most about MOST_POINTS points; of each stretch the lowest and the highest stay, so that no spike is lost."""
    if len(x) <= MOST_POINTS:
        return x, y
    keep = {0, len(x) - 1}
    for stretch in np.array_split(np.arange(len(x)), MOST_POINTS // 2):
        values = np.nan_to_num(y[stretch], nan=-np.inf)
        keep.update((int(stretch[values.argmin()]), int(stretch[values.argmax()])))
    chosen = np.array(sorted(keep))
    return x[chosen], y[chosen]


def smoothed(*, x: Floats, y: Floats, width: float) -> tuple[Floats, Floats]:
    """Means over even stretches of `width` (same unit as x), placed at the middle of each stretch."""
    bins = np.floor(x / width).astype(int)
    starts = np.unique(bins)
    return (starts + 0.5) * width, np.array([_mean(y[bins == start]) for start in starts])


def _mean(values: Floats) -> float:
    """Of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _styled(draw: Callable[P, str]) -> Callable[P, str]:
    """Draws under our own settings, and leaves matplotlib's as they were."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> str:
        from matplotlib import rc_context

        with rc_context(RC):
            return draw(*args, **kwargs)

    return drawn


def _names(runs: Sequence[PolicyRun]) -> tuple[str, ...]:
    return tuple(run.policy for run in runs)


def _tone(run: PolicyRun, runs: Sequence[PolicyRun]) -> Tone:
    return tone_of(run.policy, _names(runs))


def _panels(count: int, *, height: float, one_axis: bool = True) -> "tuple[Figure, list[Axes]]":
    """A figure of `count` stacked panels, by default on one time axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(count, 1, sharex=one_axis, squeeze=False)[:, 0])


def _svg(figure: "Figure", *, title: str) -> str:
    """The figure as an `<svg>` element with an accessible name, without XML prolog, date or fixed size."""
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    body = target.getvalue()
    body = body[body.index("<svg ") :]
    opening, rest = body.split(">", 1)
    box = opening.split('viewBox="', 1)[1].split('"', 1)[0]
    head = f'<svg role="img" aria-label="{title}" viewBox="{box}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return themed(head + rest.replace("'DejaVu Sans'", FONT.replace('"', "'")))


def _legend(axes: "Axes", *, columns: int = 4) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2, handlelength=1.6)


@_styled
def demand_figure(*, runs: Sequence[PolicyRun], carried: Callable[[Floats], Floats]) -> str:
    """What arrived, what was expected one cold start before, and what each fleet could carry.

    `carried` turns ready replicas into requests/s.
    """
    figure, (axes,) = _panels(1, height=3.6)
    outlook = next((found for run in runs if (found := run.outlook()) is not None), None)
    if outlook is not None:
        x = outlook.at / HOUR
        axes.fill_between(x, outlook.low, outlook.high, color=BAND.light, alpha=0.45, lw=0, label="forecast, 5-95 %")
    seen = runs[0].series
    hours, demand = smoothed(x=seen.at / HOUR, y=seen.demand, width=1 / 60)
    axes.plot(*thinned(x=hours, y=demand), color=DEMAND.light, lw=1.1, label="demand, 1-minute mean")
    for run in runs:
        x, y = _steps(run.series.at / HOUR, carried(run.series.ready))
        (line,) = axes.plot(x, y, color=_tone(run, runs).light, drawstyle="steps-post", label=f"{run.policy} carries")
        line.set(lw=1.2, zorder=2 + (run is runs[0]))
    _shade(axes, runs[0])
    top = min(axes.get_ylim()[1], 2.2 * float(np.nanmax([*demand, 0.0])) or 1.0)
    axes.set(ylabel="requests/s", xlabel="hours", ylim=(0, top), xlim=(0, max(seen.at[-1] / HOUR, SHORTEST)))
    _legend(axes, columns=3)
    return _svg(figure, title="Demand, forecast and capacity over time")


def _shade(axes: "Axes", run: PolicyRun) -> None:
    """What was wrong, as spans behind the curves; a crash is a line. Each kind is named once."""
    end, named = run.series.at[-1] / HOUR, set[str]()
    for fault in run.faults:
        begins, ends = fault.at / HOUR, min(fault.until / HOUR, end)
        label = None if fault.kind in named else fault.kind
        named.add(fault.kind)
        if isinstance(fault, Crash):
            axes.axvline(begins, color=MUTED.light, lw=0.9, ls=":", label=label)
        else:
            axes.axvspan(begins, ends, color=MUTED.light, alpha=0.12, lw=0, label=label)


def _steps(x: Floats, *functions: Floats) -> tuple[Floats, ...]:
    """Only the points at which one of the step functions of x changes, and the last."""
    changes = [np.flatnonzero(np.diff(y, prepend=np.nan) != 0) for y in functions]
    chosen = np.unique(np.concatenate([*changes, [len(x) - 1]]))
    return tuple(values[chosen] for values in (x, *functions))


@_styled
def replicas_figure(runs: Sequence[PolicyRun]) -> str:
    """Per policy: replicas ready, starting on top of them, and the desired count."""
    figure, panels = _panels(len(runs), height=0.7 + 1.7 * len(runs))
    highest = max(float((run.series.ready + run.series.starting).max()) for run in runs)
    for axes, run in zip(panels, runs, strict=True):
        seen, tone = run.series, _tone(run, runs).light
        hours, ready, both, desired = _steps(seen.at / HOUR, seen.ready, seen.ready + seen.starting, seen.desired)
        axes.fill_between(hours, 0, ready, step="post", color=tone, alpha=0.35, lw=0, label="ready")
        axes.fill_between(hours, ready, both, step="post", color=BROKEN.light, alpha=0.4, lw=0, label="starting")
        axes.plot(hours, desired, color=tone, drawstyle="steps-post", lw=1.3, label="desired")
        _shade(axes, run)
        axes.set(ylabel="replicas", ylim=(0, highest * 1.08), xlim=(0, max(hours[-1], SHORTEST)))
        axes.set_title(run.policy, loc="right", color=tone, fontweight="bold")
        axes.locator_params(axis="y", integer=True, nbins=5)
    _legend(panels[0])
    panels[-1].set_xlabel("hours")
    return _svg(figure, title="Replicas desired, ready and starting, per policy")


def share_per_window(*, arrival_s: Floats, met: Flags, window_s: float) -> tuple[Floats, Floats]:
    """Starts of the windows and the share of their arrivals that met the target; NaN where nothing arrived."""
    index = (arrival_s // window_s).astype(np.int64)
    arrived, kept = np.bincount(index), np.bincount(index, weights=met)
    shares: Floats = np.divide(kept, arrived, out=np.full(len(arrived), np.nan), where=arrived > 0)
    return window_s * np.arange(len(arrived), dtype=np.float64), shares


def _shares(axes: "Axes", runs: Sequence[PolicyRun], *, name: str, target: LatencyTarget, window: float) -> None:
    for run in runs:
        met = within(outcome=run.outcome, name=name, target=target)
        starts, shares = share_per_window(arrival_s=run.outcome.arrival_s, met=met, window_s=window)
        middle = (starts + window / 2) / HOUR
        axes.plot(middle, 100 * shares, color=_tone(run, runs).light, marker=".", ms=4, lw=1.1, label=run.policy)
        broken = shares < target.percentile / 100
        axes.plot(middle[broken], 100 * shares[broken], ls="", marker="o", ms=5.5, mfc="none", mec=BROKEN.light)


@_styled
def attainment_figure(*, runs: Sequence[PolicyRun], objective: Objective) -> str:
    """Per declared objective: the share of each window's requests within the threshold; broken windows are ringed."""
    declared = objective.declared()
    figure, panels = _panels(len(declared), height=0.7 + 1.8 * len(declared))
    for axes, (name, target) in zip(panels, declared.items(), strict=True):
        _shares(axes, runs, name=name, target=target, window=objective.window_s)
        axes.axhline(target.percentile, color=BROKEN.light, lw=0.9, ls=(0, (4, 3)))
        axes.set(ylabel="% of requests", xlim=(0, runs[0].series.at[-1] / HOUR))
        lowest = min(axes.get_ylim()[0], target.percentile - 1)
        axes.set_ylim(lowest, 100 + 0.04 * (100 - lowest))
        title = f"{NAMES[name]} within {duration(target.threshold_s)}, promised for {target.percentile:g} %"
        axes.set_title(title, loc="right", fontsize=9)
    _legend(panels[0])
    panels[-1].set_xlabel("hours")
    return _svg(figure, title="Share of requests within each threshold, per window")


def nines(share: Floats) -> Floats:
    """-log10(1 - share): 0.9 -> 1, 0.99 -> 2. Spreads the tail, where percentile promises are kept or broken."""
    return -np.log10(np.maximum(1.0 - share, 1e-6))


def slower_curve(seconds: Floats, *, of: int) -> tuple[Floats, Floats]:
    """Times ascending, and the share of `of` requests that was done by then; unfinished ones keep it below 1."""
    known = np.sort(seconds[np.isfinite(seconds)])
    if not len(known):
        return np.empty(0), np.empty(0)
    tail = 1.0 - np.logspace(0, -4, MOST_POINTS // 2)
    ranks = np.unique(np.floor(tail * len(known)).astype(int))
    return known[ranks], (ranks + 1) / of


@_styled
def latency_figure(*, runs: Sequence[PolicyRun], objective: Objective) -> str:
    """Per declared objective: how many requests were done by when. A kept promise passes above the ringed corner."""
    declared = objective.declared()
    figure, panels = _panels(len(declared), height=0.8 + 2.3 * len(declared), one_axis=False)
    for axes, (name, target) in zip(panels, declared.items(), strict=True):
        for run in runs:
            times, shares = slower_curve(getattr(run.outcome, f"{name}_s"), of=_counted(run, name))
            axes.plot(1000 * times, nines(shares), color=_tone(run, runs).light, label=run.policy)
        _corner(axes, target)
        axes.set(xscale="log", ylim=(0, 3.4), xlabel=f"{NAMES[name]}, ms (log scale)", ylabel="% done by then")
        axes.set_yticks(nines(np.array(SHARES)), [f"{100 * share:g}" for share in SHARES])
        _plain_ticks(axes)
    _legend(panels[0])
    return _svg(figure, title="Distribution of latencies, with the promised thresholds")


def _counted(run: PolicyRun, name: str) -> int:
    """How many requests a curve speaks of: all, but for TPOT without those that finished with a single token."""
    seconds: Floats = getattr(run.outcome, f"{name}_s")
    return len(seconds) - int((np.isnan(seconds) & np.isfinite(run.outcome.e2e_s)).sum())


def _plain_ticks(axes: "Axes") -> None:
    """1000 instead of 10^3: log ticks as text survive every font."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _corner(axes: "Axes", target: LatencyTarget) -> None:
    at, level = 1000 * target.threshold_s, float(nines(np.array(target.percentile / 100)))
    axes.axvline(at, color=BROKEN.light, lw=0.9, ls=(0, (4, 3)))
    axes.axhline(level, color=BROKEN.light, lw=0.9, ls=(0, (4, 3)))
    axes.plot([at], [level], ls="", marker="o", ms=8, mfc="none", mec=BROKEN.light)
