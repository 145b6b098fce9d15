"""`foretide dev twin` where no cluster is: what it refuses, and that it needs no more than the image has."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foretide.cli import main
from foretide.cli.bed.twin import repeated
from foretide.policies.flow import frozen

ENOUGH = ("--namespace=models", "--selector=app=llama")
NOT_IN_THE_IMAGE = (
    "pyarrow", "matplotlib", "fontTools", "PIL", "kiwisolver", "contourpy", "cycler", "pyparsing", "cryptography",
    "cffi", "pycparser",
)  # fmt: skip
"""What the Containerfile takes out again."""
IN_THE_IMAGE = f"""
import sys
sys.modules.update(dict.fromkeys({NOT_IN_THE_IMAGE!r}))
from foretide.cli.main import run
run()
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "traffic.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens\n0,100,10\n1,100,10\n")
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main.run(("dev", "twin", *arguments))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen=8000",), "--listen: 8000: write HOST:PORT"),
        (("--listen=127.0.0.1:99999",), "--listen: 127.0.0.1:99999: write HOST:PORT"),
        (("--listen=127.0.0.1:8000", "--address=twin"), "--address: twin: write HOST:PORT"),
        (("--listen=127.0.0.1:8000", "--repeat=0"), "--repeat"),
        (("--listen=127.0.0.1:8000",), "none given and this is no pod; pass --kubeconfig FILE"),
        (("--listen=127.0.0.1:8000", "--kubeconfig=none"), "kubeconfig none: No such file"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...],
    words: str,
    trace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert words in refused(capsys, f"--trace={trace}", *ENOUGH, *arguments)


def test_a_missing_trace_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    assert "none.csv" in refused(capsys, "--trace=none.csv", *ENOUGH, "--listen=127.0.0.1:8000")


def test_the_image_has_all_that_the_twin_needs(trace: Path) -> None:
    """It comes as far as its account, which is not there: all modules are loaded and the trace is read by then."""
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_IMAGE, "dev", "twin", f"--trace={trace}", *ENOUGH, "--listen=127.0.0.1:1"],
        env={"PYTHONPATH": ":".join(sys.path), "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.startswith("foretide: token file ")


def test_what_the_containerfile_takes_out_is_what_is_taken_out_here() -> None:
    text = (Path(__file__).parents[3] / "Containerfile").read_text()
    named = text.partition("uninstall --yes")[2].partition("&&")[0].replace("\\", " ").split()
    modules = {"fonttools": "fontTools", "pillow": "PIL"}
    assert {modules.get(name, name) for name in named} - {"pip"} == set(NOT_IN_THE_IMAGE)


def test_a_trace_played_again_goes_on_at_the_same_rate() -> None:
    once = frozen(np.array([0.0, 1.0, 3.0]))
    assert repeated(once, times=1) is once
    assert repeated(once, times=3).tolist() == [0.0, 1.0, 3.0, 4.5, 5.5, 7.5, 9.0, 10.0, 12.0]
    assert len(repeated(frozen(np.zeros(0)), times=3)) == 0
