"""The page of bench/warm_tiers.py: curves, what each policy pays at equal terms, and published cold starts again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from foretide.simulator.curve import envelope
from foretide.simulator.serverless.bursts import BETWEEN_MEAN_S, BETWEEN_SD_S, PUBLISHED, Weibull, starts

Cell = dict[str, Any]
RIVALS = {"fixed": "fixed keep-alive", "hybrid": "hybrid histogram", "greedy-dual": "greedy-dual"}
BOUNDS = {"hindsight": "best by idle time, in hindsight", "oracle": "oracle"}
AT_MINUTES = (5, 10, 20, 60)
"""Fixed keep-alives at whose cost, and at whose cold starts, the others are compared."""
STYLES = {
    "fixed": ("#888888", "o-"),
    "hybrid": ("#c44e52", "s-"),
    "greedy-dual": ("#8172b2", "^-"),
    "foretide": ("#1f6fb2", "D-"),
    "hindsight": ("#55a868", "--"),
    "oracle": ("black", "*"),
}
KINDS = {
    "azure-functions": "Azure Functions 2019, one day, {models} functions (half of a sample; 18 hours scored)",
    "generated-1": "Generated: {models} models, Zipf popularity, sessions by day, some timers; 7 days, 5 scored",
    "genai-images": "Alibaba GenAI 2026, image requests by base model: {models} models, 24 days, 20 scored",
}

HEAD = """# How long idle models stay warm (simulated)

Written by `python bench/warm_tiers.py run` and then `page`; do not edit.

Many models, each one replica at most, on a grid of minutes; a start from zero takes 80 s and occupies its GPUs. A
minute with requests is served ready; `GPU-hours` are those minutes, what is held idle, and all starts. A request is
cold-started when it comes before the start that it, or one before it, set off has ended. Inside a minute requests are
taken to be evenly spread (reconstructed). Every policy learns from nothing while it serves.

- `fixed keep-alive` of 1 to 240 minutes: 1 is Knative's stable window, 5 KEDA's cooldown at their defaults, 10 and 20
  are common on platforms. `hybrid histogram` (Serverless in the Wild, ATC 2020; with means in place of ARIMA) with its
  range from 5 minutes to 4 hours. `greedy-dual` (FaaSCache, ASPLOS 2021) with 5 to 300 slots.
- `Foretide`: the hazard of each model's idle gaps, borrowed from the fleet where there are few, and the cheapest plan
  for it; one knob, what a second of waiting is worth, from 0.3 to 64 GPU-seconds.
- Bounds: the same rule with each model's hazards taken from the very trace that it is run on (what it would do if it
  had nothing to learn), and an oracle that knows the future.

Constants were chosen on the other half of the functions and on another seed; one of them (how much a single minute's
hazard is smoothed) a second time, there again, after a first run of this page had shown starts in vain on the generated
fleet. Between settings cold-started requests are interpolated on each policy's lower envelope; "-" where its curve does
not reach. A model's first request ever is a cold start for everybody, the oracle too.

![Cold-started requests against GPU-hours](../images/warm-tiers.png)
"""
TAIL = """
## A tier in between: engines that sleep

The same keeper with a third tier: asleep, 2 s to wake, at a tenth of the GPUs (our figures; measure yours). Hours of
waiting of all requests against GPU-hours, at the same worth of a second. `all in` is GPU-hours and waiting at its
worth.

| trace | worth | zero or ready: GPU-hours, waited | with sleeping: GPU-hours, waited | all in |
|---|---|---|---|---|
{tiers}

## Cold starts as published

Huawei's platform (EuroSys 2025) published the mean and standard deviation of start times, 3.24 s and 7.10 s
(lognormal), and of the time between starts, 1.25 s and 3.66 s (Weibull). {count:,} generated starts:

| | mean | standard deviation | median | p99 |
|---|---|---|---|---|
{bursts}

