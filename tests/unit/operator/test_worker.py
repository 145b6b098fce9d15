"""Slow work beside us: never waited for, never in our way when we go."""

import math
import os
import time
from typing import Any

from foretide.operator.worker import Died, Worker


def asked(worker: Worker, *question: Any) -> Any:
    """The answer, asked for until it is there."""
    end = time.monotonic() + 30
    while (answer := worker.answer(*question)) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    return answer


def test_questions_are_answered_one_after_the_other_and_kept() -> None:
    with Worker(abs) as worker:
        assert worker.answer(-1) is None
        assert worker.answer(-2) is None
        assert (asked(worker, -1), asked(worker, -2)) == (1, 2)
        assert worker.answer(-1) == 1


def test_an_exception_is_the_answer() -> None:
    with Worker(math.sqrt) as worker:
        answer = asked(worker, -7)
    assert isinstance(answer, ValueError)


def test_a_process_that_dies_is_an_answer_too() -> None:
    with Worker(os._exit) as worker:
        assert isinstance(asked(worker, 3), Died)


def test_leaving_does_not_wait_for_the_work() -> None:
    began = time.monotonic()
    with Worker(time.sleep) as worker:
        worker.answer(600)
    assert worker._running is not None
    assert not worker._running[1].is_alive()
    assert time.monotonic() - began < 60
