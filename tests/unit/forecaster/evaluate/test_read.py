from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.forecaster.evaluate.read import BadSeries, Read, read_series


def table(rows: int = 48) -> pd.DataFrame:
    at = pd.date_range("2026-03-01", periods=rows, freq="h")
    return pd.DataFrame({"at": at.astype(str), "load": np.arange(rows) % 7 + 1.0})


def read(frame: pd.DataFrame, tmp_path: Path, **more: Any) -> Read:
    path = tmp_path / "web.csv"
    frame.to_csv(path, index=False)
    return read_series(path, **{"time": "at", "columns": ["load"], **more})


def column(found: Read) -> Any:
    return found.series[0].values.T[0]  # noqa: PD011 (no data frame)


def refused(frame: pd.DataFrame, tmp_path: Path, **more: Any) -> str:
    with pytest.raises(BadSeries) as caught:
        read(frame, tmp_path, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_every_format_gives_the_same_series(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"web.{suffix}"
    table().to_parquet(path) if suffix == "parquet" else table().to_csv(path, index=False)
    found = read_series(path, time="at", columns=["load"])
    (series,) = found.series
    assert (series.group, series.step_s, series.columns, found.notes) == ("web", 3600.0, ("load",), ())
    assert series.start_s == pd.Timestamp("2026-03-01", tz="UTC").timestamp()
    assert column(found).tolist() == table()["load"].tolist()


def test_groups_become_series_in_the_order_of_the_file(tmp_path: Path) -> None:
    both = pd.concat([table().assign(pod="b"), table().assign(pod="a", load=3.0)])
    found = read(both, tmp_path, group="pod")
    assert [series.group for series in found.series] == ["b", "a"]
    assert found.notes == ("a, load: every measured value is 3: nothing can be learned from it",)


def test_rows_out_of_order_and_twice_are_mended_and_told(tmp_path: Path) -> None:
    frame = table()
    mixed = pd.concat([frame.iloc[::-1], frame.iloc[:1].assign(load=5.0)])
    found = read(mixed, tmp_path)
    assert column(found).tolist() == [3.0, *table()["load"].tolist()[1:]]
    assert found.notes[0] == "web: rows were not in order of time: sorted"
    assert found.notes[1].startswith("web: 1 times come twice (a clock change does that to an hour): their mean")


def test_an_hour_that_a_clock_change_repeats_or_skips_stays_on_the_grid(tmp_path: Path) -> None:
    local = pd.date_range("2026-10-24", periods=72, freq="h", tz="UTC").tz_convert("Europe/Berlin").tz_localize(None)
    found = read(pd.DataFrame({"at": local.astype(str), "load": 1.0 + np.arange(72)}), tmp_path)
    assert len(column(found)) == 71
    assert any("clock change" in note for note in found.notes)
    spring = pd.date_range("2026-03-28", periods=72, freq="h", tz="UTC").tz_convert("Europe/Berlin").tz_localize(None)
    found = read(pd.DataFrame({"at": spring.astype(str), "load": 1.0 + np.arange(72)}), tmp_path)
    assert len(column(found)) == 73
    assert found.notes == ("web: 1 of 73 rows of 3600 s are missing: gaps",)


def test_a_gap_stays_a_gap(tmp_path: Path) -> None:
    frame = table().drop(index=[10, 11])
    frame.loc[20, "load"] = np.nan
    values = column(read(frame, tmp_path))
    assert np.flatnonzero(np.isnan(values)).tolist() == [10, 11, 20]


def test_what_cannot_be_becomes_a_gap(tmp_path: Path) -> None:
    frame = table()
    frame.loc[[5, 6, 7], "load"] = [-1.0, 1e12, np.inf]
    found = read(frame, tmp_path)
    assert np.flatnonzero(np.isnan(column(found))).tolist() == [5, 6, 7]
    assert found.notes == (
        "web, load: 2 values are negative or infinite: gaps",
        "web, load: 1 values are 1000 times above all others: gaps",
    )
    assert (
        read(frame.assign(load=frame["load"].where(frame["load"] < 9, 4.0)), tmp_path, keep_negative=True).notes == ()
    )


def test_a_surge_that_lasts_is_no_broken_reading(tmp_path: Path) -> None:
    frame = table()
    frame.loc[20:24, "load"] = 1e6
    assert read(frame, tmp_path).notes == ()


def test_all_zero_is_read_and_told(tmp_path: Path) -> None:
    found = read(table().assign(load=0.0), tmp_path)
    assert found.notes == ("web, load: every measured value is 0: nothing can be learned from it",)


def test_a_numeric_time_takes_its_unit_from_its_name_or_from_the_user(tmp_path: Path) -> None:
    frame = pd.DataFrame({"minute": range(48), "load": 1.0 + np.arange(48)})
    assert read(frame, tmp_path, time="minute").series[0].step_s == 60.0
    assert read(frame, tmp_path, time="minute", unit="d").series[0].step_s == 86400.0
    assert "--time-unit: week: use one of s, min, h, d" in refused(frame, tmp_path, time="minute", unit="week")


def test_times_a_little_off_the_grid_are_moved_onto_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t_s": np.arange(48) * 10.0, "load": 1.0 + np.arange(48)})
    frame.loc[7, "t_s"] += 0.5
    found = read(frame, tmp_path, time="t_s")
    assert len(column(found)) == 48
    assert found.notes == ("web: 1 times are a little off the grid of 10 s: moved onto it",)


def test_what_cannot_be_mended_is_refused_with_field_value_and_fix(tmp_path: Path) -> None:
    assert refused(table(), tmp_path, columns=["cpu"]) == (
        "--columns: cpu: the file has no such column; it has at, load"
    )
    assert refused(table(), tmp_path, time="when").startswith("--time: when: the file has no such column")
    assert refused(table(), tmp_path, group="pod").startswith("--group: pod: the file has no such column")
    assert refused(table(1), tmp_path) == "--series: web: 1 different times; at least 24 are needed"
    broken = table()
    broken.loc[3, "at"] = "yesterday"
    assert refused(broken, tmp_path) == "--time: yesterday: row 3 of at is not a time; mend or drop it"
    words = table().astype({"load": object})
    words.loc[4, "load"] = "many"
    assert refused(words, tmp_path) == "--columns: many: row 4 of load is not a number"
    sparse = table(2400)
    sparse.loc[24:, "load"] = np.nan
    assert refused(sparse, tmp_path).startswith("--columns: web, load: 24 of 2400 rows are measured; leave it out")
    irregular = pd.DataFrame({"t_s": np.cumsum(np.random.default_rng(1).random(60) * 9 + 1), "load": 1.0})
    assert "resample" in refused(irregular, tmp_path, time="t_s")


def test_files_that_are_not_there_or_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSeries, match="there is no such file"):
        read_series(tmp_path / "no.csv", time="at", columns=["load"])
    with pytest.raises(BadSeries, match=r"name a file that ends in .csv, .csv.gz or .parquet"):
        read_series(tmp_path / "no.xlsx", time="at", columns=["load"])
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(BadSeries, match="cannot be read"):
        read_series(tmp_path / "bad.parquet", time="at", columns=["load"])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(BadSeries, match="cannot be read"):
        read_series(tmp_path / "empty.csv", time="at", columns=["load"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_numbers_are_read_or_refused_in_one_line(data: st.DataObject, tmp_path_factory: Any) -> None:
    numbers = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, 1e12, float("nan"), float("inf")]))
    load = data.draw(st.lists(numbers, min_size=1, max_size=60))
    at = data.draw(st.lists(st.integers(-50, 50), min_size=len(load), max_size=len(load)))
    path = tmp_path_factory.mktemp("any") / "web.csv"
    pd.DataFrame({"t_s": at, "load": load}).to_csv(path, index=False)
    try:
        found = read_series(path, time="t_s", columns=["load"])
    except BadSeries as problem:
        lines = str(problem).splitlines()
    else:
        lines = list(found.notes)
        values = column(found)
        assert (values[np.isfinite(values)] >= 0).all()
        assert not np.isinf(values).any()
    assert all("\n" not in line for line in lines)
    assert len(lines) < 6
