"""docs/benchmarks/frontier.md and its figure, from the cells that bench/frontier_sweep.py left on disk."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from foretide.cli.plots import RC
from foretide.cli.style import INK, tone_of

ROOT = Path(__file__).parents[1]
PAGE, IMAGES = ROOT / "docs/benchmarks/frontier.md", ROOT / "docs/images"
LEVEL = "0.99"
REACTIVE = ("hpa", "hpa-utilization", "hpa-concurrency", "keda", "knative", "last-value", "wva")
"""Those that size by what is there now. The others fix a count, look ahead, or know the future."""

Cell = Mapping[str, Any]
HEAD = """# What each policy pays for 99 % of requests within the objective (simulated)

Written by bench/frontier_sweep.py. Every figure is simulated: request by request, on step times fitted to kernel
tables. Each policy's own knob is searched by the same rule and with the same number of settings on a training part;
all settings are then run on the evaluation part with five seeds, with the same arrivals and the same cold starts for
everybody, and a few more where the curve crosses an attainment. GPU-hours at 99 % joint attainment (share of requests
within every threshold) are interpolated on each policy's own lower envelope. They count starting and draining replicas.

All policies run at a start-up of 120 s. At the others the sweep leaves out those that came behind others of their kind
there, and KEDA, which stayed within 2 % of `hpa-concurrency`; fewer settings are searched. An empty field was not run.
What fewer settings cost can be read off `static`, which no start-up time changes.
Foretide runs as it was on 27 November 2026: the ladder of simple forecasters with its calibration, no trained network.
Its rule for shocks (after a row that nobody held possible, half of the paths start from it) was set on four other
traffics, generated and reconstructed; that it is on was decided after the cells at 120 s had been run without it. At an
accepted risk of 0.001 it keeps 99.68 % instead of 99.46 % on azure-conv and 98.89 % instead of 98.58 % on
flash-crowd, for 2 % and 4 % more hours; at the hours of 99 % it changes nothing (4.53 and 4.54 on azure-conv, 48.68 and
48.63 on servegen-mlarge).

On flash-crowd at 120 s and 240 s no accepted risk makes Foretide reach 99 %: whoever sizes by a factor on what is there
now can be told to keep that much more idle at all times, and is cheaper there.

