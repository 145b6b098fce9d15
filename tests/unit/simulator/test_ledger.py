"""Requests in columns: what is refused before it can hang, and that ended requests leave nothing behind."""

import tracemalloc
from math import inf, nan

import numpy as np
import pytest

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.ledger import Ledger
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.requests import Blocks, RequestTrace

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
DEPLOYMENT = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=20_000, source="a test"))


def trace(*requests: tuple[float, float, float], blocks: Blocks | None = None) -> RequestTrace:
    arrival, prompt, output = (np.array(column) for column in zip(*requests, strict=True))
    return RequestTrace(frozen(arrival.astype(np.float64)), prompt, output, blocks)


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([(0, 10, 5), (nan, 10, 5)], r"arrival_s: nan of request 2: give seconds, from 0 on"),
        ([(0, 10, 5), (inf, 10, 5)], r"arrival_s: inf of request 2: give seconds, from 0 on"),
        ([(-1, 10, 5)], r"arrival_s: -1\.0 of request 1: give seconds, from 0 on"),
        ([(2, 10, 5), (1, 10, 5)], r"arrival_s: 1\.0 of request 2: lies before the request before it; sort by time"),
        ([(0, nan, 5)], r"prompt_tokens: nan of request 1: give a whole number of at least 1"),
        ([(0, 10, nan)], r"output_tokens: nan of request 1: give a whole number of at least 1"),
        ([(0, 10, 5), (1, 10, 0)], r"output_tokens: 0 of request 2: give a whole number of at least 1"),
        ([(0, 900, 101)], r"kv_tokens: 1000: a request of 900 \+ 101 tokens never fits; raise it or drop the request"),
    ],
)
def test_a_request_that_can_never_be_served_is_refused(requests: list[tuple[float, float, float]], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        Ledger(trace(*requests), room=1000)


@pytest.mark.parametrize(
    ("request_", "told"),
    [((nan, 10, 5), "arrival_s: nan: is no time"), ((1.0, 0, 5), "prompt_tokens: 0 of request 1")],
)
def test_so_is_one_that_comes_later(request_: tuple[float, int, int], told: str) -> None:
    ledger = Ledger(trace((0, 10, 5)), room=1000)
    with pytest.raises(ValueError, match=told):
        ledger.append(*request_)
    assert len(ledger.outcome(overhead_s=0.0).arrival_s) == 0


def test_requests_are_taken_in_order_with_the_blocks_of_their_prompts() -> None:
    blocks = Blocks(np.array([7, 8, 9]), np.array([0, 2, 3]))
    ledger = Ledger(trace((0, 1000, 5), (3, 500, 1), blocks=blocks), room=5000)
    assert ledger.append(4.0, 30, 1) == 2
    taken = []
    while ledger.next_arrival < inf:
        at, job = ledger.next_arrival, ledger.take()
        taken.append((at, job.index, job.arrival, job.prompt, job.output, job.blocks))
    assert taken == [(0, 0, 0, 1000, 5, (7, 8)), (3, 1, 3, 500, 1, (9,)), (4, 2, 4, 30, 1, ())]


def test_a_request_that_comes_after_the_last_one_was_taken_is_next() -> None:
    ledger = Ledger(trace((0, 10, 5)), room=1000)
    ledger.take()
    assert ledger.next_arrival == inf
    ledger.append(9.0, 10, 5)
    assert ledger.next_arrival == 9.0


def test_a_request_leaves_nothing_behind_once_it_has_ended() -> None:
    """Two Python floats kept for each of these would take 400 kB."""
    count = 8000
    rng = np.random.default_rng(0)
    arrivals = frozen(np.cumsum(rng.exponential(0.05, count)))
    requests = RequestTrace(arrivals, rng.integers(10, 300, count), rng.integers(1, 30, count))
    made = Fleet(deployment=DEPLOYMENT, trace=requests, replicas=2, cold_start=StartTier(1.0, 0.0), seed=0)
    made.advance(float(arrivals[1000]))
    tracemalloc.start()
    made.advance(float(arrivals[-1]) + 60)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.isfinite(made.outcome().e2e_s).all()
    assert grown < 60_000
