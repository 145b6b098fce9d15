"""What each part of the network earns: the switched-off variants against the whole, per series, with intervals.

    python bench/forecast_ablation.py --series eval.npz --out ablation.json [--workers 2] [--seeds 2] [--steps 800]

Scored on the last 20 % of each series (fit on what is before); nothing here chooses a setting. Scores: wQL on .1-.9 for the minute
series, CRPS on the MinMax scale for Fisher, and the 19:1 cost of providing for the path peak. The ratio of a variant to the whole
is a mean over seeds; its interval is a bootstrap over day blocks of the paired differences.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

import numpy as np

PART = 0.8
SEEDS = 2
EVERY = 7


def series_of(arrays, name):
    from foretide.forecaster.evaluate.model import Series

    values = arrays[name]
    if values.ndim == 1:
        values = values[:40_000, None]
    step = 600.0 if name.startswith(("fisher", "servegen")) else 60.0
    start = float(arrays.get(f"{name}_start", 0.0))
    return Series(name, start, step, tuple(f"c{column}" for column in range(values.shape[1])), values)


def losses(paths, actual, scale):
    """Per origin: the mean CRPS over steps and indicators in units of `scale`, and the 19:1 cost of the path peak."""
    count = paths.shape[1]
    ranks = 2.0 * np.arange(1, count + 1) - count - 1.0
    spread = np.tensordot(np.sort(paths, axis=1), ranks, axes=(1, 0)) / (count * (count - 1))
    crps = (np.abs(paths - actual[:, None]).mean(axis=1) - spread) / scale
    capacity, peak = np.quantile(paths.max(axis=2), 0.95, axis=1), actual.max(axis=1)
    cost = (19 * np.maximum(peak - capacity, 0) + np.maximum(capacity - peak, 0)) / scale
    return crps.mean(axis=(1, 2)), cost.mean(axis=1)


def one(task):
    import torch

    from foretide.forecaster.network.series_model import named

    torch.set_num_threads(1)
    series, name, seed, steps, horizon = task
    rows = int(PART * len(series.values))
    model = named(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = replace(model, settings=replace(model.settings, steps=steps), device=device)
    fitted = model.fit(
        series=series, rows=rows, horizon=horizon, context=1440 if series.step_s == 60 else 72, seed=seed
    )
    every = EVERY if series.step_s == 60 else 1
    origins = np.arange(rows, len(series.values) - horizon + 1, every)
    actual = series.values[origins[:, None] + np.arange(horizon)]
    whole = np.isfinite(actual).all(axis=(1, 2))
    paths = fitted.paths(series=series, origins=origins[whole], horizon=horizon, count=128, seed=9)
    reach = (
        np.ptp(series.values[:rows], axis=0) if series.values.shape[1] > 1 else np.nanmean(series.values[:rows], axis=0)
    )
    return series.group, name, seed, *losses(paths, actual[whole], np.where(reach > 0, reach, 1.0))


def interval(whole, variant, block, rng):
    """Ratio of mean losses and its 95 % interval over day blocks, paired."""
    blocks = [slice(start, start + block) for start in range(0, len(whole), block)]
    drawn = []
    for _ in range(1000):
        picks = rng.integers(0, len(blocks), size=len(blocks))
        drawn.append(sum(variant[blocks[i]].sum() for i in picks) / sum(whole[blocks[i]].sum() for i in picks))
    return float(variant.mean() / whole.mean()), *(float(edge) for edge in np.quantile(drawn, [0.025, 0.975]))


def table(found, blocks):
    rng, rows = np.random.default_rng(0), []
    pooled = {}
    for (group, name), runs in found.items():
        pooled[group, name] = [np.mean([run[score] for run in runs], axis=0) for score in (0, 1)]
    for (group, name), (crps, cost) in pooled.items():
        if name == "flow" or (group, "flow") not in pooled:
            continue
        whole = pooled[group, "flow"]
        rows.append(
            {
                "series": group,
                "variant": name,
                "crps": float(crps.mean()),
                "crps_flow": float(whole[0].mean()),
                "crps_ratio": interval(whole[0], crps, blocks[group], rng),
                "cost_ratio": interval(whole[1], cost, blocks[group], rng),
            }
        )
    return rows


def main():
    from foretide.forecaster.network.series_model import NAMES

    parser = argparse.ArgumentParser()
    parser.add_argument("--series", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--names", default="twitter,nasa,burst,fisher_1,fisher_6")
    parser.add_argument("--variants", default=",".join(NAMES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=800)
    chosen = parser.parse_args()
    arrays, found, blocks = dict(np.load(chosen.series)), {}, {}
    tasks = []
    for seed in range(chosen.seeds):
        for group in chosen.names.split(","):
            series = series_of(arrays, group)
            horizon = 1 if group.startswith("fisher") else 15
            blocks[group] = 1440 // EVERY if series.step_s == 60 else 144
            tasks += [(series, name, seed, chosen.steps, horizon) for name in chosen.variants.split(",")]
    with ProcessPoolExecutor(chosen.workers) as pool:
        for done in as_completed([pool.submit(one, task) for task in tasks]):
            group, name, seed, crps, cost = done.result()
            found.setdefault((group, name), []).append((crps, cost))
            print(group, name, seed, f"{crps.mean():.4f} {cost.mean():.4f}", flush=True)
            with open(chosen.out, "w") as file:
                json.dump(table(found, blocks), file, indent=1)


if __name__ == "__main__":
    main()
