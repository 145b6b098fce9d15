"""Many independent runs, one after another, over processes, or over a Dask cluster through joblib.

Promised: results in the order of the items, the same on every way of running them, for the runs are seeded. What all of
them share goes to each worker once.

What is NOT promised: safety from the far side. A cluster's scheduler and workers run the code and data they are sent,
and may send back any; name only one that is yours.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import active_children, get_context
from signal import SIG_DFL, SIGINT, signal
from typing import Any, TypeVar

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")
Finished = Callable[[int], None]
"""Told the index of an item whose result is there."""

CONNECT_S = 10.0
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
EXTRA = "install it with: pip install 'foretide[cluster]'"


class CannotSpread(ValueError):
    """Work that cannot be spread as asked: the option, its value, and the fix."""

    def __init__(self, option: str, value: str, fix: str) -> None:
        self.option, self.value, self.fix = option, value, fix
        super().__init__(f"{option}: {value}: {fix}")


@dataclass(frozen=True, slots=True)
class Workers:
    """Where runs go: this process, `jobs` processes, or the cluster behind a Dask scheduler's address."""

    jobs: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise CannotSpread("--jobs", str(self.jobs), "give at least 1 process")
        if self.scheduler is not None and self.jobs > 1:
            raise CannotSpread("--jobs", str(self.jobs), "a cluster has workers of its own; leave --jobs out")


def spread(
    call: Callable[[Shared, Item], Result],
    items: Sequence[Item],
    *,
    shared: Shared,
    workers: Workers,
    finished: Finished | None = None,
) -> list[Result]:
    """`call(shared, item)` for every item. `call` is a function of a module, its results can be sent between processes.

    Raises CannotSpread, and whatever `call` raises first.
    """
    told = finished or _silent
    if workers.scheduler is not None:
        return _over_cluster(call, items, shared, workers.scheduler, told)
    if workers.jobs == 1 or len(items) < 2:
        return list(_counted((call(shared, item) for item in items), told))
    return _over_processes(call, items, shared, min(workers.jobs, len(items)), told)


def _silent(_: int) -> None:
    """Nobody wants to know."""


_given: list[Any] = []
"""In a worker process: what all items share."""


def _receive(shared: Any) -> None:
    # Ctrl-C reaches all processes of a terminal; workers end by it without a word, for the parent has the say.
    signal(SIGINT, SIG_DFL)
    _given[:] = [shared]


def _with_given(call: Callable[[Any, Item], Result], item: Item) -> Result:
    return call(_given[0], item)


def _over_processes(
    call: Callable[[Shared, Item], Result], items: Sequence[Item], shared: Shared, jobs: int, told: Finished
) -> list[Result]:
    # Fresh interpreters: a fork would copy threads' locks, and the progress bars have threads.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_receive, initargs=(shared,))
    with _one_thread_each():
        try:
            futures = {pool.submit(_with_given, call, item): index for index, item in enumerate(items)}
            return _gathered(futures, told)
        except KeyboardInterrupt:
            for worker in active_children():  # or the exit would wait for the runs that are under way
                worker.terminate()
            raise
        except BrokenProcessPool as error:
            fix = "a worker process died, most likely for want of memory; give fewer"
            raise CannotSpread("--jobs", str(jobs), fix) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _gathered(futures: dict[Future[Result], int], told: Finished) -> list[Result]:
    for future in as_completed(futures):
        future.result()
        told(futures[future])
    return [future.result() for future in futures]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Worker processes begin with one thread for linear algebra, or as many processes would fight over the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update({name: "1" for name, value in before.items() if value is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


def _over_cluster(
    call: Callable[[Shared, Item], Result], items: Sequence[Item], shared: Shared, scheduler: str, told: Finished
) -> list[Result]:
    try:
        distributed, joblib = import_module("distributed"), import_module("joblib")
    except ImportError as error:
        raise CannotSpread("--scheduler", scheduler, f"needs {error.name}, which is missing; {EXTRA}") from error
    try:
        client = distributed.Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        fix = "no Dask scheduler answers there; give its address like tcp://host:8786"
        raise CannotSpread("--scheduler", scheduler, fix) from error
    with client:
        if not client.ncores():
            fix = "the scheduler has no workers; start some with: dask worker ADDRESS"
            raise CannotSpread("--scheduler", scheduler, fix)
        with joblib.parallel_config(backend="dask", client=client, scatter=[shared]):
            ordered = joblib.Parallel(return_as="generator")(joblib.delayed(call)(shared, item) for item in items)
            return list(_counted(ordered, told))


def _counted(results: Iterable[Result], told: Finished) -> Iterator[Result]:
    for index, result in enumerate(results):
        told(index)
        yield result
