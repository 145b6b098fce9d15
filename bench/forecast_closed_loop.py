"""The same decision on other forecasts, in closed loop: what a better forecast is worth, and what the decision costs.

    python bench/forecast_closed_loop.py                 # runs what is missing, then writes the page
    python bench/forecast_closed_loop.py --only ladder   # these arms alone
    python bench/forecast_closed_loop.py --page          # writes the page from what is there

An arm is searched as `foretide frontier` searches a policy: the same rule and number of settings on the training part,
all of them and a few more at the crossing on the evaluation part, on the same arrivals and cold starts. A variant of an
arm begins at the two settings between which that arm crosses 99 %, and goes on from there: its curve is known where it
is read. A cell is kept as JSON under docs/benchmarks/forecast-closed-loop as soon as it is done; remove it to run
it anew. All of it is simulated.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from forecast_closed_loop_arms import ARMS, BEFORE, TRAFFIC, Arm, Traffic
from forecast_closed_loop_page import write_page

from foretide.simulator.curve import Trials
from foretide.simulator.ground import Ground, Part, lay_ground
from foretide.simulator.knobs import crossings, to_try
from foretide.simulator.run import Bench, run_policy
from foretide.simulator.trial import Measured, measured

ROOT = Path(__file__).parents[1]
CELLS, CACHE = ROOT / "docs/benchmarks/forecast-closed-loop", ROOT / "out/forecast-closed-loop"
STARTS_S = (120, 30)
ATTAINMENTS = (0.99,)
LEVEL = ATTAINMENTS[0]
BUDGET, TRAINING_SEEDS, SEEDS, REFINED = 5, range(2), range(3), 2
"""As the frontier, with three seeds in place of five and two in place of three: what a slow core does in an hour."""
STEPS = 6
"""Rounds of settings that a variant tries, at most."""
SURE = 0.003
"""By so much some setting must do better than the attainment, so that resamples reach it too."""

Run = Callable[[float, int], Measured]


def searched(arm: Arm, run: Run) -> dict[float, float]:
    """Joint attainment on the training part by the arm's setting, in the order of the frontier's search."""
    tried: dict[float, float] = {}
    while wanted := to_try(arm.knob, tried, attainments=ATTAINMENTS, room=BUDGET - len(tried)):
        for value in wanted:
            runs = [run(value, seed) for seed in TRAINING_SEEDS]
            tried[value] = float(sum(one.kept.sum() for one in runs) / sum(one.requests.sum() for one in runs))
    return tried


def judged(arm: Arm, values: Sequence[float], run: Run) -> tuple[list[float], Trials]:
    """Every setting on the evaluation part, and the crossing halved `REFINED` times."""
    found: dict[float, list[Measured]] = {}
    wanted: Sequence[float] = values
    for _ in range(1 + REFINED):
        found |= {value: [run(value, seed) for seed in SEEDS] for value in wanted}
        settings = sorted(found)
        trials = stacked([found[value] for value in settings])
        joint = dict(zip(settings, trials.joint().tolist(), strict=True))
        wanted = crossings(arm.knob, joint, attainments=ATTAINMENTS)
        if not wanted:
            break
    return settings, trials


def varied(arm: Arm, parent: Mapping[str, Any], run: Run) -> tuple[list[float], Trials]:
    """Settings around the parent's crossing, on the evaluation part; outwards where the variant crosses elsewhere."""
    known = sorted(parent["settings"])
    found: dict[float, list[Measured]] = {}
    wanted = beginning(parent)
    for _ in range(STEPS):
        found |= {value: [run(value, seed) for seed in SEEDS] for value in wanted}
        settings = sorted(found)
        trials = stacked([found[value] for value in settings])
        joint = dict(zip(settings, trials.joint().tolist(), strict=True))
        refined = len(found) >= 2 + REFINED and crossed(joint)
        wanted = better(known, joint) if refined else further(arm, known, joint)
        if not wanted:
            break
    return settings, trials


def beginning(parent: Mapping[str, Any]) -> list[float]:
    """The settings around the parent's crossing; where it never falls short, its cheapest one too: its cost."""
    settings, joint = parent["settings"], joints(parent)
    first = set(bracket(settings, joint))
    if min(joint) >= LEVEL:
        hours = np.array(parent["gpu_hours"], dtype=np.float64).sum(axis=(1, 2))
        first.add(settings[int(np.argmin(hours))])
    return sorted(first)


def joints(cell_: Mapping[str, Any]) -> list[float]:
    kept, requests = (np.array(cell_[name], dtype=np.float64).sum(axis=(1, 2)) for name in ("kept", "requests"))
    return list((kept / requests).tolist())


