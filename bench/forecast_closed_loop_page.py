"""docs/benchmarks/forecast-closed-loop.md, from the cells that bench/forecast_closed_loop.py left on disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from forecast_closed_loop_arms import Arm, Traffic

from foretide.simulator.curve import Ratio, Trials, draws, envelope, hours_at, ratio_at

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks/forecast-closed-loop.md"
LEVEL, WIDTH = 0.99, 120
SHIPPED, BEFORE, PERFECT, RIVALS = "ladder", "ladder-before", "perfect", ("last-value", "wva")
COMPARED = (
    (SHIPPED, "Foretide as it ships"),
    ("ladder-no-fast-pass", "that without the fast pass"),
    (PERFECT, "the decision on a perfect forecast"),
    ("perfect-no-fast-pass", "that without the fast pass"),
)
"""Set against the best reactive rival, in words."""
HEAD = """# What a better forecast is worth in closed loop (simulated)

Written by bench/forecast_closed_loop.py. Foretide's own decision runs on one traffic with different forecasts: the
ladder as it ships, the ladder with the shipped network or with its calibration, and a forecast that knows every
bin's arrivals beforehand. What separates the last from the first is all that a forecast can be worth to this
decision. Reactive rivals stand beside it for scale, and variants of the decision on the perfect forecast tell what
the decision itself costs.

GPU-hours at 99 % joint attainment are interpolated on each arm's own lower envelope, as in [the
frontier](frontier.md): the same knob (the accepted risk; a factor on demand for the perfect forecast, whose paths
leave no risk to accept, and for `last-value`), the same arrivals and the same cold starts (lognormal, sigma 0.3)
for all. They count starting and draining replicas. Every arm has three seeds; those without a parent have five
settings searched and two more at the crossing, variants are run around the crossing of the arm they vary. "≤": the
cheapest setting does better than 99 % already; "-": no setting tried reaches it. Ratios are hours over the ladder's
with 95 % intervals of a paired bootstrap over seeds and, where seeds share a trace, blocks of time; three seeds are
few.

The fast pass adds replicas between two plans for what waits. Until this page was first written it also did so where
more requests ran in a replica than it carries at its limit ("crowding"); that limit had been measured with other
lengths, and the rule is gone. Rows that end in "-crowding-before" still had it. Other rows that end in "-before" were
run before the ladder got its regression tier, weights that know the peak, and calibration by default. Rows of rivals
are of that time too; for one of them it was checked that the code of this page gives the same run to the last request.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One arm's curve."""

    arm: Arm
    settings: list[float]
    trials: Trials

    @property
    def hours(self) -> float | None:
        return hours_at(LEVEL, joint=self.trials.joint(), hours=self.trials.hours())

    @property
    def exceeds(self) -> bool:
        reached, _ = envelope(joint=self.trials.joint(), hours=self.trials.hours())
        return bool(len(reached) and reached[0] > LEVEL)

    @property
    def told(self) -> str:
        hours = self.hours
        return "-" if hours is None else f"{'≤' if self.exceeds else ''}{hours:.2f}"


def write_page(cells: Path, *, traffics: Sequence[Traffic], arms: Sequence[Arm], starts: Sequence[int]) -> None:
    """A section for every traffic and start-up time with a cell of a ladder."""
    lines = [HEAD]
    for traffic in traffics:
        for start in starts:
            found = {arm.name: one for arm in arms if (one := read(cells, traffic, start, arm)) is not None}
            if SHIPPED in found or BEFORE in found:
                lines += section(traffic, start, found)
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def read(cells: Path, traffic: Traffic, start: int, arm: Arm) -> Found | None:
    path = cells / f"{traffic.name}-{start:g}-{arm.name}.json"
    if not path.exists():
        return None
    cell: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    columns = (np.array(cell[name], dtype=np.float64) for name in ("gpu_hours", "requests", "kept"))
    return Found(arm, cell["settings"], Trials(*columns))


def section(traffic: Traffic, start: int, found: Mapping[str, Found]) -> list[str]:
    about = fill(f"{traffic.told[0].upper()}{traffic.told[1:]}.", WIDTH)
    lines = [f"## {traffic.name}, start-up {start} s", "", about, ""]
    reference = SHIPPED if SHIPPED in found else BEFORE
    if reference == BEFORE:
        lines += [f"Not run with the ladder as it ships now: ratios are to {BEFORE}.", ""]
    lines += [f"| arm | what it is | GPU-hours at 99 % | over {reference}'s |", "|---|---|---|---|"]
    for name, one in found.items():
        ratio = over(one, found[reference], within=not traffic.generated)
        lines.append(f"| {name} | {one.arm.told} | {one.told} | {'1' if name == reference else told_ratio(ratio)} |")
    return [*lines, "", *readings(found, within=not traffic.generated), ""]


def over(one: Found, other: Found, *, within: bool) -> Ratio | None:
    seeds, blocks = one.trials.requests.shape[1:]
    weights = draws(seeds=seeds, blocks=blocks, within=within, seed=0)
    return ratio_at(LEVEL, policy=one.trials, reference=other.trials, weights=weights)


def told_ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio.value:.2f}" + ("" if ratio.low is None else f" ({ratio.low:.2f} to {ratio.high:.2f})")


def readings(found: Mapping[str, Found], *, within: bool) -> list[str]:
    """What the table says, in words: the worth of a forecast, and what the decision costs with the best one."""
    lines = []
    if PERFECT in found:
        reference = SHIPPED if SHIPPED in found else BEFORE
        worth = over(found[PERFECT], found[reference], within=within)
        lines.append(
            f"- Perfect forecast over {reference}: {told_ratio(worth)}. {verdict(worth, 'the perfect forecast')}"
        )
    reached = {name: found[name].hours for name in RIVALS if name in found}
    best = min(
        (name for name, hours in reached.items() if hours is not None), key=lambda n: reached[n] or 0.0, default=""
    )
    for name, what in COMPARED:
        if best and name in found:
            ratio = over(found[name], found[best], within=within)
            head = f"- {what[0].upper()}{what[1:]} over the best reactive rival here, {best}"
            lines.append(f"{head}:\n  {told_ratio(ratio)}. {verdict(ratio, what)}")
    return lines


def verdict(ratio: Ratio | None, what: str) -> str:
    if ratio is None:
        return "One of the two never gets there."
    if ratio.low is None or ratio.high is None:
        return "Too few resamples reach 99 % for an interval."
    if ratio.low <= 1 <= ratio.high:
        return "Not told apart."
    return f"{what[0].upper()}{what[1:]} is {'cheaper' if ratio.high < 1 else 'dearer'}."
