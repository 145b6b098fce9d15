"""`foretide tune-train` where it cannot train: one clear line, before anything is imported."""

from pathlib import Path

import pytest

from foretide.cli import main, training


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seeds", "0,x"], "--seeds: 0,x: give whole numbers, like 0,1,2"),
        (["--steps", "1"], "--steps"),
        ([], "training: stable_baselines3 is missing: install the extra"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "find_spec", lambda name: None if name == "stable_baselines3" else name)
    with pytest.raises(SystemExit) as ended:
        main.run(["tune-train", "--out", str(tmp_path / "out"), *options])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "out").exists()
