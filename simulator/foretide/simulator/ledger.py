"""The requests of a run in columns: when each came, how long it is, and what became of it.

A request is a row of 41 bytes from beginning to end, and a Python object only while it is under way: weeks of traffic
take the memory of their columns and no more.
"""

from array import array
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from foretide.policies.flow import Floats, frozen
from foretide.simulator.job import Job
from foretide.simulator.requests import RequestTrace


@dataclass(frozen=True, slots=True, eq=False)
class RequestOutcome:
    """What became of each request, in order of arrival: seconds, NaN where unfinished; no TPOT for a single token."""

    arrival_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    cold_started: np.ndarray[tuple[int], np.dtype[np.bool_]]
    """True where it waited at the door for a starting replica."""


class Ledger:
    """`room` is the KV capacity of a replica in tokens. Raises ValueError for a request that can never be served."""

    __slots__ = (
        "_arrivals",
        "_blocks",
        "_cold",
        "_end",
        "_first",
        "_next",
        "_outputs",
        "_prompts",
        "_room",
        "next_arrival",
    )

    def __init__(self, trace: RequestTrace, *, room: int) -> None:
        self._room = room
        self._refuse_what_cannot_be(trace.arrival_s, trace.prompt_tokens, trace.output_tokens)
        self._arrivals = array("d", np.asarray(trace.arrival_s, dtype=np.float64).tobytes())
        self._prompts = array("q", np.asarray(trace.prompt_tokens, dtype=np.int64).tobytes())
        self._outputs = array("q", np.asarray(trace.output_tokens, dtype=np.int64).tobytes())
        self._blocks = trace.blocks
        count = len(self._arrivals)
        self._first, self._end = array("d", [nan]) * count, array("d", [nan]) * count
        self._cold = bytearray(count)
        self._next = 0
        self.next_arrival = self._arrivals[0] if count else inf
        """When the next request comes; infinite after the last."""

    def take(self) -> Job:
        """The request that comes next."""
        index = self._next
        job = Job(index, self._arrivals[index], self._prompts[index], self._outputs[index])
        if self._blocks is not None and index + 1 < len(self._blocks.offsets):
            job.blocks, job.hash_tokens = tuple(self._blocks.of(index).tolist()), self._blocks.tokens
        self._next = index = index + 1
        self.next_arrival = self._arrivals[index] if index < len(self._arrivals) else inf
        return job

    def append(self, arrival_s: float, prompt_tokens: int, output_tokens: int) -> int:
        """Adds a request at the end and gives its index.

        Raises ValueError for one that comes before an earlier one, or that can never be served.
        """
        if self._arrivals and arrival_s < self._arrivals[-1]:
            raise ValueError(f"arrival_s: {arrival_s}: lies before the newest arrival at {self._arrivals[-1]}")
        if not isfinite(arrival_s):
            raise ValueError(f"arrival_s: {arrival_s}: is no time; give seconds")
        self._refuse_lengths(np.array([prompt_tokens]), np.array([output_tokens]))
        if self._next == len(self._arrivals):
            self.next_arrival = arrival_s
        self._arrivals.append(arrival_s)
        self._prompts.append(prompt_tokens)
        self._outputs.append(output_tokens)
        self._first.append(nan)
        self._end.append(nan)
        self._cold.append(False)
        return len(self._arrivals) - 1

    def finished(self, job: Job, at: float) -> None:
        self._first[job.index], self._end[job.index] = job.first, at

    def waited_for_a_start(self, job: Job) -> None:
        self._cold[job.index] = True

    def outcome(self, *, overhead_s: float) -> RequestOutcome:
        """What became of the requests that have arrived so far; `overhead_s` is added to TTFT and to latency."""
        count = self._next
        arrival, first, end, output = (
            np.asarray(memoryview(column)[:count]) for column in (self._arrivals, self._first, self._end, self._outputs)
        )
        later = output - 1.0
        return RequestOutcome(
            arrival_s=frozen(arrival),
            ttft_s=frozen(first - arrival + overhead_s),
            tpot_s=frozen(np.where(later > 0, (end - first) / np.maximum(later, 1.0), np.nan)),
            e2e_s=frozen(end - arrival + overhead_s),
            cold_started=np.frombuffer(self._cold[:count], dtype=np.bool_),
        )

    def _refuse_what_cannot_be(self, arrivals: Floats, prompts: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
        _refuse_first(~np.isfinite(arrivals) | (arrivals < 0), "arrival_s", arrivals, "give seconds, from 0 on")
        earlier = np.diff(arrivals, prepend=arrivals[:1]) < 0
        _refuse_first(earlier, "arrival_s", arrivals, "lies before the request before it; sort by time")
        self._refuse_lengths(prompts, outputs)

    def _refuse_lengths(self, prompts: NDArray[np.int64], outputs: NDArray[np.int64]) -> None:
        for name, tokens in (("prompt_tokens", prompts), ("output_tokens", outputs)):
            _refuse_first(~(tokens >= 1), name, tokens, "give a whole number of at least 1")
        longer = np.flatnonzero(prompts + outputs > self._room)
        if len(longer):
            never = f"a request of {prompts[longer[0]]} + {outputs[longer[0]]} tokens never fits"
            raise ValueError(f"kv_tokens: {self._room}: {never}; raise it or drop the request")


def _refuse_first(bad: NDArray[np.bool_], name: str, values: NDArray[np.generic], fix: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"{name}: {values[row]} of request {row + 1}: {fix}")
