"""docs/benchmarks/concurrency-together.md from the cells that bench/concurrency_together.py left on disk.

Verdicts are computed from the cells; no figure of the page is written by hand.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from foretide.simulator.curve import Ratio, Trials, draws, hours_at, ratio_at

PAGE = Path(__file__).parents[1] / "docs/benchmarks/concurrency-together.md"
ATTAINMENTS = (0.99, 0.95, 0.9)
TOLD = {
    "default": "the default limit, never tuned",
    "n*": "n* set freely in every window",
    "in-time": "`foretide tuner`, `tune: Rule`",
    "learn": "`tune: Learn`, the shielded bandit",
}
TUNED = ("in-time", "learn")
KNOBS = {"knative": "Knative's share", "foretide": "Foretide's accepted risk"}
HEAD = """# Replicas and the concurrency limit together (simulated)

Written by bench/concurrency_together.py; [the tuner](../concurrency.md) says what it is. What does tuning the limit
save where an autoscaler sets the replicas beside it? Every figure is simulated, request by request: GPU-hours of the
whole run, starting and draining replicas included, at the same share of requests within TTFT 2 s and TPOT 50 ms.
Llama-3.1-8B on an A100, 1.1 times slower than its kernel tables; a start takes 80 s in the median.

The limit is the engine's own, so what is beyond it waits in the engine. A window is 60 s; the tuner sees the replicas
that were ready throughout, with `Learn` one of them is the canary; a change restarts nothing. Arms differ in the limit
alone. Under **knative** the limit is the concurrency of which its autoscaler aims at a share, so that a limit is also
a size of the fleet (default 100); under **foretide** a replica's capacity is measured anew at each limit (default 256,
vLLM's), rounded to a power of two here. To match promises each arm runs at several settings of the autoscaler's own
knob ({settings}) and hours are read off its curve between them;
where the cheapest setting does better already, its own hours count. Traffic: `day`, a generated day of chat in 40
minutes; `crowd`, the same with a flash crowd; `long-nights`, chat by day and summaries by night, where n* is 0.6 of
that by day; `azure-conv`, the recorded conversation trace of 2023 at twice its rate, judged on its last two thirds,
under Knative alone.

Ratios are to the default's hours, below 1 is cheaper; intervals are 95 %, of a paired bootstrap over seeds, on
the recorded trace over blocks of time too: {seeds}. So few seeds show little of the tails. No setting of tuner or
autoscalers was chosen on these runs{added}.
"""
ADDED = " but for Knative's smallest share, which was added after a first look, in which it kept 99 % nowhere"
FIRST_LOOK = 0.25
"""Knative's smallest share then."""
KEPT = """
| arm | settings tried: GPU-hours, requests within both |
|---|---|
"""


def trials(arm: Mapping[str, Any]) -> Trials:
    return Trials(*(np.array(arm[name], dtype=np.float64) for name in ("gpu_hours", "requests", "kept")))


def told(ratio: Ratio | None) -> str:
    if ratio is None:
        return "not reached"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.3f} (no interval: too few resamples get there)"
    return f"{ratio.value:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def verdict(ratio: Ratio | None) -> str:
    """In one word, only where the interval leaves no doubt."""
    if ratio is None or ratio.low is None or ratio.high is None:
        return "unknown"
    if ratio.high < 1.0:
        return "saves"
    return "costs" if ratio.low > 1.0 else "no difference shown"


class Cell:
    """One traffic under one autoscaler."""

    def __init__(self, path: Path) -> None:
        row = json.loads(path.read_text(encoding="utf-8"))
        self.settings, within = row["settings"], row["within"]
        self.arms = {name: trials(arm) for name, arm in row["arms"].items()}
        seeds, blocks = next(iter(self.arms.values())).requests.shape[1:]
        self._weights = draws(seeds=seeds, blocks=blocks, within=within, seed=0)
        self.seeds = seeds

    def hours(self, arm: str, attainment: float) -> float | None:
        one = self.arms[arm]
        return hours_at(attainment, joint=one.joint(), hours=one.hours())

    def ratio(self, arm: str, attainment: float, *, to: str = "default") -> Ratio | None:
        return ratio_at(attainment, policy=self.arms[arm], reference=self.arms[to], weights=self._weights)

    def table(self) -> str:
        lines = ["| arm | " + " | ".join(f"hours at {level:.0%} | to the default" for level in ATTAINMENTS) + " |"]
        lines.append("|---" * (1 + 2 * len(ATTAINMENTS)) + "|")
        for arm in self.arms:
            row = [TOLD[arm]]
            for level in ATTAINMENTS:
                hours = self.hours(arm, level)
                row += [
                    "-" if hours is None else f"{hours:.2f}",
                    "1" if arm == "default" else told(self.ratio(arm, level)),
                ]
            lines.append("| " + " | ".join(row) + " |")
        return "\n".join(lines).replace("%", " %") + "\n"

    def points(self) -> str:
        lines = []
        for arm, one in self.arms.items():
            pairs = zip(self.settings, one.hours(), one.joint(), strict=True)
            lines.append(
                f"| {arm} | " + "; ".join(f"{at:g}: {h:.2f} h, {100 * kept:.1f} %" for at, h, kept in pairs) + " |"
            )
        return KEPT + "\n".join(lines) + "\n"


