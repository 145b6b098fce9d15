"""Calls that tests send to other processes, which find them by the name of this module."""

import os


def scaled(shared: dict[str, float], item: float) -> tuple[float, int]:
    """The item times the shared factor, and the process that worked it out."""
    if item < 0:
        raise ValueError(f"{item:g} is negative")
    return shared["factor"] * item, os.getpid()


def setting_of(shared: None, name: str) -> str:
    """An environment variable as the worker sees it."""
    return os.environ.get(name, "")


def die(shared: None, status: int) -> int:
    """Ends the worker as the system would for want of memory."""
    os._exit(status)
