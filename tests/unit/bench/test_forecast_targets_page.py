"""The page of targets says of each whether it was met, from what other benchmarks left."""

import json
from pathlib import Path
from typing import Any

import forecast_targets_page as page
import pytest


def cell(group: str, model: str, **figures: float) -> dict[str, Any]:
    usual = {"crps": 1.0, "coverage80": 0.8, "coverage95": 0.95, "peak_q95_exceeded": 0.05}
    return {"group": group, "model": model, "figures": usual | figures}


HARMONY = [cell("a", name, crps=0.09, mse=0.045) for name in ("harmony-as-scored", "harmony-as-published")]


def test_fisher_is_met_or_missed_by_the_mean_of_the_containers() -> None:
    cells = [*HARMONY, cell("a", "pooled", crps=0.05, mse=0.03), cell("b", "pooled", crps=0.06, mse=0.06)]
    crps, mse = page.fisher_rows(cells)
    assert (crps[1].split(";")[0], crps[2]) == ("0.0550", "met")
    assert (mse[1].split(";")[0], mse[2]) == ("0.0450", "**missed**")


def test_a_pool_is_judged_on_its_worst_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LONG", ("family",))
    tiers = [cell(group, "tier-regression", crps=0.5) for group in ("a", "b")]
    found = {"family": [*tiers, cell("a", "pooled", crps=0.5), cell("b", "pooled", crps=0.53)]}
    ((_, told, verdict, _),) = page.pool_rows(found)
    assert told == "1 of 2; worst b 1.060 (tier-regression)"
    assert verdict == "**missed**"


def test_bands_count_the_series_that_keep_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LONG", ("family",))
    found = {"family": [cell("a", "pooled"), cell("b", "pooled", coverage80=0.83)]}
    ((_, told, verdict, _),) = page.band_rows(found)
    assert told == "all three on 1 of 2 (80 %: 1, 95 %: 2, peak: 2)"
    assert verdict == "**missed**"


def test_a_cost_without_a_target_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGES", tmp_path)
    lines = ["| what | found | target |", "|---|---|---|", "| slow | 12 s | 10 s |", "| by the clock | 9 s | |"]
    (tmp_path / "forecast-cost.md").write_text("\n".join([*lines, "| small | 90 MB | 150 MB |"]))
    assert [(row[0], row[2]) for row in page.cost_rows()] == [
        ("slow: at most 10 s", "**missed**"),
        ("small: at most 150 MB", "met"),
    ]


def test_the_rule_is_told_as_a_ratio_to_the_same_run_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {"crps": 2.0, "wql": 1.0, "decision_cost": 1.0, "coverage80": 0.8, "coverage95": 0.95}
    row = {"place": "f/a", "with": {**figures, "peak_q95_exceeded": 0.05}}
    row["without"] = {**row["with"], "crps": 4.0}
    (tmp_path / "shock.json").write_text(json.dumps([row]))
    monkeypatch.setattr(page, "SHOCK", tmp_path / "shock.json")
    assert page.shock_lines()[-1].startswith("| f/a | 0.500 | 1.000 | 1.000 | 0.800 (0.800) |")
