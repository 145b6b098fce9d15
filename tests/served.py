"""One replica by itself: a plain engine, and requests driven through it to the end."""

from collections.abc import Callable, Iterable
from math import inf

from foretide.simulator.job import Job
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.replica import Replica

Request = tuple[float, int, int]
"""Arrival in seconds, prompt tokens, output tokens."""

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
PLAIN = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=100_000, source="a test"))


def jobs_of(requests: Iterable[Request]) -> list[Job]:
    return [Job(index, arrival, prompt, output) for index, (arrival, prompt, output) in enumerate(requests)]


def drive(
    replica: Replica, jobs: Iterable[Job], check: Callable[[], object] = lambda: None
) -> dict[int, tuple[float, float]]:
    """Index -> (first token, end), in seconds; `check` is called after every event."""
    ended = {}

    def proceed() -> None:
        replica.proceed()
        check()
        for job, at in replica.done:
            ended[job.index] = (job.first, at)
        replica.done.clear()

    for job in jobs:
        while replica.next_event <= job.arrival:
            proceed()
        replica.submit(job, job.arrival)
    while replica.next_event < inf:
        proceed()
    return ended


def serve(replica: Replica, requests: list[Request]) -> dict[int, tuple[float, float]]:
    return drive(replica, jobs_of(requests))
