"""docs/benchmarks/forecast-ablation.md: what each part of the network earns, per series, with intervals.

    python bench/forecast_ablation.py run [--series A,B] [--variants A,B] [--seeds N] [--steps N]
    python bench/forecast_ablation.py page [--steps N]

A variant is the network of `forecast evaluate` with one part changed. It is fitted once per seed on the rows before the
validation part; what it scores on the validation part decides whether the part is on. The test part is not looked at.
Fits that exist beside the page are kept; `page` writes what is there.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from forecast_families import FAMILIES

from foretide.forecaster.evaluate import tally
from foretide.forecaster.evaluate.protocol import Part, scaled
from foretide.forecaster.evaluate.relative import bootstrap

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/benchmarks/forecast-ablation.md"
OUT = PAGE.with_suffix("")
SERIES = ("twitter", "nasa", "burstgpt-tokens", "fisher-1", "fisher-6")
VARIANTS = {
    "flow-attention": "attention, which is off",
    "gaussian-head": "a Gaussian head in the flow's place",
    "flow-recent-only": "no resolutions but the newest rows",
    "flow-no-same-clock": "no same-clock features",
}
WHOLE = "flow"
SCORES = {"crps": "CRPS", "decision_cost": "decision cost"}
PATHS, ORIGINS = 128, 250
PARTS = (Part.VALIDATION,)  # the test part is looked at through the evaluation only


def family_of(group):
    return next(family for family in FAMILIES if any(one.group == group for one in family.series()))


def fitted_once(group, variant, seed, steps):
    """Losses by origin on both parts, of one fit on the rows before the validation part."""
    from foretide.forecaster.network.series_model import named

    family = family_of(group)
    terms = replace(family.protocol, part=Part.VALIDATION)
    series = next(one for one in family.series() if one.group == group)
    rows, first, _ = terms.split(len(series.values))
    series = scaled(series, train=rows, scale=terms.scale)
    model = named(variant, kept=None)
    model = replace(
        model, settings=replace(model.settings, steps=steps, check_every=max(1, steps // 10)), members=1, most=0
    )
    begun = time.process_time()
    rows = first - terms.horizon
    fitted = model.fit(series=series, rows=rows, horizon=terms.horizon, context=terms.context, seed=seed)
    spent = time.process_time() - begun
    parts = {part.value: scored(fitted, series, replace(terms, part=part), seed) for part in PARTS}
    return {"group": group, "variant": variant, "seed": seed, "steps": steps, "fit_seconds": spent, **parts}


def scored(fitted, series, terms, seed):
    origins = terms.origins(len(series.values))
    origins = origins[:: max(1, len(origins) // ORIGINS)]
    paths = fitted.paths(series=series, origins=origins, horizon=terms.horizon, count=PATHS, seed=seed)
    losses = tally.Tally()
    losses.add(paths=paths, actual=tally.outcomes(series.values, origins=origins, horizon=terms.horizon), seed=seed)
    found = tally.by_origin(losses.whole())
    at = (series.start_s + origins * series.step_s).tolist()
    return {"at_s": at, **{score: found[score] for score in SCORES}}


def run(options):
    OUT.mkdir(parents=True, exist_ok=True)
    places = [
        (group, variant, seed)
        for seed in range(options.seeds)
        for group in options.series.split(",")
        for variant in options.variants.split(",")
    ]
    for group, variant, seed in places:
        path = OUT / f"{group}--{variant}--{options.steps}--{seed}.json"
        if path.exists():
            continue
        cell = fitted_once(group, variant, seed, options.steps)
        path.write_text(json.dumps(cell), encoding="utf-8")
        means = {part.value: round(float(np.nanmean(cell[part.value]["crps"])), 5) for part in PARTS}
        print(group, variant, seed, means, f"{cell['fit_seconds']:.0f} s", flush=True)


def table(cells, part):
    """One line per variant: ratio to the whole with its interval, over all series that both were fitted on."""
    lines = []
    for variant, words in VARIANTS.items():
        groups = [group for group in SERIES if (group, variant) in cells and (group, WHOLE) in cells]
        if not groups:
            continue
        told = [f"{ratio(cells, groups, variant, part, score)}" for score in SCORES]
        each = ", ".join(f"{group} {ratio(cells, [group], variant, part, 'crps')}" for group in groups)
        lines.append(f"| {words} | {' | '.join(told)} | {each} |")
    return lines


def ratio(cells, groups, variant, part, score):
    def losses(name):
        return [np.mean([cell[part][score] for cell in cells[group, name]], axis=0) for group in groups]

    at = [np.asarray(cells[group, WHOLE][0][part]["at_s"]) for group in groups]
    found = bootstrap(losses=losses(variant), reference=losses(WHOLE), at_s=at, seed=0)
    return f"{found.ratio:.3f} ({found.low:.3f}-{found.high:.3f})"


def page(steps):
    cells = {}
    for path in sorted(OUT.glob(f"*--{steps}--*.json")):
        cell = json.loads(path.read_text(encoding="utf-8"))
        cells.setdefault((cell["group"], cell["variant"]), []).append(cell)
    every = [cell for part in cells.values() for cell in part]
    seeds = len({cell["seed"] for cell in every})
    seconds = {
        name: float(np.mean([cell["fit_seconds"] for cell in every if cell["variant"] == name]))
        for name in dict.fromkeys(cell["variant"] for cell in every)
    }
    head = ["| the network with | CRPS | decision cost | CRPS by series |", "|---|---|---|---|"]
    lines = [
        "# What each part of the network earns",
        "",
        "Written by `python bench/forecast_ablation.py page`; do not edit.",
        "",
        "Losses of the changed network over those of the one that `forecast evaluate` calls `flow`: above 1, the change costs;",
        "below 1, it pays. Geometric means over series, 95 % intervals from resampled blocks of a day (of a tenth of the part",
        f"where it has under ten days), mean of {seeds} seeds, {steps} steps of training, one member, {PATHS} paths, about {ORIGINS} origins.",
        "Fitted once, on the rows before the validation part, and scored on it. The test part was not looked at. The intervals",
        "tell of the days that were scored, not of the seeds: others may move a ratio further than they say.",
        "",
        "## Validation part",
        "",
        *head,
        *table(cells, "validation"),
        "",
        "A part earns its place where the CRPS or the cost without it is above 1 with its whole interval; attention, which is",
        "off, earns a place where it is below 1. A part whose interval holds 1, or is on the wrong side, earned nothing here.",
        "",
        "Seconds of processor time per fit: "
        + ", ".join(f"`{name}` {took:.0f}" for name, took in seconds.items())
        + ".",
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "page"))
    parser.add_argument("--series", default=",".join(SERIES))
    parser.add_argument("--variants", default=",".join((WHOLE, *VARIANTS)))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    if options.what == "run":
        run(options)
    else:
        page(options.steps)


if __name__ == "__main__":
    main()