A start-up takes a lognormal time with the median in the head of a column and sigma 0.3. `oracle` knows the future and
pays for start-up as everybody does. "-": no setting reaches 99 %. "≤": the cheapest setting does better than 99 %
already; the hours are its own. Ratios are hours of a policy over Foretide's at the same attainment, with 95 %
intervals of a paired bootstrap over seeds and blocks of time. Reactive are those that
size by what is there now; `last-value` and `wva` do so through a model of the service, as Foretide does.
"""


def write_page(told: Mapping[str, str], *, starts: Sequence[int], cells: Path) -> None:
    """A section for every traffic with at least one cell, and one figure for all of them."""
    found = {name: row for name in told if (row := _row(cells, name, starts))}
    if not found:
        raise SystemExit(f"{cells}: no cell is there; run bench/frontier_sweep.py without --page")
    lines = [HEAD, *_missing(found, starts), *_figure(found)]
    for name, row in found.items():
        lines += _section(told[name], row)
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _missing(found: Mapping[str, Mapping[int, Cell]], starts: Sequence[int]) -> list[str]:
    """What of the sweep has not been run, so that nobody takes an absent column for a choice."""
    absent = [f"{name} at {start} s" for name, row in found.items() for start in starts if start not in row]
    return [f"Not run yet: {', '.join(absent)}.", ""] if absent else []


def _row(cells: Path, name: str, starts: Sequence[int]) -> dict[int, Cell]:
    paths = {start: cells / f"{name}-{start:g}.json" for start in starts}
    return {start: json.loads(path.read_text(encoding="utf-8")) for start, path in paths.items() if path.exists()}


def _section(told: str, row: Mapping[int, Cell]) -> list[str]:
    starts = list(row)
    first = next(iter(row.values()))
    policies = _policies(row)
    lines = [f"## {first['scenario'].split(',')[0]}", "", f"{told[0].upper()}{told[1:]}.", ""]
    lines += [
        f"Tuned on {first['tuned_on']}, with {len(first['seeds'])} seeds.",
        f"Settings searched for each policy: {_budgets(row)}.",
        "GPU-hours at 99 %:",
        "",
        "| policy | " + " | ".join(f"{start} s" for start in starts) + " |",
        "|---" * (len(starts) + 1) + "|",
    ]
    cheapest = {start: _cheapest(row[start], [name for name in policies if name != "oracle"]) for start in starts}
    lines += [
        f"| {name} | " + " | ".join(_hours(row[start], name, bold=name == cheapest[start]) for start in starts) + " |"
        for name in policies
    ]
    return [*lines, "", *_reactive(row), ""]


def _policies(row: Mapping[int, Cell]) -> list[str]:
    """In the order of the cell that ran most of them."""
    fullest = max(row.values(), key=lambda cell: len(cell["policies"]))
    return [one["policy"] for one in fullest["policies"]]


def _budgets(row: Mapping[int, Cell]) -> str:
    counts = {cell["budget"] for cell in row.values()}
    return ", ".join(
        f"{count} at {' s, '.join(str(start) for start, cell in row.items() if cell['budget'] == count)} s"
        for count in sorted(counts, reverse=True)
    )


def _hours(cell: Cell, policy: str, *, bold: bool) -> str:
    if not _ran(cell, policy):
        return ""
    one = _of(cell, policy)
    hours = one["matched"][LEVEL]
    if hours is None:
        return "-"
    text = f"{'≤' if LEVEL in one['exceeds'] else ''}{hours:.2f}"
    return f"**{text}**" if bold else text


def _reactive(row: Mapping[int, Cell]) -> list[str]:
    """The best reactive policy beside Foretide at each start-up time, and where the sign changes."""
    lines = ["| start-up | best reactive policy | its hours over Foretide's | who is cheaper |", "|---|---|---|---|"]
    values: dict[int, float] = {}
    for start, cell in row.items():
        name = _cheapest(cell, REACTIVE)
        ratio = _of(cell, name)["ratio"][LEVEL] if name else None
        if name is None or ratio is None:
            lines.append(f"| {start} s | {name or 'none reaches 99 %'} | - | {'Foretide' if name is None else name} |")
            continue
        values[start] = ratio["value"]
        lines.append(f"| {start} s | {name} | {_ratio(ratio)} | {_winner(ratio, name)} |")
    return [*lines, "", _crossing(values)]


def _ratio(ratio: Mapping[str, float | None]) -> str:
    low, high = ratio["low"], ratio["high"]
    return f"{ratio['value']:.2f}" + ("" if low is None or high is None else f" ({low:.2f} to {high:.2f})")


def _winner(ratio: Mapping[str, Any], name: str) -> str:
    if ratio["low"] is None:
        return "not told apart: few resamples reach 99 %"
    if ratio["low"] > 1:
        return "Foretide"
    return name if ratio["high"] < 1 else "not told apart"


def _crossing(values: Mapping[int, float]) -> str:
    """The start-up time at which the best reactive policy costs what Foretide does, between neighbours that differ."""
    below = [start for start, value in values.items() if value < 1]
    if not below:
        return "At every start-up time tried the best reactive policy pays more than Foretide."
    if len(below) == len(values):
        return "At every start-up time tried the best reactive policy pays less than Foretide."
    crossed = [
        a + (1 - values[a]) / (values[b] - values[a]) * (b - a)
        for a, b in pairwise(sorted(values))
        if (values[a] < 1) != (values[b] < 1)
    ]
    told = ", ".join(f"{start:.0f} s" for start in crossed)
    return f"The best reactive policy and Foretide cost the same at a start-up time of about {told} (interpolated)."


def _ran(cell: Cell, policy: str) -> bool:
    return any(one["policy"] == policy for one in cell["policies"])


def _of(cell: Cell, policy: str) -> Mapping[str, Any]:
    return next(one for one in cell["policies"] if one["policy"] == policy)


def _cheapest(cell: Cell, policies: Sequence[str]) -> str | None:
    hours = {one["policy"]: one["matched"][LEVEL] for one in cell["policies"] if one["policy"] in policies}
    reached = {name: value for name, value in hours.items() if value is not None}
    return min(reached, key=lambda name: reached[name], default=None)


def _figure(found: Mapping[str, Mapping[int, Cell]]) -> list[str]:
    """Hours at 99 % over start-up time, a panel for each traffic."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(RC):
        figure = Figure(figsize=(4.2 * len(found), 4.6), layout="constrained")
        for axes, (name, row) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
            _panel(axes, name, row)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6)
        figure.suptitle("GPU-hours at 99 % joint attainment over start-up time, simulated", color=INK.light)
        path = IMAGES / "frontier-start-up.png"
        figure.savefig(path, dpi=140, facecolor="white", metadata={"Software": None})
    return [f"![GPU-hours at 99 % joint attainment over start-up time](../images/{path.name})", ""]


def _panel(axes: Any, name: str, row: Mapping[int, Cell]) -> None:
    policies = tuple(_policies(row))
    places = {start: place for place, start in enumerate(row)}
    for policy in policies:
        ran = {start: cell for start, cell in row.items() if _ran(cell, policy)}
        hours = [(places[start], _of(cell, policy)["matched"][LEVEL]) for start, cell in ran.items()]
        reached = [(at, value) for at, value in hours if value is not None]
        ours, again = policy == "foretide", policies.index(policy) > len(policies) // 2
        axes.plot(
            [at for at, _ in reached],
            [value for _, value in reached],
            color=tone_of(policy, policies).light,
            lw=2.6 if ours else 1.3,
            ls="--" if again and not ours else "-",
            marker="o",
            ms=3.5,
            label=policy,
            zorder=3 if ours else 2,
        )
    axes.set_xticks(list(places.values()), [f"{start} s" for start in places])
    axes.set(title=name, xlabel="median start-up time", ylabel="GPU-hours")
    # One policy that needs several times as much would press all others together; the table has it.
    usual = [_of(cell, "static")["matched"][LEVEL] for cell in row.values()]
    axes.set_ylim(0, 1.4 * max(hours for hours in usual if hours is not None))
