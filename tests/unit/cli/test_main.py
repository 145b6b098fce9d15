import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.models import TyperInfo

from foretide.cli import main
from foretide.cli.problems import BadInput


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.run(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def names_of(group: typer.Typer | TyperInfo) -> list[str]:
    """The commands right below a group, as they are typed."""
    app = group if isinstance(group, typer.Typer) else group.typer_instance
    assert app is not None
    return [one.name or one.callback.__name__.replace("_", "-") for one in app.registered_commands if one.callback]


@pytest.fixture
def probe() -> Iterator[None]:
    """Commands that exist only in these tests."""
    before = list(main.app.registered_commands)

    @main.app.command()
    def refuse() -> None:
        raise BadInput(field="objective.ttft.threshold", value="500", fix="write a duration with a unit, like 500ms")

    @main.app.command()
    def leave(code: int) -> None:
        raise typer.Exit(code)

    @main.app.command()
    def greedy() -> None:
        raise MemoryError("Unable to allocate 8 EiB")

    @main.app.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    yield
    main.app.registered_commands[:] = before


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    name, number = capsys.readouterr().out.split()
    assert name == "foretide"
    assert number[0].isdigit()


@pytest.mark.usefixtures("probe")
def test_bad_input_is_one_line_with_field_value_and_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("refuse") == 2
    said = capsys.readouterr().err
    assert said == "foretide: objective.ttft.threshold: 500: write a duration with a unit, like 500ms\n"


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize("arguments", [("leave", "soon"), ("leave",), ("leave", "3", "--hard"), ("fly",)])
def test_wrong_usage_is_one_line_that_points_at_the_help(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(*arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("foretide: ")
    assert "--help" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "--seed", "-1"), "--seed: -1: should be greater than or equal to 0. See `foretide demo --help`."),
        (("replay", "x", "-o", "xml"), "--output: xml: 'xml' is not one of 'table', 'json', 'yaml'. See"),
        (("profile", "show", "--tp", "two"), "--tp: two: should be a valid integer"),
        (("replay", "x.yaml"), "Missing option '--policy'. See `foretide replay --help`."),
    ],
)
def test_a_bad_option_is_named_with_the_value_as_typed_and_the_help_of_its_command(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["foretide"])
    assert exit_code(*arguments) == 2
    assert capsys.readouterr().err.startswith(f"foretide: {said}")


@pytest.mark.usefixtures("probe")
def test_more_than_fits_into_memory_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("greedy") == 2
    assert capsys.readouterr().err == (
        "foretide: memory: Unable to allocate 8 EiB: take fewer or shorter requests, or a larger machine\n"
    )


@pytest.mark.usefixtures("probe")
def test_a_command_chooses_its_exit_code() -> None:
    assert exit_code("leave", "3") == 3
    assert exit_code("leave", "0") == 0


@pytest.mark.usefixtures("probe")
def test_control_c_ends_with_130_and_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("interrupted") == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_long_value_is_cut_and_stays_on_one_line() -> None:
    said = str(BadInput(field="requests", value="a\nb" * 500, fix="use\na file"))
    assert "\n" not in said
    assert len(said) < 200
    assert said.endswith("use a file")


def test_an_empty_value_is_still_shown() -> None:
    assert str(BadInput(field="name", value="", fix="give one")) == "name: (empty): give one"
    assert str(BadInput(field="name", value=None, fix="give one")) == "name: give one"


@pytest.mark.parametrize(
    ("path", "name"),
    [("/usr/bin/kubectl-foretide", "kubectl foretide"), ("/usr/bin/foretide", "foretide"), ("main.py", "foretide")],
)
def test_the_program_is_named_as_it_was_called(path: str, name: str) -> None:
    assert main.program_name(path) == name


def test_every_command_shows_an_example_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [(name,) for name in names_of(main.app)]
    commands += [(group.name or "", name) for group in main.app.registered_groups for name in names_of(group)]
    assert ("demo",) in commands
    assert ("dev", "up") in commands
    for command in commands:
        assert exit_code(*command, "--help") == 0
        assert "Example" in capsys.readouterr().out, f"`foretide {' '.join(command)} --help` shows no example"


def test_the_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; import foretide.cli.main\n"
        "print([name for name in ('numpy', 'scipy', 'pandas', 'matplotlib', 'kopf', 'aiohttp', 'pydantic')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
