"""Days of a target's demand become a series file: what was measured, and gaps where nothing was."""

import csv
from pathlib import Path

import numpy as np
import pytest
from twins import START, MetricsTwin, engine

from foretide.operator.past_demand import DAY_S, NoHistory, past_demand, target_of, write_series
from foretide.operator.reading import Reading
from foretide.operator.settings import Settings, SourceSettings
from foretide.policies.flow import DemandHistory, Trust, frozen

SOURCE = SourceSettings("default", "http://prometheus:9090")
SETTINGS = Settings({"default": SOURCE}, "test", step_s=60.0, backfill_s=DAY_S)


async def read(metrics: MetricsTwin, *, censored: bool = False) -> DemandHistory:
    return await past_demand(
        Reading(SETTINGS, {"default": metrics}),
        target_of("prod", "llama"),
        settings=SETTINGS,
        now=START,
        span_s=2 * DAY_S,
        censored=censored,
    )


async def test_days_of_demand_are_read_and_what_was_not_measured_is_a_gap() -> None:
    metrics = MetricsTwin()
    start = START - 1.5 * DAY_S
    metrics.engines["prod", "llama-0"] = engine(rate=7.0, start=start, end=START)
    metrics.engines["prod", "other-0"] = engine(rate=99.0, start=start, end=START)
    found = await read(metrics)
    assert len(found.values) == 2880
    assert found.end == START
    known = np.isfinite(found.values[:, 0])
    assert known[725:2870].mean() > 0.99
    assert not known[:719].any()
    np.testing.assert_allclose(np.median(found.values[known], axis=0), [7.0, 7000.0, 1400.0], rtol=0.02)


async def test_what_a_standing_queue_may_hide_is_a_gap_too() -> None:
    metrics = MetricsTwin()
    table = engine(rate=7.0, start=START - 1.5 * DAY_S, end=START)
    table["waiting"] = np.where(table["at"] > START - 0.5 * DAY_S, 50.0, 0.0)
    metrics.engines["prod", "llama-0"] = table
    known = np.isfinite((await read(metrics)).values[:, 0])
    assert known[725:2155].mean() > 0.99
    assert not known[2165:].any()
    flagged = await read(metrics, censored=True)
    assert np.isfinite(flagged.values[2165:2870, 0]).mean() > 0.99
    assert flagged.flags[2165:2870].mean() > 0.99
    assert not flagged.flags[725:2155].any()


async def test_a_target_that_nobody_measured_is_one_clear_line() -> None:
    with pytest.raises(NoHistory, match="prod/llama: no demand in 2 days; check the name"):
        await read(MetricsTwin())
    with pytest.raises(NoHistory, match="prod/llama: no demand"):
        await read(MetricsTwin(trust=Trust.ABSENT))


def test_a_name_that_no_object_can_have_is_one_clear_line() -> None:
    with pytest.raises(NoHistory, match=r"prod/a b: spec.pools\[0\].targetRef.name"):
        target_of("prod", "a b")


def test_the_series_file_has_empty_cells_for_gaps(tmp_path: Path) -> None:
    values = np.array([[1.0, 1000.0, 200.0], [np.nan] * 3, [0.0, 0.0, 0.0]])
    write_series(DemandHistory(START, 60.0, frozen(values), Trust.FRESH), tmp_path / "deep" / "series.csv")
    rows = list(csv.reader((tmp_path / "deep" / "series.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["time", "requests", "prompt_tokens", "output_tokens"]
    assert rows[1] == [f"{START:.0f}", "1", "1000", "200"]
    assert rows[2] == [f"{START + 60:.0f}", "", "", ""]
    assert rows[3][1:] == ["0", "0", "0"]
