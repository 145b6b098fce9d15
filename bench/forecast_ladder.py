"""Milliseconds of one forecast of the ladder, beside the bound that a planning turn allows it.

    python bench/forecast_ladder.py

Both numbers come from the same run on the same machine. Exit status 1 where the median of any size breaks the bound.
"""

import sys
import time

import numpy as np

from foretide.forecaster.ladder import Ladder
from foretide.policies.flow import DemandHistory, Trust, frozen

BOUND_MS = 10.0
PATHS = 256
SIZES = ((60.0, 10), (60.0, 30), (15.0, 25))
"""(step in seconds, horizon in steps), each with two days of history."""
CALLS = 120


def measured(*, step: float, horizon: int) -> tuple[float, list[float]]:
    """Milliseconds of the first call, with its rehearsal and imports, and of each later one."""
    rows, rng = round(2 * 86400 / step), np.random.default_rng(1)
    wave = 20 * (1 + 0.7 * np.sin(2 * np.pi * np.arange(rows + CALLS) * step / 86400))
    rate = rng.poisson(wave * step) / step
    values = np.column_stack([rate, 1000 * rate, 200 * rate])
    ladder, took = Ladder(), []
    for end in range(rows, rows + CALLS):
        history = DemandHistory((end - rows) * step, step, frozen(values[end - rows : end]), Trust.FRESH)
        begun = time.perf_counter()
        ladder.forecast(history=history, horizon=horizon, paths=PATHS, seed=end)
        took.append(1000 * (time.perf_counter() - begun))
    return took[0], took[1:]


def main() -> int:
    print("| step | horizon | first call | median | p95 | worst (with refit) | bound on the median |")
    print("|---|---|---|---|---|---|---|")
    broken = False
    for step, horizon in SIZES:
        first, later = measured(step=step, horizon=horizon)
        median, p95 = np.quantile(later, [0.5, 0.95])
        broken |= bool(median > BOUND_MS)
        print(
            f"| {step:.0f} s | {horizon} | {first:.0f} ms | {median:.1f} ms | {p95:.1f} ms | {max(later):.1f} ms "
            f"| {BOUND_MS:.0f} ms |"
        )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
