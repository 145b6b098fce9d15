"""docs/benchmarks/risk-calibration.md and its figure, from the runs that bench/risk_calibration.py left on disk."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from foretide.cli.plots import RC
from foretide.cli.style import INK, MUTED, tone_of
from foretide.policies.flow import Floats

ROOT = Path(__file__).parents[1]
CELLS, PAGE = ROOT / "docs/benchmarks/risk-calibration", ROOT / "docs/benchmarks/risk-calibration.md"
IMAGE = ROOT / "docs/images/risk-calibration.png"
EDGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of promised risks; 1 belongs to the last band."""
TOLERANCE, WANTED = 0.3, 0.9
RESAMPLES, SEED = 2000, 1
KINDS = ("demand", "felt")
HEAD = """# Promised against observed risk (simulated)

Written by bench/risk_calibration.py. Each plan publishes, for the count that it leaves standing, the probability that
the objective breaks within the planning horizon (some 4 to 5 minutes). Here those probabilities are held against what
came, over all plans of closed-loop runs at accepted risks of 0.01, 0.05, 0.2 and 0.5 and a start-up of 120 s.

- **demand**: whether the demand that came would have broken the objective with that count, by the decision's own rule.
  This judges the forecast and what is made of it.
- **felt**: whether more requests than allowed missed a threshold, of those that arrived from one median cold start
  after the plan to the end of its horizon. This judges everything: later plans, replicas that were late, the capacity
  model. A plan whose count was raised soon after is judged with the higher one.

Plans overlap, so that neighbours tell much the same: intervals (95 %) are of a bootstrap over whole runs. A band holds
plans whose promised risk lies in it; it is in order where observed lies within 30 % of promised. Target: 90 % of plans
in bands that are in order.

What is seen: the target is missed everywhere. Where demand is like what was there before (generated-days,
servegen-mlarge), promised and demanded risks lie within a factor of 2 of each other for plans that promise 0.01 to 0.3,
and smaller promises are kept better than told. Where something comes that nothing announces (the crowds, the step, the
first twenty minutes of azure-conv, in which requests rise beyond all that the short history holds while a level-blind
tier has all the weight), plans that promise almost nothing are broken in 6, 8 and 39 % of the cases. No factor on risks
can mend that: it makes the other plans dearer. So recalibration stays out of the product.

With recalibration, a factor learned online from the demand of past plans multiplies what is published, and divides
what is accepted (bench/risk_recalibrated.py)."""


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Of one scenario, with or without recalibration; arrays (N,). `run` numbers the runs."""

    promised: Floats
    run: Floats
    demand: Floats
    felt: Floats


@dataclass(frozen=True, slots=True)
class Band:
    plans: int
    promised: float
    observed: float
    low: float
    high: float

    @property
    def in_order(self) -> bool:
        return abs(self.observed - self.promised) <= TOLERANCE * self.promised


def write_page(names: Sequence[str]) -> None:
    """A section for every scenario that was run, and one figure."""
    runs = {name: _read(name) for name in names if (CELLS / f"{name}.jsonl").exists()}
    if not runs:
        raise SystemExit(f"{CELLS}: no run is there; run bench/risk_calibration.py without --page")
    _figure(runs)
    lines = [HEAD, "", "![Promised against observed risk](../images/risk-calibration.png)", "", *_shares(runs)]
    for name, found in runs.items():
        lines += ["", f"## {name}", "", *_costs(found), "", *_bands_told(found)]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def plans_of(runs: Sequence[Mapping[str, Any]], *, corrected: bool) -> Plans:
    chosen = [one for one in runs if one["corrected"] is corrected]
    return Plans(
        promised=np.concatenate([np.asarray(one["p"], dtype=np.float64) for one in chosen]),
        run=np.concatenate([np.full(len(one["p"]), index, dtype=np.float64) for index, one in enumerate(chosen)]),
        demand=np.concatenate([_flags(one["demand"]) for one in chosen]),
        felt=np.concatenate([_flags(one["felt"]) for one in chosen]),
    )


def bands(plans: Plans, kind: str) -> Iterator[tuple[str, Band]]:
    """Bands that hold a plan, by their edges in words, for one of KINDS."""
    observed = plans.demand if kind == "demand" else plans.felt
    for low, high in pairwise(EDGES):
        inside = (plans.promised >= low) & ((plans.promised < high) | (high == EDGES[-1]))
        if inside.any():
            lowest, highest = _interval(observed[inside], plans.run[inside])
            promised, share = float(plans.promised[inside].mean()), float(observed[inside].mean())
            yield f"{low:g} to {high:g}", Band(int(inside.sum()), promised, share, lowest, highest)


def share_in_order(plans: Plans, kind: str) -> float:
    """Share of plans in bands that are in order."""
    found = [band for _, band in bands(plans, kind)]
    return sum(band.plans for band in found if band.in_order) / sum(band.plans for band in found)


def _interval(flags: Floats, run: Floats) -> tuple[float, float]:
    """95 % interval of the share of flags, over whole runs."""
    names, index = np.unique(run, return_inverse=True)
    broken, plans = np.bincount(index, weights=flags), np.bincount(index)
    drawn = np.random.default_rng(SEED).integers(0, len(names), (RESAMPLES, len(names)))
    shares = broken[drawn].sum(axis=1) / plans[drawn].sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)


def _read(name: str) -> list[dict[str, Any]]:
    lines = (CELLS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _flags(text: str) -> Floats:
    return np.array([int(one) for one in text], dtype=np.float64)


def _shares(runs: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    lines = ["Plans in bands that are in order (target 90 %):", ""]
    lines += [
        "| scenario | plans | demand | felt | demand, recalibrated | felt, recalibrated |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in runs.items():
        shipped, corrected = plans_of(found, corrected=False), plans_of(found, corrected=True)
        told = [f"{100 * share_in_order(plans, kind):.0f} %" for plans in (shipped, corrected) for kind in KINDS]
        lines.append(f"| {name} | {len(shipped.promised)} | {' | '.join(told)} |")
    return lines


def _costs(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "| accepted | promised | demand | felt | joint | GPU-hours | the last four, recalibrated |",
        "|---" * 7 + "|",
    ]
    for risk in sorted({one["risk"] for one in runs}):
        told = []
        for corrected in (False, True):
            chosen = [one for one in runs if one["risk"] == risk and one["corrected"] is corrected]
            plans = plans_of(chosen, corrected=corrected)
            means = [float(np.mean([one[key] for one in chosen])) for key in ("joint", "hours")]
            told.append((plans, means))
        (plain, (joint, hours)), (other, (joint_2, hours_2)) = told
        lines.append(
            f"| {risk:g} | {plain.promised.mean():.4f} | {plain.demand.mean():.4f} | {plain.felt.mean():.4f} |"
            f" {100 * joint:.2f} % | {hours:.2f} |"
            f" {other.demand.mean():.4f}, {other.felt.mean():.4f}, {100 * joint_2:.2f} %, {hours_2:.2f} |"
        )
    return lines


def _bands_told(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| recalibrated | promised risk | plans | mean promised | demand | felt |", "|---" * 6 + "|"]
    for corrected in (False, True):
        plans = plans_of(runs, corrected=corrected)
        for (name, demand), (_, felt) in zip(bands(plans, "demand"), bands(plans, "felt"), strict=True):
            shown = [f"{band.observed:.4f} ({band.low:.4f} to {band.high:.4f})" for band in (demand, felt)]
            head = f"| {'yes' if corrected else 'no'} | {name} | {demand.plans} | {demand.promised:.4f} |"
            lines.append(f"{head} {' | '.join(shown)} |")
    return lines


def _figure(runs: Mapping[str, list[dict[str, Any]]]) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(RC):
        figure = Figure(figsize=(9.0, 7.6), layout="constrained")
        grid = figure.subplots(2, 2, sharex=True, sharey=True)
        for row, corrected in zip(grid, (False, True), strict=True):
            for axes, kind in zip(row, KINDS, strict=True):
                axes.plot([0, 1], [0, 1], color=MUTED.light, lw=0.9)
                for name, found in runs.items():
                    _line(axes, list(bands(plans_of(found, corrected=corrected), kind)), name, tuple(runs))
                axes.set_xscale("symlog", linthresh=0.003)
                axes.set_yscale("symlog", linthresh=0.003)
                axes.set_title(f"{kind}{', recalibrated' if corrected else ''}", loc="left", fontsize=9)
        grid[1][0].set(xlabel="promised risk", ylabel="observed")
        grid[0][0].legend(loc="upper left", handlelength=1.6)
        figure.suptitle("Promised against observed risk of a plan, simulated", x=0.01, ha="left", color=INK.light)
        figure.savefig(IMAGE, dpi=110, facecolor="white", metadata={"Software": None})


def _line(axes: Any, found: Sequence[tuple[str, Band]], name: str, names: tuple[str, ...]) -> None:
    color = tone_of(name, names).light
    promised, observed = [band.promised for _, band in found], [band.observed for _, band in found]
    spread = np.array([(band.observed - band.low, band.high - band.observed) for _, band in found]).T
    axes.errorbar(promised, observed, yerr=np.maximum(spread, 0), color=color, marker="o", ms=4, lw=1.2, label=name)
