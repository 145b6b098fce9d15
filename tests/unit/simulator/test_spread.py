import os
import sys
from types import ModuleType
from typing import Any, Self

import pytest
from errands import die, scaled, setting_of

from foretide.simulator.spread import THREADS, CannotSpread, Workers, spread

ITEMS = [3.0, 1.0, 2.0]


def test_results_come_in_the_order_of_the_items_and_are_told() -> None:
    told: list[int] = []
    found = spread(scaled, ITEMS, shared={"factor": 10.0}, workers=Workers(), finished=told.append)
    assert found == [(30.0, os.getpid()), (10.0, os.getpid()), (20.0, os.getpid())]
    assert told == [0, 1, 2]


def test_processes_give_the_same_results_elsewhere() -> None:
    told: list[int] = []
    found = spread(scaled, ITEMS, shared={"factor": 10.0}, workers=Workers(jobs=2), finished=told.append)
    assert [value for value, _ in found] == [30.0, 10.0, 20.0]
    assert os.getpid() not in {where for _, where in found}
    assert sorted(told) == [0, 1, 2]


def test_what_a_run_complains_about_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="-1 is negative"):
        spread(scaled, [1.0, -1.0, 2.0], shared={"factor": 1.0}, workers=Workers(jobs=2))


def test_workers_do_linear_algebra_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    assert spread(setting_of, THREADS, shared=None, workers=Workers(jobs=2)) == ["1"] * len(THREADS)
    assert not [name for name in THREADS if name in os.environ]


def test_a_process_that_dies_is_one_line() -> None:
    with pytest.raises(CannotSpread, match=r"--jobs: 2: a worker process died"):
        spread(die, [3, 3], shared=None, workers=Workers(jobs=2))


@pytest.mark.parametrize(
    ("jobs", "scheduler", "line"),
    [(0, None, "--jobs: 0: give at least 1 process"), (4, "tcp://a:1", "--jobs: 4: a cluster has workers of its own")],
)
def test_impossible_workers_are_one_line(jobs: int, scheduler: str | None, line: str) -> None:
    with pytest.raises(CannotSpread, match=line):
        Workers(jobs, scheduler)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CannotSpread, match=r"--scheduler: tcp://a:1: needs distributed.*'foretide\[cluster\]'"):
        spread(scaled, ITEMS, shared={"factor": 1.0}, workers=Workers(scheduler="tcp://a:1"))


class FakeClient:
    """A scheduler's client that answers for `tcp://there:1` only."""

    def __init__(self, address: str, *, timeout: float) -> None:
        if address == "tcp://nowhere:1":
            raise TimeoutError(f"no answer in {timeout} s")
        self._cores = {"worker": 2} if address == "tcp://there:1" else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def ncores(self) -> dict[str, int]:
        return self._cores


@pytest.fixture
def fake_cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """joblib and distributed as far as they are used; returns what the backend was given."""
    given: dict[str, Any] = {}
    distributed, joblib = ModuleType("distributed"), ModuleType("joblib")

    class Config:
        def __init__(self, **options: Any) -> None:
            given.update(options)

        def __enter__(self) -> None:
            """As joblib does."""

        def __exit__(self, *_: object) -> None:
            """As joblib does."""

    vars(distributed)["Client"] = FakeClient
    vars(joblib).update(
        parallel_config=Config,
        delayed=lambda call: lambda *arguments: (call, arguments),
        Parallel=lambda **_: lambda calls: (call(*arguments) for call, arguments in calls),
    )
    monkeypatch.setitem(sys.modules, "distributed", distributed)
    monkeypatch.setitem(sys.modules, "joblib", joblib)
    return given


def test_a_cluster_is_reached_through_joblib_and_gets_what_is_shared_once(fake_cluster: dict[str, Any]) -> None:
    shared, told = {"factor": 10.0}, list[int]()
    workers = Workers(scheduler="tcp://there:1")
    found = spread(scaled, ITEMS, shared=shared, workers=workers, finished=told.append)
    assert [value for value, _ in found] == [30.0, 10.0, 20.0]
    assert told == [0, 1, 2]
    assert fake_cluster["backend"] == "dask"
    assert fake_cluster["scatter"][0] is shared


@pytest.mark.usefixtures("fake_cluster")
@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("tcp://nowhere:1", "--scheduler: tcp://nowhere:1: no Dask scheduler answers there"),
        ("tcp://empty:1", "--scheduler: tcp://empty:1: the scheduler has no workers"),
    ],
)
def test_a_cluster_that_cannot_work_is_one_line(address: str, line: str) -> None:
    with pytest.raises(CannotSpread, match=line):
        spread(scaled, ITEMS, shared={"factor": 1.0}, workers=Workers(scheduler=address))


def test_a_real_cluster_gives_the_same_results() -> None:
    """Needs the extra `cluster`."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    pytest.importorskip("joblib", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        workers = Workers(scheduler=cluster.scheduler_address)
        found = spread(scaled, ITEMS, shared={"factor": 10.0}, workers=workers)
    assert [value for value, _ in found] == [30.0, 10.0, 20.0]
    assert os.getpid() not in {where for _, where in found}