def bracket(settings: list[float], joint: list[float]) -> tuple[float, float]:
    """The neighbouring settings between which the attainment is crossed; the two nearest to it where it is not."""
    pairs = list(zip(settings, settings[1:], joint, joint[1:], strict=False))
    crossing = [(low, high) for low, high, one, other in pairs if (one < LEVEL) != (other < LEVEL)]
    nearest = min(pairs, key=lambda pair: abs(pair[2] - LEVEL) + abs(pair[3] - LEVEL))
    return crossing[0] if crossing else (nearest[0], nearest[1])


def crossed(joint: Mapping[float, float]) -> bool:
    return len({one < LEVEL for one in joint.values()}) == 2


def better(known: list[float], joint: Mapping[float, float]) -> list[float]:
    """The parent's next setting on the good side, where the best one tried does barely better than the attainment."""
    best = max(joint, key=lambda value: joint[value])
    if joint[best] >= LEVEL + SURE:
        return []
    return outwards(known, joint, upwards=best == max(joint))


def outwards(known: list[float], joint: Mapping[float, float], *, upwards: bool) -> list[float]:
    low, high = min(joint), max(joint)
    beyond = [value for value in known if value > high] if upwards else [value for value in known if value < low][::-1]
    return beyond[:1]


def further(arm: Arm, known: list[float], joint: Mapping[float, float]) -> list[float]:
    """Half-way at the crossing; without one, the parent's next setting on the side where it must lie."""
    if crossed(joint):
        return list(crossings(arm.knob, joint, attainments=ATTAINMENTS))
    rises = joint[max(joint)] >= joint[min(joint)]
    return outwards(known, joint, upwards=rises == (max(joint.values()) < LEVEL))


def stacked(runs: Sequence[Sequence[Measured]]) -> Trials:
    """Runs by setting and seed as arrays (settings, seeds, blocks)."""
    names = ("gpu_hours", "requests", "kept")
    return Trials(*(np.array([[getattr(one, name) for one in row] for row in runs]) for name in names))


def cell(traffic: Traffic, start_up_s: float, arm: Arm, ground: Callable[[], Ground]) -> None:
    """One arm on one traffic at one start-up time, unless it is there already."""
    path = CELLS / f"{traffic.name}-{start_up_s:g}-{arm.name}.json"
    if path.exists():
        return
    began, laid = time.time(), ground()

    def at(part: Part) -> Run:
        return lambda value, seed: once(arm, traffic.with_history(laid.bench(part, seed), part), value)

    trained: dict[float, float] = {}
    if arm.like:
        parent = json.loads((CELLS / f"{traffic.name}-{start_up_s:g}-{arm.like}.json").read_text(encoding="utf-8"))
        settings, trials = varied(arm, parent, at(Part.EVALUATION))
    else:
        trained = searched(arm, at(Part.TRAINING))
        settings, trials = judged(arm, sorted(trained), at(Part.EVALUATION))
    path.write_text(json.dumps(told(arm, trained, settings, trials, time.time() - began)) + "\n", encoding="utf-8")
    points = [f"{v:g}: {h:.2f} h {j:.4f}" for v, h, j in zip(settings, trials.hours(), trials.joint(), strict=True)]
    print(f"{path.stem}: {time.time() - began:.0f} s; {'; '.join(points)}", flush=True)


def once(arm: Arm, bench: Bench, value: float) -> Measured:
    turned, policy = arm.build(bench, value)
    return measured(run_policy(bench=turned, autoscaler=policy), bench=turned)


def told(
    arm: Arm, trained: Mapping[float, float], settings: list[float], trials: Trials, took: float
) -> dict[str, Any]:
    return {
        "arm": arm.name,
        "knob": arm.knob.name,
        "trained": sorted(trained.items()),
        "settings": settings,
        "gpu_hours": np.round(trials.gpu_hours, 6).tolist(),
        "requests": trials.requests.astype(int).tolist(),
        "kept": trials.kept.astype(int).tolist(),
        "wall_seconds": round(took),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of arms, with commas between them")
    parser.add_argument("--traffic", default="", help="names of traffics, with commas between them")
    parser.add_argument("--starts", default="120", help="start-up times in seconds, with commas between them")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page from what is there")
    given = parser.parse_args()
    CELLS.mkdir(parents=True, exist_ok=True)
    arms = [arm for arm in ARMS if arm.name in (given.only.split(",") if given.only else [arm.name for arm in ARMS])]
    for start_up_s in (float(start) for start in given.starts.split(",") if not given.page):
        for traffic in TRAFFIC:
            if given.traffic and traffic.name not in given.traffic.split(","):
                continue
            laid: list[Ground] = []

            def ground(traffic: Traffic = traffic, start_up_s: float = start_up_s, laid: list[Ground] = laid) -> Ground:
                if not laid:
                    laid.append(lay_ground(traffic.scenario(start_up_s), seed=0, cache=CACHE))
                return laid[0]

            for arm in arms:
                cell(traffic, start_up_s, arm, ground)
    write_page(CELLS, traffics=TRAFFIC, arms=(*ARMS, *BEFORE), starts=STARTS_S)


if __name__ == "__main__":
    main()
