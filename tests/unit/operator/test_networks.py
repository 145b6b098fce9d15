"""A newer artifact takes over once it is checked; a broken one changes nothing and is told."""

import os
from pathlib import Path

import pytest
from graphs import artifact, persistence

from foretide.forecaster.network.schema import HEADS, NODE, REPLICA
from foretide.forecaster.scoreboard import PROBATION, Scoreboard
from foretide.operator.networks import REHEARSALS, REHEARSED, Networks
from foretide.operator.settings import BadSettings, ForecastSettings


def networks(folder: Path) -> Networks:
    found = Networks(ForecastSettings(network=folder))
    found.refresh()
    return found


def test_an_empty_or_absent_folder_is_no_network_and_no_trouble(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        found = networks(folder)
        assert found.pool.schemas == ()
        assert found.told() == ""


def test_the_heads_that_are_there_are_served(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    found = networks(tmp_path)
    assert found.pool.schemas == (REPLICA,)
    artifact(tmp_path, NODE)
    found.refresh()
    assert found.pool.schemas == (REPLICA, NODE)


def test_a_newer_artifact_takes_over_after_the_check(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    found = networks(tmp_path)
    artifact(tmp_path, REPLICA, name="fine-tuned")
    _touch(tmp_path)
    found.refresh()
    assert found.pool.name == "fine-tuned"


def test_a_broken_artifact_leaves_the_old_one_in_service_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(tmp_path, REPLICA)
    found = networks(tmp_path)
    (tmp_path / "replica.onnx").write_bytes(persistence(REPLICA, gain=9.0))
    found.refresh()
    found.refresh()
    assert found.pool.name == "by-hand"
    assert found.told().startswith("network head replica is left out: ")
    assert sum("network refused" in record.message for record in caplog.records) == 1
    artifact(tmp_path, REPLICA, name="mended")
    _touch(tmp_path)
    found.refresh()
    assert (found.pool.name, found.told()) == ("mended", "")


def test_a_service_stands_for_every_head() -> None:
    found = Networks(ForecastSettings(url="http://127.0.0.1:1"))
    found.refresh()
    assert {schema.head for schema in found.pool.schemas} == set(HEADS)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"url": "forecast:8090"}, "forecast url: 'forecast:8090': write http(s)://HOST[:PORT][/PATH]"),
        ({"url": "http://user:word@forecast"}, "forecast url: carries a user"),
        ({"url": "http://forecast", "network": Path("/x")}, "forecast: both a network and a url are given"),
        ({"timeout_s": 0.0}, "forecast timeout: 0.0: must be a positive number of seconds"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], line: str) -> None:
    with pytest.raises(BadSettings) as found:
        ForecastSettings(**changes)  # type: ignore[arg-type]
    assert str(found.value).startswith(line)


def test_off_is_the_default() -> None:
    assert not ForecastSettings().on
    assert ForecastSettings(url="http://forecast").on


def _touch(folder: Path) -> None:
    """A later moment, whatever the file system's clock resolves."""
    stat = (folder / "replica.json").stat()
    os.utime(folder / "replica.json", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000_000))


def test_after_a_start_some_targets_rehearse_the_network_and_the_questions_are_bounded(tmp_path: Path) -> None:
    found = networks(tmp_path)
    granted = [found.rehearsals() for _ in range(500)]
    assert set(granted) == {REHEARSED, 0}
    assert granted == sorted(granted, reverse=True)
    assert REHEARSALS - REHEARSED < sum(granted) <= REHEARSALS


def test_a_rehearsal_is_long_enough_to_end_probation() -> None:
    matured, keep = REHEARSED - 2, 0.5 ** (1 / Scoreboard("any").half_life)
    assert sum(keep**age for age in range(matured)) >= PROBATION
