"""What the issue asks of the forecaster, beside what was reached: lines of docs/benchmarks/forecasts.md.

What is NOT promised: that a band missed by little is a defect. With 500 to 750 overlapping origins a perfect forecast
leaves the band of 4-6 % on many series; the interval beside each share says how far it may be from its expectation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foretide.forecaster.evaluate.baselines.catalogue import SIMPLE_NAMES, TIER_NAMES
from foretide.forecaster.evaluate.relative import RESAMPLES, best_of

OURS = ("pooled", "pooled-uncalibrated", "pooled-with-flow", "flow", "shipped-network")
POOLS = ("pooled", "pooled-uncalibrated", "pooled-with-flow")
LIBRARIES = ("deepar", "deepar-defaults", "patchtst", "patchtst-defaults", "nhits", "nhits-defaults")
WQL, COST, WORST = 0.82, 0.75, 1.02
FISHER_CRPS, FISHER_MSE = 0.059, 0.0415
BANDS = {"coverage80": (0.78, 0.82), "coverage95": (0.94, 0.96), "peak_q95_exceeded": (0.04, 0.06)}
PUBLISHED = {"crps": 0.0913, "mse": 0.0432}
"""HARMONY's repository, mean of these seven containers; context 144 and 72."""
Cell = Mapping[str, Any]
Against = Mapping[str, Mapping[str, Any]]


def ratios(against: Against, *, learned_best: bool = True) -> list[str]:
    """wQL and decision cost against the best simple rule of each series: ours, and the best of all."""
    ours = [name for name in OURS if name in against]
    rivals = [name for name in against if name not in SIMPLE_NAMES]
    head = ["target", *ours, *(["best of all that are no rule"] if learned_best else [])]
    lines = [_row(head), "|" + "---|" * len(head)]
    for score, bound, words in (("wql", WQL, "wQL"), ("decision_cost", COST, "decision cost")):
        told = [_against(against[name][score]["ratio"], bound) for name in ours]
        best = min(rivals, key=lambda name: against[name][score]["ratio"], default=None)
        last = [f"{best} {_against(against[best][score]['ratio'], bound)}"] if learned_best and best else []
        lines.append(_row([f"{words} at most {bound} x the best rule", *told, *last]))
    return lines


def fisher(cells: Sequence[Cell]) -> list[str]:
    """Means over the containers beside HARMONY's; only models that ran on all of them."""
    groups = {cell["group"] for cell in cells}
    by_model: dict[str, list[Cell]] = {}
    for cell in cells:
        by_model.setdefault(cell["model"], []).append(cell)
    means = {
        model: {score: float(np.mean([cell["figures"][score] for cell in found])) for score in ("crps", "mse")}
        for model, found in by_model.items()
        if len(found) == len(groups)
    }
    shown = [name for name in (*OURS, "gaussian-head", "harmony-as-published", "harmony-as-scored") if name in means]
    best = {score: min(means, key=lambda model: means[model][score]) for score in ("crps", "mse")}
    head = ["target, mean of containers", *shown, "best of all", "HARMONY's own figure"]
    lines = [_row(head), "|" + "---|" * len(head)]
    for score, bound, words in (("crps", FISHER_CRPS, "CRPS"), ("mse", FISHER_MSE, "MSE")):
        told = [_against(means[name][score], bound, 4) for name in shown]
        top = f"{best[score]} {_against(means[best[score]][score], bound, 4)}"
        lines.append(_row([f"{words} at most {bound}", *told, top, f"{PUBLISHED[score]}"]))
    return lines


def worst_of_pools(cells: Sequence[Cell]) -> list[str]:
    """Each pool against the best tier alone, by CRPS, series by series."""
    lines = []
    for pool in POOLS:
        tiers = (*TIER_NAMES, "flow") if pool == "pooled-with-flow" else TIER_NAMES
        told = _against_tiers(cells, pool, tiers, "crps")
        if told:
            kept = sum(ratio <= WORST for ratio, _ in told.values())
            each = ", ".join(_told(group, found, WORST) for group, found in told.items())
            lines.append(f"- `{pool}` at most {WORST} x the best tier: {kept} of {len(told)} series. {each}.")
    return lines


def zero_shot(cells: Sequence[Cell]) -> list[str]:
    """The network that ships, which saw no row of these series, against the best tier alone, series by series."""
    lines = []
    for score, words in (("crps", "CRPS"), ("decision_cost", "decision cost")):
        told = _against_tiers(cells, "shipped-network", TIER_NAMES, score)
        if told:
            each = ", ".join(_told(group, found, 1.0) for group, found in told.items())
            lines.append(f"- `shipped-network`, zero-shot, {words} over the best tier's: {each}.")
    return lines


