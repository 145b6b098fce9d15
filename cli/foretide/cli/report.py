"""One self-contained HTML page about one comparison: what was run, what came out, and why each replica was ordered.

Promised: no external resource; every value is escaped; unfinished requests count as missed; the same story gives the
same bytes. NOT promised: a verdict. The page shows both sides' figures and leaves the weighing to the reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from math import inf
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from foretide.cli.plots import (
    NAMES,
    attainment_figure,
    demand_figure,
    latency_figure,
    replicas_figure,
)
from foretide.cli.style import FONT, clock, css_variables, duration, percent, tone_of
from foretide.policies.flow import REQUESTS, Floats, Objective
from foretide.simulator.rivals import demand_rows
from foretide.simulator.run import Asked, Bench, PolicyRun

MOST_MOVES = 400
GLOSSARY = {
    "GPU-hours": "GPUs held, times hours: starting, ready and draining replicas all count.",
    "TTFT": "Time to first token, in ms: from a request's arrival until its first output token, waiting included.",
    "TPOT": "Time per output token, in ms: mean time between the tokens after the first one.",
    "Joint attainment": "Share of requests within every declared threshold; unfinished ones count as missed.",
    "Window": "A stretch of the run for which each percentile is promised; kept when every declared one holds in it.",
    "Cold start": "Time from ordering a replica to its first served request, in s.",
    "Ready, starting, desired": "Replicas that serve; ordered but not serving yet; and the count that was asked for.",
    "Forecast, 5-95 %": "Where demand was expected with 90 % probability, said one cold start before.",
    "Carries": "The demand at which the ready replicas still meet every objective, for the day's mean lengths.",
    "p50, p90, p99": "The value that 50, 90 or 99 % of the requests stay within.",
    "Energy": "Of the GPUs alone, from published watts when idle, in prefill and in decode; - where none are.",
    "Simulated": "Requests run through a model of the engine with published step times, not on a GPU.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """All that the page tells. `summary` has the shape of `summary.json`, its policies in the order of `runs`."""

    title: str
    lead: str
    """One or two sentences: what was compared, on what."""
    bench: Bench
    runs: tuple[PolicyRun, ...]
    summary: Mapping[str, Any]
    again: str = ""
    """The command that gives this page again."""

    @property
    def objective(self) -> Objective:
        return self.bench.scenario.objective


def write_report(*, path: Path, story: Story) -> None:
    """Writes the page; the folder must exist."""
    path.write_text(page(story), encoding="utf-8")


def page(story: Story) -> str:
    template = Template(files("foretide.cli").joinpath("report_template.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(story.title),
        variables=css_variables(),
        font=FONT,
        headline=escape(headline(runs=story.runs, bench=story.bench)),
        lead=escape(story.lead),
        table=_table(story),
        table_note=escape(_promise(story.objective)),
        demand=demand_figure(runs=story.runs, carried=lambda ready: carried(story.bench, ready)),
        demand_caption=escape(_demand_caption(story.runs)),
        replicas=replicas_figure(story.runs),
        attainment=attainment_figure(runs=story.runs, objective=story.objective),
        attainment_caption=escape(
            f"Each point is a window of {story.objective.window_s / 60:g} min; one that broke the promise is ringed."
        ),
        latency=latency_figure(runs=story.runs, objective=story.objective),
        moves="\n".join(_moves(run) for run in story.runs),
        scenario=_scenario(story),
        glossary="".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in GLOSSARY.items()),
        footer=escape(_footer(story.summary)),
    )


def headline(*, runs: Sequence[PolicyRun], bench: Bench) -> str:
    """One sentence: what was compared, on what, and that it is simulated. No winner is declared."""
    *others, last = [run.policy for run in runs]
    names = f"{', '.join(others)} and {last}" if others else last
    return f"{names} on the same {len(bench.trace):,} requests, simulated"


def _promise(objective: Objective) -> str:
    said = [
        f"{NAMES[name]} within {duration(target.threshold_s)} for {target.percentile:g} % of requests"
        for name, target in objective.declared().items()
    ]
    risk = f"a window may break it with a probability of {objective.max_violation_probability:g}"
    return f"The promise: {' and '.join(said)}, in every window of {objective.window_s / 60:g} min; {risk}."


def carried(bench: Bench, ready: Floats) -> Floats:
    """Requests/s, of the trace's mean lengths, that each count of ready replicas carries within the objective."""
    whole = max(bench.duration_s, 1.0)
    mean = demand_rows(bench.trace, start=0.0, end=whole, step=whole)[0]
    per_request = float(bench.service.work.of(mean)) / max(float(mean[REQUESTS]), 1e-12)
    return np.array([bench.service.capacity.total(int(count)) for count in ready]) / per_request


def _demand_caption(runs: Sequence[PolicyRun]) -> str:
    waits = "Where demand lies above a fleet's line, requests wait. Lines above the frame are cut off."
    if all(run.outlook() is None for run in runs):
        return waits
    band = "The band is where demand was expected with 90 % probability, as forecast one cold start before"
    return f"{band}: early enough to start replicas for it. {waits}"