def summary(cells: Mapping[tuple[str, str], Cell]) -> str:
    """Each tuned arm against both rivals, in words that the intervals bear."""
    lines = [
        "| traffic | autoscaler | arm | at | against the default | against n* set freely |",
        "|---|---|---|---|---|---|",
    ]
    for (traffic, plan), cell in cells.items():
        for arm in (name for name in TUNED if name in cell.arms):
            for level in ATTAINMENTS:
                against = [verdict(cell.ratio(arm, level, to=rival)) for rival in ("default", "n*")]
                lines.append(
                    f"| {traffic} | {plan} | {TOLD[arm]} | {100 * level:.0f} % | {against[0]} | {against[1]} |"
                )
    return "\n".join(lines) + "\n"


def counted(cells: Mapping[tuple[str, str], Cell], plan: str) -> str:
    """How often tuning saves, costs, or shows no difference under one autoscaler."""
    verdicts = [
        verdict(cell.ratio(arm, level))
        for (_, name), cell in cells.items()
        if name == plan
        for arm in TUNED
        if arm in cell.arms
        for level in ATTAINMENTS
    ]
    words = ", ".join(
        f"{name}: {verdicts.count(name)}" for name in ("saves", "no difference shown", "costs", "unknown")
    )
    return f"- **{plan}**, of {len(verdicts)} comparisons of a tuned limit with the default: {words}.\n"


def missing(cells: Mapping[tuple[str, str], Cell], wanted: Mapping[tuple[str, str], Sequence[float]]) -> str:
    """What was not run yet, whole cells or settings of them; empty where all was."""
    left = []
    for (traffic, plan), settings in wanted.items():
        cell = cells.get((traffic, plan))
        lacking = [f"{at:g}" for at in settings if cell is not None and at not in cell.settings]
        if cell is None or lacking:
            left.append(f"{traffic} under {plan}" + (f" at {', '.join(lacking)}" if lacking else ""))
    return "; ".join(left)


def write_page(folder: Path, *, wanted: Mapping[tuple[str, str], Sequence[float]]) -> None:
    """`wanted` are the settings of (traffic, autoscaler), in the order of the page."""
    paths = {name: folder / f"{name[0]}--{name[1]}.json" for name in wanted}
    cells = {name: Cell(path) for name, path in paths.items() if path.exists()}
    left = missing(cells, wanted)
    added = any(min(cell.settings) < FIRST_LOOK for (_, plan), cell in cells.items() if plan == "knative")
    plans = tuple(dict.fromkeys(plan for _, plan in cells))
    by_plan = {plan: next(cell for (_, name), cell in cells.items() if name == plan) for plan in plans}
    head = HEAD.format(
        settings="; ".join(f"{KNOBS[plan]} {', '.join(f'{at:g}' for at in by_plan[plan].settings)}" for plan in plans),
        seeds=", ".join(f"{cell.seeds} seeds ({traffic}, {plan})" for (traffic, plan), cell in cells.items()),
        added=ADDED if added else "",
    )
    title, *paragraphs = head.split("\n\n")
    parts = [
        "\n\n".join([title, *(fill(paragraph, 120) for paragraph in paragraphs)]) + "\n",
        fill(f"\nNot run yet: {left}.", 120, replace_whitespace=False) + "\n" if left else "",
        "\n## In short\n\n",
        *(counted(cells, plan) for plan in plans),
        "\n",
        summary(cells),
    ]
    for (one, plan), cell in cells.items():
        parts.append(f"\n## {one}, {plan}\n\n{cell.table()}{cell.points()}")
    PAGE.write_text("".join(parts), encoding="utf-8")
