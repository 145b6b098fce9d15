"""One piece of slow work at a time, in a process of its own that can be ended at any moment.

An executor from the standard library would make a shutdown wait for the work, and keep its memory afterwards.

What is NOT promised: that anybody is told of an answer. Whoever asked asks again.
"""

from collections import deque
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self


class Died(RuntimeError):
    """The process ended without an answer."""


class Worker:
    """Calls `work` with what is asked, in order, each in a fresh process. Use as a context manager."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self._asked: deque[tuple[Any, ...]] = deque()
        self._answers: dict[tuple[Any, ...], Any] = {}
        self._running: tuple[tuple[Any, ...], BaseProcess, Connection] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.clear()
        if self._running:
            _, process, connection = self._running
            process.kill()
            process.join()
            connection.close()

    def answer(self, *question: Any) -> Any:
        """What the work made of the question: a value, the exception it raised, or None while it is not done."""
        self._collect()
        if question in self._answers:
            return self._answers[question]
        running = self._running is not None and self._running[0] == question
        if not running and question not in self._asked:
            self._asked.append(question)
        self._begin()
        return None

    def _begin(self) -> None:
        if self._running or not self._asked:
            return
        question = self._asked.popleft()
        context = get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(self._work, question, theirs), daemon=True)
        process.start()
        theirs.close()
        self._running = (question, process, ours)

    def _collect(self) -> None:
        if self._running is None:
            return
        question, process, connection = self._running
        if not connection.poll():
            return
        try:
            self._answers[question] = connection.recv()
        except EOFError:
            process.join()
            self._answers[question] = Died(f"the process ended with code {process.exitcode}")
        process.join()
        connection.close()
        self._running = None


def _work(work: Callable[..., Any], question: tuple[Any, ...], connection: Connection) -> None:
    try:
        connection.send(work(*question))
    except Exception as error:  # noqa: BLE001 (it is handed to whoever asked)
        connection.send(error)
