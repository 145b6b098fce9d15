"""The two halves of disaggregated serving: a replica that only computes prompts, and one that only generates.

A prefill replica gives the first token, then holds the prompt's KV cache until it was fetched. A decode replica sets
memory aside for a request, fetches its cache, and generates from the next step on (DistServe section 4.3; vLLM's KV
connectors do the same). Where its memory is full it preempts the youngest, and computes that one's prompt again itself.

What is NOT promised: prefix reuse on the decode side; every cache is fetched whole.
"""

from math import inf

from foretide.simulator.job import Job
from foretide.simulator.kvcache import in_blocks, padding
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Replica


class PrefillReplica(Replica):
    """`handed` holds the requests whose first token is out and that have more to come; take them from there."""

    __slots__ = ("handed",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.handed: list[Job] = []

    def let_go(self, job: Job, now: float) -> None:
        """The request's cache was fetched; its memory is free."""
        self.give_up(job)
        self.look(now)

    def give_up(self, job: Job) -> None:
        self._reserved -= in_blocks(job.target, self._block)
        if self._prefix:
            self._prefix.release(job, job.target)

    def look(self, now: float) -> None:
        """There may be room for what waits."""
        if self.next_event == inf and self.waiting:
            self._begin(now)

    def _prefilled(self, job: Job, now: float) -> None:
        if job.generated >= job.output:
            super()._prefilled(job, now)
            return
        self.finished += 1
        self.prompt_tokens += job.prompt
        self.output_tokens += 1
        self.handed.append(job)


class DecodeReplica(Replica):
    """`reserve` memory for a request, and once its cache has come, let it `join`."""

    __slots__ = ("_coming", "_joining")

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._coming = 0
        """Requests with memory set aside that do not generate yet."""
        self._joining: list[Job] = []

    @property
    def outstanding(self) -> int:
        return super().outstanding + self._coming

    @property
    def _expected(self) -> int:
        return self.running + self._coming

    @property
    def kv_planned(self) -> int:
        """Tokens of the blocks in use when what is under way has ended."""
        grown = self._plan * len(self._decodes)
        return self._context + grown + padding(self._phases, self._steps + self._plan) + self._reserved

    @property
    def jobs(self) -> list[Job]:
        return [*super().jobs, *self._joining]

    def reserve(self, job: Job) -> bool:
        """Whether there is room; if so, it is set aside. Preempted requests go first."""
        if self.waiting or self._expected >= self._most:
            return False
        needed = in_blocks(job.target, self._block)
        if self._at_most + needed > self.kv_tokens and self.kv_used + needed > self.kv_tokens:
            return False
        self.expect(job)
        return True

    def expect(self, job: Job) -> None:
        """Sets memory aside, whether there is as much or not."""
        self._reserved += in_blocks(job.target, self._block)
        self._coming += 1

    def join(self, job: Job, now: float) -> None:
        """The request's cache is here; it generates from the next step on."""
        self._joining.append(job)
        if self.next_event == inf:
            self._begin(now)
        else:
            self.cut(now)

    def cut(self, now: float) -> None:
        """Ends a run of steps with the one during which `now` falls."""
        if self._plan > 1 and not self._chunks:
            self._cut(now)

    def _schedule(self) -> list[tuple[Job, int]]:
        for job in self._joining:
            self._reserved -= in_blocks(job.target, self._block)
            self._coming -= 1
            self._join(job)
        self._joining.clear()
        return super()._schedule()