With contention of {contention:.0%} for each start under way (our figure), the time taken and the number under way have
a Spearman correlation of {crowded:.2f} ({alone:.2f} without); published regions lie between -0.1 and 0.7.
"""


def write(page: Path, out: Path, *, traces: tuple[str, ...]) -> None:
    """Page and picture from the cells in `out`."""
    found = {trace: cells(out, trace) for trace in traces}
    plot(found, page.parents[1] / "images/warm-tiers.png")
    parts = [HEAD, *(section(trace, curves) for trace, curves in found.items()), tail(found)]
    page.write_text("\n".join(parts), encoding="utf-8")


def cells(out: Path, trace: str) -> dict[str, dict[float, Cell]]:
    """Policy -> setting -> cell."""
    curves: dict[str, dict[float, Cell]] = {}
    for path in sorted(out.glob(f"{trace}--*.json")):
        _, policy, setting = path.stem.split("--")
        curves.setdefault(policy, {})[float(setting)] = json.loads(path.read_text(encoding="utf-8"))
    return {policy: dict(sorted(curve.items())) for policy, curve in curves.items()}


def hours(one: Cell) -> float:
    return float(one["gpu_s"]) / 3600.0


def section(trace: str, curves: dict[str, dict[float, Cell]]) -> str:
    one = curves["fixed"][1.0]
    title = KINDS[trace].format(models=one["models"])
    lines = [
        f"## {title}\n",
        f"{one['requests']:,} requests; {one['serving_s'] / 3600:,.0f} GPU-hours in which there were any.\n",
    ]
    return "\n".join([*lines, *at_equal(curves), "", *spread_of(curves)])


def at_equal(curves: dict[str, dict[float, Cell]]) -> Iterator[str]:
    others = {"hybrid": "hybrid histogram", "greedy-dual": "greedy-dual", "foretide": "**Foretide**"} | {
        "hindsight": "hindsight"
    }
    names = " | ".join(others.values())
    yield "Cold-started requests at the GPU-hours of a fixed keep-alive, and GPU-hours at its cold-started requests:\n"
    yield f"| keep-alive | GPU-hours | cold-started | {names} |"
    yield "|---|---|---|" + "---|" * len(others)
    for minutes in AT_MINUTES:
        fixed = curves["fixed"][float(minutes)]
        terms = [told(curves[policy], fixed) for policy in others]
        yield f"| {minutes} min | {hours(fixed):,.0f} | {fixed['cold_requests']:,.0f} | {' | '.join(terms)} |"


def told(curve: dict[float, Cell], fixed: Cell) -> str:
    cold, cost = cold_at(curve, hours(fixed)), hours_for(curve, fixed)
    one = "-" if cold is None else f"{cold:,.0f} ({change(cold, fixed['cold_requests'])})"
    other = "-" if cost is None else f"{cost:,.0f} h ({change(cost, hours(fixed))})"
    return f"{one}; {other}"


def change(value: float, reference: float) -> str:
    return f"{100 * (value / reference - 1):+.0f} %"


def lower(curve: dict[float, Cell]) -> tuple[np.ndarray, np.ndarray]:
    """Warm-started share and GPU-hours on the envelope, both ascending."""
    warm = np.array([1.0 - one["cold_requests"] / one["requests"] for one in curve.values()])
    return envelope(joint=warm, hours=np.array([hours(one) for one in curve.values()]))


def cold_at(curve: dict[float, Cell], budget: float) -> float | None:
    """Cold-started requests for so many GPU-hours."""
    warm, cost = lower(curve)
    if not cost[0] <= budget <= cost[-1]:
        return None
    requests = next(iter(curve.values()))["requests"]
    return float(requests * (1.0 - np.interp(budget, cost, warm)))


def hours_for(curve: dict[float, Cell], fixed: Cell) -> float | None:
    """GPU-hours for as few cold-started requests."""
    warm, cost = lower(curve)
    wanted = 1.0 - fixed["cold_requests"] / fixed["requests"]
    return float(np.interp(wanted, warm, cost)) if warm[0] <= wanted <= warm[-1] else None


def spread_of(curves: dict[str, dict[float, Cell]]) -> Iterator[str]:
    yield "| policy | setting | GPU-hours | held idle | starts | cold-started requests | pods with utility ratio < 1 |"
    yield "|---|---|---|---|---|---|---|"
    for policy, name in (RIVALS | {"foretide": "**Foretide**"} | BOUNDS).items():
        for setting, one in curves[policy].items():
            if policy == "greedy-dual" and setting not in (20, 60, 130, 250):
                continue
            share = one["pods_below_1"] / max(1, one["pods"])
            row = f"{hours(one):,.0f} | {one['held_s'] / 3600:,.0f} | {one['starts']:,} | {one['cold_requests']:,.0f}"
            yield f"| {name} | {setting:g} | {row} ({one['cold_requests'] / one['requests']:.2%}) | {share:.0%} |"


def tail(found: dict[str, dict[str, dict[float, Cell]]]) -> str:
    count, contention = 100_000, 0.05
    between = Weibull.of_moments(mean_s=BETWEEN_MEAN_S, sd_s=BETWEEN_SD_S)
    alone, crowded = (
        starts(count=count, tier=PUBLISHED, between=between, contention=c, seed=1) for c in (0.0, contention)
    )
    return TAIL.format(
        tiers="\n".join(tier_lines(found)),
        count=count,
        bursts="\n".join(
            f"| {name} | {v.mean():.2f} s | {v.std():.2f} s | {np.median(v):.2f} s | {np.quantile(v, 0.99):.1f} s |"
            for name, v in (("time taken", alone.took_s), ("time between starts", np.diff(alone.began_s)))
        ),
        contention=contention,
        crowded=spearmanr(crowded.others, crowded.took_s).statistic,
        alone=spearmanr(alone.others, alone.took_s).statistic,
    )


def tier_lines(found: dict[str, dict[str, dict[float, Cell]]]) -> Iterator[str]:
    for trace, curves in found.items():
        for worth, two in curves["foretide"].items():
            three = curves["foretide-sleeping"][worth]
            all_in = [hours(one) + worth * one["waited_s"] / 3600.0 for one in (two, three)]
            pair = " | ".join(f"{hours(one):,.0f} h, {one['waited_s'] / 3600:,.1f} h" for one in (two, three))
            if worth in (1.0, 3.0, 8.0, 24.0, 64.0):
                yield f"| {trace} | {worth:g} | {pair} | {change(all_in[1], all_in[0])} |"


def plot(found: dict[str, dict[str, dict[float, Cell]]], path: Path) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "foretide", "font.size": 9}):
        figure = Figure(figsize=(4.2 * len(found), 4.4), layout="constrained")
        for axes, (trace, curves) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
            for policy, (colour, style) in STYLES.items():
                points = [(hours(one), max(0.5, one["cold_requests"])) for one in curves[policy].values()]
                axes.plot(*zip(*points, strict=True), style, color=colour, label=name_of(policy), ms=4, lw=1.2)
            axes.set(title=trace, xlabel="GPU-hours", yscale="log")
            axes.grid(alpha=0.25)
        figure.axes[0].set_ylabel("cold-started requests")
        figure.axes[0].legend(fontsize=7)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def name_of(policy: str) -> str:
    names: Callable[[str], str] = (RIVALS | BOUNDS | {"foretide": "Foretide"}).__getitem__
    return names(policy)
