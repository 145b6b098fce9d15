"""A competitor whose library is not installed, said in one line instead of an import error."""

from collections.abc import Iterator
from contextlib import contextmanager


class NotInstalled(Exception):
    """`library` is what to install for `model`; `extra` the extra of this distribution that has it."""

    def __init__(self, *, model: str, library: str, extra: str = "bench") -> None:
        self.model, self.library, self.extra = model, library, extra
        super().__init__(f"{model} needs {library}: pip install 'foretide[{extra}]'")


@contextmanager
def needs(model: str, library: str, *, extra: str = "bench") -> Iterator[None]:
    """Imports inside say which library is missing, rather than which module of it."""
    try:
        yield
    except ImportError as error:
        raise NotInstalled(model=model, library=library, extra=extra) from error