def rows(story: Story) -> list[tuple[str, list[str]]]:
    """The comparison as text: label and one cell per policy. What was not measured is `-`, never zero."""
    policies = story.summary["policies"]
    declared = story.objective.declared()
    compared = [
        ("GPU-hours", [f"{one['gpu_hours']:.2f}" for one in policies]),
        ("requests within all thresholds", [_share(one["attainment"]["joint"]) for one in policies]),
        ("windows in which the promise held", [_share(one["window_attainment"]) for one in policies]),
    ]
    for name, target in declared.items():
        label = f"{NAMES[name]} p99 (promised: p{target.percentile:g} ≤ {duration(target.threshold_s)})"
        compared.append((label, [_p99(one.get(f"{name}_s")) for one in policies]))
    return [
        *compared,
        ("changes of the replica count", [str(one["scale_actions"]) for one in policies]),
        ("requests that found no replica ready", [f"{one['cold_started_requests']:,}" for one in policies]),
        ("GPU-hours ready without a request", [f"{one['idle_gpu_hours']:.2f}" for one in policies]),
        ("replicas of less use than their start took", [_share(one["pod_utility_below_1"]) for one in policies]),
        *_wakes(policies),
        ("requests unfinished at the end", [f"{one['unfinished']:,}" for one in policies]),
        *_harm(policies),
        ("energy", [_energy(one["energy_kwh"]) for one in policies]),
    ]


def _harm(policies: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Rows that only a run with crashes or without nodes has."""
    known = {
        "crashes": "replicas that crashed",
        "lost_requests": "requests lost with a replica",
        "retried_requests": "requests sent again after a crash",
    }
    told = [
        (label, [f"{one[name]:,}" for one in policies])
        for name, label in known.items()
        if any(one[name] for one in policies)
    ]
    if any(one["unschedulable_pod_hours"] for one in policies):
        told.append(("pod-hours without a node", [f"{one['unschedulable_pod_hours']:.2f}" for one in policies]))
    return told


def _energy(kwh: float | None) -> str:
    return "-" if kwh is None else f"{kwh:.2f} kWh"


def _wakes(policies: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """A row for each tier that anybody's replicas started from."""
    tiers = dict.fromkeys(tier for one in policies for tier in one["wake_s"])
    return [
        (f"time to ready from {tier}, p50 / p99", [_wake(one["wake_s"].get(tier)) for one in policies])
        for tier in tiers
    ]


def _wake(quantiles: Mapping[str, float | None] | None) -> str:
    middle, high = (quantiles or {}).get("p50"), (quantiles or {}).get("p99")
    return "-" if middle is None or high is None else f"{middle:.1f} / {high:.1f} s"


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _p99(quantiles: Mapping[str, float | None] | None) -> str:
    value = (quantiles or {}).get("p99")
    return "-" if value is None else f"{value * 1000:,.0f} ms"


def _table(story: Story) -> str:
    names = tuple(one["policy"] for one in story.summary["policies"])
    heads = "".join(f'<th scope="col">{_swatch(name, names)}{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for label, cells in rows(story)
    )
    return f'<table><thead><tr><th scope="col"></th>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _swatch(name: str, names: tuple[str, ...]) -> str:
    return f'<span class="swatch" style="background: var(--{tone_of(name, names).name})"></span>'


def _moves(run: PolicyRun) -> str:
    moves = [asked for asked in run.asked if asked.after != asked.before]
    shown = moves[-MOST_MOVES:]
    left_out = len(moves) - len(shown)
    note = f'<p class="note">The first {left_out} are left out here; decisions.jsonl has all.</p>' if left_out else ""
    head = '<tr><th>time</th><th>from</th><th>to</th><th class="text">reason, as recorded at the time</th></tr>'
    table = f"<table><thead>{head}</thead><tbody>{''.join(_move(asked) for asked in shown)}</tbody></table>"
    return (
        f"<details><summary>{escape(run.policy)}: {len(moves)} changes</summary>{note}"
        f'<div class="scroll">{table}</div></details>'
    )


def _move(asked: Asked) -> str:
    numbers = "".join(f"<td>{cell}</td>" for cell in (clock(asked.at), asked.before, asked.after))
    reason = f"<code>{escape(asked.choice.code)}</code> {escape(asked.choice.text)}"
    return f'<tr>{numbers}<td class="text">{reason}</td></tr>'


def _scenario(story: Story) -> str:
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in ran(story.bench).items())
    again = f"<p>The same figures again:</p><pre><code>{escape(story.again)}</code></pre>" if story.again else ""
    return f"<dl>{rows}</dl>{again}"


def ran(bench: Bench) -> dict[str, str]:
    """What was run, label by label, for people."""
    scenario, profile = bench.scenario, bench.scenario.deployment.profile
    cold = scenario.cold_start
    return {
        "scenario": scenario.name,
        "requests": f"{len(bench.trace):,} in {clock(bench.duration_s)} h of virtual time",
        "engine": f"{profile.model}, {profile.tp} x {profile.gpu} per replica; step times: {profile.provenance}",
        "capacity": bench.service.source,
        "cold start": f"lognormal, median {cold.median_s:g} s, sigma {cold.sigma:g}",
        **_wrong(bench),
        "limits": f"{scenario.min_replicas} to {scenario.max_replicas} replicas",
        "first count": f"{bench.initial} replicas for every policy that scales",
        "history": _history(bench),
        "seed": str(bench.seed),
    }


def _wrong(bench: Bench) -> dict[str, str]:
    """Scripted faults, if any, on the trace's clock."""
    told = [
        f"{fault.kind} at {clock(fault.at)} h" + (f" for {clock(fault.duration_s)} h" if fault.duration_s < inf else "")
        for fault in bench.scenario.conditions.faults
    ]
    return {"faults": "; ".join(told)} if told else {}


def _history(bench: Bench) -> str:
    history = bench.history
    if history is None:
        return "none; nothing was known before the run"
    return f"{clock(history.end - history.start)} h of demand before the run, known to policies that look back"


def _footer(summary: Mapping[str, Any]) -> str:
    took = f"Took {summary['wall_seconds']:.0f} s of real time. " if "wall_seconds" in summary else ""
    return f"{took}Made by foretide; this page loads nothing from the network."
