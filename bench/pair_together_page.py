"""docs/benchmarks/pair-together.md, from the runs that bench/pair_together.py left on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from foretide.policies.flow import Floats
from foretide.simulator.curve import hours_at

ROOT = Path(__file__).parents[1]
RUNS, PAGE = ROOT / "docs/benchmarks/pair-together", ROOT / "docs/benchmarks/pair-together.md"
LEVELS = (0.95, 0.99)
OURS = "together"
HEAD = """# Two pools, sized together or not (simulated)

Written by bench/pair_together.py. Two pools under traffic whose lengths drift: chats (short prompts, long
answers) swell while documents (long prompts, short answers) ebb, over a generated day that is compressed to an hour,
with noise of two minutes on either. Another such day is history. Each request is simulated; a replica takes 60 s to
start (lognormal, sigma 0.3). Each policy is run at six settings of its one knob (accepted risk; Dynamo: headroom) over
{seeds} days, the same for all. GPU-hours at a matched joint attainment (share of requests within TTFT and TPOT) are
interpolated on each policy's own lower envelope. "-": no setting gets there; "<=": the cheapest does better already.

What a replica carries is measured beforehand for three mixes of requests, the same figures for all; the mix is chosen
by the last three minutes. The first three policies see the same forecasts and pass the same guardrails, but for the
stabilisation window, which is off: nobody holds a count before it falls, as Dynamo's rule does not. The fixed ratio is
that of the peak needs of either pool on the day before. Dynamo's rule plans every 180 s and comes without its
correction factors, which make up for a profile that is off; here none is. It reckons with what one replica carries by
itself, times their number; the others with what so many carry together, which is more.
Intervals are the least and the most over the days, each day matched by itself.

**The target, 10 % fewer GPU-hours than the best of the others, is missed.** At 99 % Dynamo's rule costs 15 % and 21 %
less than sizing together, and apart costs what together does. In a run that was looked into, the forecast kept ten
decode replicas for twenty minutes in which three to four were needed: a tier that draws from the last 72 rows
remembers more than half of a day of an hour. Whether a day of 24 hours is better has not been measured."""


def write_page(setups: Mapping[str, str], arms: Mapping[str, str]) -> None:
    """A section for each set-up that was run."""
    found = {name: _read(name) for name in setups if (RUNS / f"{name}.jsonl").exists()}
    if not found:
        raise SystemExit(f"{RUNS}: no run is there; run bench/pair_together.py without --page")
    seeds = max(len({one["seed"] for one in runs}) for runs in found.values())
    lines = [HEAD.format(seeds=seeds)]
    for name, runs in found.items():
        lines += ["", f"## {name}", "", f"{setups[name]}.", "", *_table(runs, arms), "", *_settings(runs)]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def matched(runs: Sequence[Mapping[str, Any]], arm: str, level: float, seed: int | None = None) -> float | None:
    """GPU-hours of a policy at a joint attainment, in the mean of all days or on one."""
    joint, hours = curve(runs, arm, seed)
    return hours_at(level, joint=joint, hours=hours)


def curve(runs: Sequence[Mapping[str, Any]], arm: str, seed: int | None = None) -> tuple[Floats, Floats]:
    """Joint attainment and GPU-hours of a policy at each of its settings."""
    chosen = [one for one in runs if one["arm"] == arm and seed in (None, one["seed"])]
    knobs = sorted({one["knob"] for one in chosen})
    columns = [[_mean(chosen, knob, key) for knob in knobs] for key in ("joint", "hours")]
    return np.array(columns[0]), np.array(columns[1])


def _mean(runs: Sequence[Mapping[str, Any]], knob: float, key: str) -> float:
    return float(np.mean([one[key] for one in runs if one["knob"] == knob]))


def _table(runs: Sequence[Mapping[str, Any]], arms: Mapping[str, str]) -> list[str]:
    columns = [f"GPU-hours at {100 * level:g} % | over together" for level in LEVELS]
    lines = [f"| policy | how | {' | '.join(columns)} |", "|---" * (2 + 2 * len(LEVELS)) + "|"]
    for arm, told in arms.items():
        cells = [cell for level in LEVELS for cell in (_hours(runs, arm, level), _ratio(runs, arm, level))]
        lines.append(f"| {arm} | {told} | {' | '.join(cells)} |")
    return lines


def _hours(runs: Sequence[Mapping[str, Any]], arm: str, level: float) -> str:
    hours, (joint, _) = matched(runs, arm, level), curve(runs, arm)
    if hours is None:
        return "-"
    return f"{'<= ' if joint.min() > level else ''}{hours:.2f}"


def _ratio(runs: Sequence[Mapping[str, Any]], arm: str, level: float) -> str:
    theirs, ours = matched(runs, arm, level), matched(runs, OURS, level)
    if theirs is None or ours is None:
        return "-"
    each = [(matched(runs, arm, level, seed), matched(runs, OURS, level, seed)) for seed in {r["seed"] for r in runs}]
    days = [one / other for one, other in each if one is not None and other is not None]
    spread = f" ({min(days):.2f} to {max(days):.2f})" if len(days) == len(each) else ""
    return f"{theirs / ours:.2f}{spread}"


def _settings(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| policy | GPU-hours, joint attainment, by setting |", "|---|---|"]
    for arm in dict.fromkeys(one["arm"] for one in runs):
        joint, hours = curve(runs, arm)
        knobs = sorted({one["knob"] for one in runs if one["arm"] == arm})
        told = [f"{k:g}: {h:.2f}, {100 * j:.2f} %" for k, h, j in zip(knobs, hours, joint, strict=True)]
        lines.append(f"| {arm} | {'; '.join(told)} |")
    return lines


def _read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RUNS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
