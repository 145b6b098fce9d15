"""The command line's front door: finds the commands, and turns every kind of bad input into one line and exit code 2.

Promised: `foretide --help` imports nothing heavy; what a command needs is imported when it runs. NOT promised: a
message for programming errors. Those keep their traceback, because a person can report it.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version as installed_version
from pathlib import PurePath
from typing import Annotated, Any

import typer

from foretide.cli.problems import BadInput

__all__ = ["BadInput", "app", "run"]

COMMANDS = (
    "demo",
    "replay",
    "frontier",
    "simulate",
    "backtest",
    "size",
    "tune",
    "tune_train",
    "forecast",
    "profile",
    "validate",
    "inspect",
    "crd",
    "keda",
    "operate",
    "tuner",
    "dev",
)
"""Modules of this room that each bring a `register(app)`, in the order in which `--help` lists them."""

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    name="foretide",
    help="Scales GPU inference on Kubernetes to a latency promise.",
    epilog="Example: foretide demo --seed 7 --out demo   (no cluster and no GPU needed)",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"foretide {installed_version('foretide')}")
        raise typer.Exit


@app.callback()
def _everywhere(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Scales GPU inference on Kubernetes to a latency promise."""


def _register_commands() -> None:
    for name in COMMANDS:
        import_module(f"foretide.cli.{name}").register(app)


_register_commands()


def program_name(path: str) -> str:
    """How the user called us: as itself, or as a kubectl plugin."""
    return "kubectl foretide" if PurePath(path).stem == "kubectl-foretide" else "foretide"


def _refuse(message: str) -> int:
    sys.stderr.write(f"foretide: {' '.join(message.split())}\n")
    return BAD_INPUT


def _complaint(problem: typer.TyperException, name: str) -> str:
    """Of wrong usage: the option, the value as it was typed, and the help of the very command."""
    context, option, told = (getattr(problem, each, None) for each in ("ctx", "param", "__cause__"))
    message = problem.format_message()
    if option is not None and told is not None and hasattr(told, "errors"):
        given = told.errors()[0]["input"]
        message = f"{_typed(option)}: {given}: {problem.message.removeprefix('Value error, ').removeprefix('Input ')}"
    return f"{message.removesuffix('.')}. See `{context.command_path if context else name} --help`."


def _typed(option: Any) -> str:
    """An option by its long name, an argument by that of the help."""
    if option.param_type_name == "option":
        return max(map(str, option.opts), key=len)
    return str(option.get_error_hint()).strip("'")


def run(arguments: Sequence[str] | None = None) -> None:
    """The entry of `foretide` and `kubectl foretide`; ends the process with the command's exit code."""
    name = program_name(sys.argv[0])
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(given, prog_name=name, standalone_mode=False) or 0
    except BadInput as problem:
        code = _refuse(str(problem))
    except typer.TyperException as problem:
        # an empty message means that the help has just been printed (no_args_is_help)
        code = _refuse(_complaint(problem, name)) if problem.format_message() else BAD_INPUT
    except MemoryError as problem:
        code = _refuse(f"memory: {problem or 'not enough'}: take fewer or shorter requests, or a larger machine")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    run()
