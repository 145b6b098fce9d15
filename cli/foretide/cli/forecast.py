"""`foretide forecast`: the commands around forecasts. Each lives in a module of its own and adds itself to the group.

Promised: a module named in `COMMANDS` brings `add_to(group)` and imports nothing heavy before its command runs.
"""

from importlib import import_module

import typer

COMMANDS = ("forecast_evaluate", "forecast_show", "forecast_serve", "forecast_train", "forecast_fine_tune")
"""Modules of this room, in the order in which `--help` lists their commands."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Forecasts: score every model on a series, show one.")
    for name in COMMANDS:
        import_module(f"foretide.cli.{name}").add_to(group)
    app.add_typer(group, name="forecast")