def _against_tiers(cells: Sequence[Cell], model: str, tiers: Sequence[str], score: str) -> dict[str, tuple[float, str]]:
    """By series: the model's score over that of the best tier there, and that tier's name."""
    table: dict[str, dict[str, float]] = {}
    for cell in cells:
        table.setdefault(cell["model"], {})[cell["group"]] = float(cell["figures"][score])
    best = best_of(table, tiers)
    own = table.get(model, {})
    return {group: (own[group] / best[group][1], best[group][0]) for group in sorted(own) if group in best}


def _told(group: str, found: tuple[float, str], bound: float) -> str:
    ratio, tier = found
    return _marked(f"{group} {ratio:.3f} ({tier})", fine=ratio <= bound)


def bands(cells: Sequence[Cell]) -> list[str]:
    """Coverage and exceedance of our pools and network per series; what misses its band is bold."""
    shown = [name for name in OURS if any(cell["model"] == name for cell in cells)]
    head = ["series", "model", "80 % covers (.78-.82)", "95 % covers (.94-.96)", "peak above q95 (4-6 %)"]
    lines = [_row(head), "|" + "---|" * len(head)]
    for cell in sorted(
        cells, key=lambda cell: (cell["group"], shown.index(cell["model"]) if cell["model"] in shown else 0)
    ):
        if cell["model"] in shown:
            figures = cell["figures"]
            inside = {name: name not in outside(cell) for name in BANDS}
            told = [_marked(f"{figures[name]:.3f}", fine=inside[name]) for name in ("coverage80", "coverage95")]
            low, high = exceeded_interval(cell)
            peak = _marked(f"{figures['peak_q95_exceeded']:.1%}", fine=inside["peak_q95_exceeded"])
            lines.append(_row([cell["group"], cell["model"], *told, f"{peak} ({low:.1%} to {high:.1%})"]))
    return lines if len(lines) > 2 else []


def missed(cells: Sequence[Cell]) -> list[str]:
    """Which series leave which band, a line for each pool."""
    words = {"coverage80": "80 %", "coverage95": "95 %", "peak_q95_exceeded": "peak"}
    lines = []
    for pool in POOLS:
        found = {cell["group"]: outside(cell) for cell in cells if cell["model"] == pool}
        if found:
            whole = sum(not names for names in found.values())
            named = [
                f"{group} ({', '.join(words[name] for name in names)})"
                for group, names in sorted(found.items())
                if names
            ]
            told = f" Missed: {', '.join(named)}." if named else ""
            lines.append(f"- `{pool}` keeps all three bands of calibration on {whole} of {len(found)} series.{told}")
    return lines


def outside(cell: Cell) -> list[str]:
    """The bands that the cell's figures leave, as they are shown."""
    return [name for name, (low, high) in BANDS.items() if not low <= round(cell["figures"][name], 3) <= high]


def exceeded_interval(cell: Cell, *, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the share of origins whose peak was exceeded, blocks of time resampled."""
    above = np.asarray(cell["by_origin"]["exceeded"])
    scored = np.asarray(cell["by_origin"]["scored"])
    picks = np.random.default_rng(seed).integers(0, len(above), size=(RESAMPLES, len(above)))
    shares = above[picks].sum(axis=1) / np.maximum(scored[picks].sum(axis=1), 1.0)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def libraries(families: Mapping[str, Against]) -> list[str]:
    """Our CRPS and cost over each library network's, per family: below 1 it is beaten."""
    head = ["rival", "ours", *families]
    lines = [_row(head), "|" + "---|" * len(head)]
    for rival in LIBRARIES:
        for ours in ("pooled", "pooled-with-flow", "flow"):
            told = [_versus(against, ours, rival) for against in families.values()]
            if any(told):
                lines.append(_row([rival, ours, *(each or "-" for each in told)]))
    return lines if len(lines) > 2 else []


def _versus(against: Against, ours: str, rival: str) -> str:
    if ours not in against or rival not in against:
        return ""
    found = [against[ours][score]["ratio"] / against[rival][score]["ratio"] for score in ("crps", "decision_cost")]
    return " / ".join(_marked(f"{ratio:.2f}", fine=ratio < 1) for ratio in found)


def _against(value: float, bound: float, digits: int = 3) -> str:
    return f"{value:.{digits}f} {'met' if value <= bound else '**missed**'}"


def _marked(words: str, *, fine: bool) -> str:
    return words if fine else f"**{words}**"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
