from collections.abc import Callable

import numpy as np
import pytest

from foretide.forecaster.evaluate.baselines.catalogue import chosen
from foretide.forecaster.evaluate.model import Series
from foretide.forecaster.evaluate.protocol import Protocol
from foretide.forecaster.evaluate.run import compared
from foretide.forecaster.evaluate.summary import summary

CONTRACT = {
    "model", "crps", "wql", "mase", "coverage80", "coverage95", "peak_q95_exceeded", "decision_cost", "fit_seconds",
    "predict_ms",
}  # fmt: skip


def test_the_summary_has_what_its_readers_rely_on(series: Callable[..., Series]) -> None:
    terms = Protocol(context=48, horizon=3, paths=64)
    given = [series(rows=600, seed=seed) for seed in (1, 2)]
    both = [Series(f"s{n}", one.start_s, one.step_s, one.columns, one.values) for n, one in enumerate(given)]
    cells = [
        compared(series=each, entry=entry, protocol=terms)
        for entry in chosen("seasonal-naive,last-72,naive")
        for each in both
    ]
    told = summary(cells)
    assert [each["group"] for each in told["series"]] == ["s0", "s1"]
    assert all(set(row) >= CONTRACT for each in told["series"] for row in each["models"])
    crps = {(each["group"], row["model"]): row["crps"] for each in told["series"] for row in each["models"]}
    expected = np.sqrt(np.prod([crps[group, "naive"] / crps[group, "seasonal-naive"] for group in ("s0", "s1")]))
    assert told["relative"]["naive"]["crps"] == pytest.approx(expected)
    assert told["relative"]["seasonal-naive"]["wql"] == pytest.approx(1.0)
    best = told["best_simple"]["crps"]
    assert all(
        crps[group, best[group]] == min(crps[group, m] for m in ("naive", "last-72", "seasonal-naive"))
        for group in best
    )
    against = told["against_best_simple"]
    assert min(model["crps"]["ratio"] for model in against.values()) >= 1.0
    assert against["naive"]["crps"]["low"] <= against["naive"]["crps"]["ratio"] <= against["naive"]["crps"]["high"]
