"""One speed factor from measured request times: how many times slower a real engine is than its profile.

TPOT alone is fitted: it is all engine, while TTFT also holds the queue, which follows from the steps. The measured run
is simulated with its own arrivals and lengths until the mean TPOT of its first requests is the measured one.

What is NOT promised: that one factor is enough. Compare what it predicts with the requests it was not fitted to.
"""

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from foretide.policies.flow import Floats, frozen
from foretide.simulator.fleet import Fleet, RequestOutcome, StartTier
from foretide.simulator.profiles import Deployment
from foretide.simulator.requests import BadTrace, RequestTrace, read_requests, read_table
from foretide.simulator.routing import DEFAULT

SLOWEST, FASTEST = 10.0, 0.1
"""A factor outside these bounds says that the profile is not this engine's."""
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRun:
    """Requests and the TPOT they had, in seconds, shape (n,); NaN for answers of one token."""

    trace: RequestTrace
    tpot_s: Floats


def read_measured(path: Path) -> MeasuredRun:
    """A table of `arrival_s, prompt_tokens, output_tokens` with `tpot_s`, or with `ttft_s` and `e2e_s` instead.

    Times are in seconds. Raises BadTrace.
    """
    trace = read_requests(path, format="foretide")
    table = read_table(path)
    later = trace.output_tokens - 1.0
    if "tpot_s" in table.columns:
        tpot = _numbers(table, "tpot_s")
    elif {"ttft_s", "e2e_s"} <= set(table.columns):
        tpot = (_numbers(table, "e2e_s") - _numbers(table, "ttft_s")) / np.maximum(later, 1.0)
    else:
        raise BadTrace(f"columns: tpot_s missing: {path.name} needs tpot_s, or ttft_s and e2e_s, in seconds")
    bad = np.flatnonzero((later > 0) & ~((tpot > 0) & np.isfinite(tpot)))
    if len(bad):
        row = int(bad[0])
        raise BadTrace(f"tpot_s: {tpot[row]:g} in row {row + 1}: no time per token; give seconds or drop the row")
    return MeasuredRun(trace, frozen(np.where(later > 0, tpot, np.nan)))


def fit_speed_factor(
    *, deployment: Deployment, measured: MeasuredRun, first: int | None = None, replicas: int = 1
) -> float:
    """The factor at which the first requests (all of them without `first`) have their measured mean TPOT.

    Raises BadTrace where there is nothing to fit, or no factor within the bounds does it.
    """
    shown = measured.tpot_s[:first]
    counted = np.isfinite(shown)
    if not counted.any():
        raise BadTrace(f"tpot_s: none in {len(shown)} requests: give requests with more than one output token")
    wanted = float(shown[counted].mean())

    def excess(speed_factor: float) -> float:
        slowed = replace(deployment, speed_factor=speed_factor)
        found = simulate(deployment=slowed, trace=measured.trace, replicas=replicas).tpot_s[: len(shown)]
        return float(found[counted].mean()) / wanted - 1.0

    if excess(FASTEST) > 0 or excess(SLOWEST) < 0:
        bound = f"{SLOWEST:g} times slower" if excess(SLOWEST) < 0 else f"{1 / FASTEST:g} times faster"
        raise BadTrace(f"tpot_s: mean {wanted:g} s: more than {bound} than the profile; check model, GPU and units")
    return float(brentq(excess, FASTEST, SLOWEST, xtol=TOLERANCE))


def simulate(*, deployment: Deployment, trace: RequestTrace, replicas: int, routing: str = DEFAULT) -> RequestOutcome:
    """The whole trace on replicas that are ready from the start. Raises ValueError for a request that never fits."""
    never = StartTier(1.0, 0.0)
    fleet = Fleet(deployment=deployment, trace=trace, replicas=replicas, cold_start=never, seed=0, routing=routing)
    fleet.advance(inf)
    return fleet.outcome()


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    return frozen(pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64))
