"""The requests of a run in columns: when each came, how long it is, and what became of it."""

from dataclasses import dataclass
from math import inf, nan

import numpy as np

from foretide.policies.flow import Floats, frozen
from foretide.simulator.replica import Job
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
    """`room` is the KV capacity of a replica in tokens. Raises ValueError for a request that never fits into it."""

    __slots__ = ("_arrivals", "_cold", "_end", "_first", "_next", "_outputs", "_prompts", "_room", "next_arrival")

    def __init__(self, trace: RequestTrace, *, room: int) -> None:
        self._room = room
        self._arrivals: list[float] = trace.arrival_s.tolist()
        self._prompts: list[int] = trace.prompt_tokens.tolist()
        self._outputs: list[int] = trace.output_tokens.tolist()
        self._refuse_what_never_fits(self._prompts, self._outputs)
        count = len(self._arrivals)
        self._first, self._end, self._cold = [nan] * count, [nan] * count, [False] * count
        self._next = 0
        self.next_arrival = self._arrivals[0] if count else inf
        """When the next request comes; infinite after the last."""

    def take(self) -> Job:
        """The request that comes next."""
        index = self._next
        job = Job(index, self._arrivals[index], self._prompts[index], self._outputs[index])
        self._next = index = index + 1
        self.next_arrival = self._arrivals[index] if index < len(self._arrivals) else inf
        return job

    def append(self, arrival_s: float, prompt_tokens: int, output_tokens: int) -> int:
        """Adds a request at the end and gives its index.

        Raises ValueError for one that comes before an earlier one, or that never fits.
        """
        if self._arrivals and arrival_s < self._arrivals[-1]:
            raise ValueError(f"arrival_s: {arrival_s}: lies before the newest arrival at {self._arrivals[-1]}")
        self._refuse_what_never_fits([prompt_tokens], [output_tokens])
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
        arrival, first, end = (np.array(column[:count]) for column in (self._arrivals, self._first, self._end))
        later = np.array(self._outputs[:count], dtype=np.float64) - 1.0
        return RequestOutcome(
            arrival_s=frozen(arrival),
            ttft_s=frozen(first - arrival + overhead_s),
            tpot_s=frozen(np.where(later > 0, (end - first) / np.maximum(later, 1.0), np.nan)),
            e2e_s=frozen(end - arrival + overhead_s),
            cold_started=np.array(self._cold[:count], dtype=np.bool_),
        )

    def _refuse_what_never_fits(self, prompts: list[int], outputs: list[int]) -> None:
        for prompt, output in zip(prompts, outputs, strict=True):
            if prompt + output > self._room:
                never = f"a request of {prompt} + {output} tokens never fits"
                raise ValueError(f"kv_tokens: {self._room}: {never}; raise it or drop the request")
