"""`foretide tuner`: settings that cannot be are one line, before anything is reached."""

from pathlib import Path

import pytest

from foretide.cli.main import run
from foretide.cli.tuner import endpoints_of
from foretide.operator.tuner.endpoint import EndpointSettings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--source"),
        (["--source", "http://x"], "write NAME=VALUE"),
        (["--source", "a=http://x", "--window", "60"], "--window: 60: write a duration with its unit"),
        (["--source", "a=http://x", "--window", "20s"], "--window: 20s: give at least two scrapes, 30s"),
        (["--source", "a=http://x", "--max-body", "1"], "max body 1: between 1 KiB and 8 MiB"),
        (["--source", "a=http://x", "--endpoint", "http://x"], "--endpoint: http://x: write NAME=VALUE"),
        (["--source", "a=http://x", "--endpoint", "b=http://x/limit"], "every namespace would set the same number"),
        (
            ["--source", "a=http://x", "--endpoint", "b=http://{namespace}", "--endpoint-method", "c=PUT"],
            "--endpoint-method: c: name an endpoint that --endpoint gives",
        ),
        (["--source", "a=http://x", "--kubeconfig", "/nowhere/config"], "/nowhere/config"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(Path("/nowhere/config")))
    with pytest.raises(SystemExit) as ended:
        run(["tuner", *options])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in told
    assert len(told.splitlines()) == 1


def test_an_endpoint_has_its_options_by_name() -> None:
    found = endpoints_of(
        ["a=http://{namespace}/x", "b=https://gateway/limit"],
        field=["b=limits.max"],
        method=["b=PATCH"],
        namespaces=["b=prod,team"],
        ca=["b=/ca.crt"],
        token=["b=/token"],
    )
    assert found == {
        "a": EndpointSettings("a", "http://{namespace}/x"),
        "b": EndpointSettings(
            "b", "https://gateway/limit", "limits.max", "PATCH", ("prod", "team"), Path("/ca.crt"), Path("/token")
        ),
    }
