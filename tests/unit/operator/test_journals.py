"""A journal costs records when the disk fails, never a decision."""

import json
from pathlib import Path

import pytest

from foretide.operator import journals
from foretide.operator.journals import FileJournal


def test_records_are_lines_of_json(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "deep" / "journal.jsonl")
    journal.append({"n": 1})
    journal.append({"n": 2})
    lines = (tmp_path / "deep" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2]


def test_a_full_journal_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FULL", 10)
    journal = FileJournal(tmp_path / "journal.jsonl")
    for n in range(3):
        journal.append({"number": n})
    assert json.loads((tmp_path / "journal.jsonl").read_text())["number"] == 2
    assert json.loads((tmp_path / "journal.jsonl.1").read_text())["number"] == 1


def test_a_disk_that_refuses_is_survived_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = FileJournal(tmp_path / "file" / "journal.jsonl")
    journal.append({})
    journal.append({})
    assert len(caplog.records) == 1
