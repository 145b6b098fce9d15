"""`foretide operator`: settings that cannot be are one line, before anything is reached."""

from pathlib import Path

import pytest

from foretide.cli.main import run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--source"),
        (["--source", "http://x"], "write NAME=VALUE"),
        (["--source", "a=ftp://x"], "source a: address 'ftp://x'"),
        (["--source", "a=http://u:p@x"], "put the token into a file"),
        (["--source", "a=http://x", "--plan-interval", "5"], "--plan-interval: 5: write a duration with its unit"),
        (["--source", "a=http://x", "--relief-interval", "5m"], "relief interval"),
        (["--source", "a=http://x", "--keda", "9091"], "keda: 9091: write HOST:PORT, like 0.0.0.0:9091"),
        (["--source", "a=http://x", "--page", "8083"], "page: 8083: write HOST:PORT, like 127.0.0.1:8083"),
        (["--source", "a=http://x", "--keda-stale", "30s"], "keda stale 30 s is not above plan interval 60 s"),
        (["--source", "a=http://x", "--source-token", "b=f"], "name a source that --source gives"),
        (["--source", "a=http://x", "--kubeconfig", "/nowhere/config"], "/nowhere/config"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(Path("/nowhere/config")))
    with pytest.raises(SystemExit) as ended:
        run(["operator", *options])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in told
    assert len(told.splitlines()) == 1
