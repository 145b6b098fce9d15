"""What really happened to the count, and whether it was right: judged by the demand that was really made.

The writes are a watch on the Deployment past every shim. A wrong scale-down is one to below what the demand of the next
cold-start time needs; one while the operator cannot see is wrong whatever was needed.
"""

import http.client
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chaos.past import Past

COLD_START_S = 3.0
"""From an order to ready pods, on this bed: a pod starts in one second, seen and ordered within two more."""
WORK_S = 1000 / 4000 + 200 / 600
"""Engine seconds of one request of 1000 prompt and 200 output tokens, at the operator's speeds for unknown models."""
LOAD = 0.5
"""Share of its time that one replica may be busy, as the operator has it for unknown models."""


@dataclass(frozen=True)
class Write:
    """A change of spec.replicas, at monotonic seconds."""

    at: float
    before: int
    after: int

    @property
    def lowers(self) -> bool:
        return self.after < self.before


@dataclass
class Demand:
    """Requests/s that are really made, as steps."""

    steps: list[tuple[float, float]] = field(default_factory=list)

    def becomes(self, rate: float) -> None:
        self.steps.append((time.monotonic(), rate))

    def most(self, start: float, end: float) -> float:
        """The highest rate between two times, both included."""
        standing = [rate for at, rate in self.steps if at <= start][-1:]
        return max([*standing, *(rate for at, rate in self.steps if start < at <= end)], default=0.0)


def needed(rate: float) -> int:
    """Replicas that carry this demand without a margin for what is not known of them."""
    return math.ceil(rate * WORK_S / LOAD)


def wrong(writes: list[Write], demand: Demand) -> list[Write]:
    """The scale-downs to below what the demand of the next cold-start time needs."""
    return [
        write
        for write in writes
        if write.lowers and write.after < needed(demand.most(write.at, write.at + COLD_START_S))
    ]


def blind(writes: list[Write], *, since: float, until: float) -> list[Write]:
    """The scale-downs while the operator could not see."""
    return [write for write in writes if write.lowers and since <= write.at <= until]


class Watch:
    """Records the counts of one Deployment as the API server tells them; goes on after every interruption."""

    def __init__(self, past: Past, namespace: str) -> None:
        self._past, self._path = past, f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._counts: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._version = "0"

    @property
    def count(self) -> int:
        return self._counts[-1][1]

    def counts(self) -> list[int]:
        """The last two."""
        return [count for _, count in self._counts[-2:]]

    def writes(self, since: float = 0.0) -> list[Write]:
        found = [Write(at, before, after) for (_, before), (at, after) in pairwise(list(self._counts))]
        return [write for write in found if write.at >= since]

    def run(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError, http.client.HTTPException, ValueError, LookupError):
                self._follow()
            self._ended.wait(0.2)

    def end(self) -> None:
        self._ended.set()

    def _follow(self) -> None:
        connection = self._past.connection()
        try:
            connection.request("GET", f"{self._path}?watch=true&timeoutSeconds=600&resourceVersion={self._version}")
            with connection.getresponse() as answer:
                while not self._ended.is_set() and (line := answer.readline()):
                    self._hear(json.loads(line))
        finally:
            connection.close()

    def _hear(self, event: dict[str, Any]) -> None:
        # Going on from the last version, no change is missed while we were away.
        self._version = "0" if event["type"] == "ERROR" else event["object"]["metadata"]["resourceVersion"]
        count = event["object"].get("spec", {}).get("replicas")
        if isinstance(count, int) and (not self._counts or self._counts[-1][1] != count):
            self._counts.append((time.monotonic(), count))


@contextmanager
def watching(past: Past, namespace: str) -> Iterator[Watch]:
    """Returns when the present count is known."""
    watch = Watch(past, namespace)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        while not watch._counts:
            time.sleep(0.1)
        yield watch
    finally:
        watch.end()
        thread.join()
