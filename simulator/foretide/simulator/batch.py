"""The requests that one replica has, and the memory they hold: admitted, decoding, preempted, finished.

Memory is counted in blocks (`kvcache`); with `Deployment.prefix_cache` what requests share is computed and held once
(`prefix`). A request is admitted with the room for all of its prompt, and grows by a token per step once it decodes.

What is NOT promised: any time. When something happens is `replica`'s affair; here is only what it does.
"""

from collections import deque
from heapq import heappop, heappush

from foretide.simulator.job import Job
from foretide.simulator.kvcache import in_blocks, padding
from foretide.simulator.prefix import PrefixCache
from foretide.simulator.profiles import Deployment


class Batch:
    """The state behind a replica's step loop; `Replica` drives it."""

    __slots__ = (
        "_block",
        "_context",
        "_decodes",
        "_ends",
        "_phases",
        "_prefilling",
        "_prefix",
        "_reserved",
        "_stack",
        "_steps",
        "deployment",
        "done",
        "finished",
        "kv_tokens",
        "output_tokens",
        "prompt_tokens",
        "waiting",
    )

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.kv_tokens = deployment.room
        self._block = deployment.block_tokens
        self._phases = [0] * self._block
        """Running decodes by (length - steps) modulo the block; see `kvcache`."""
        self._reserved = 0
        self._prefix = PrefixCache(self._block) if deployment.prefix_cache else None
        self.waiting: deque[Job] = deque()
        self._prefilling: list[Job] = []
        self._decodes: dict[int, Job] = {}
        self._ends: list[tuple[int, int]] = []
        self._stack: list[int] = []
        self._context = 0
        self._steps = 0
        self.done: list[tuple[Job, float]] = []
        self.finished = 0
        self.prompt_tokens = 0
        self.output_tokens = 0

    @property
    def jobs(self) -> list[Job]:
        """All that it has: decoding, in prefill, waiting."""
        return [*self._decodes.values(), *self._prefilling, *self.waiting]

    @property
    def running(self) -> int:
        return len(self._decodes) + len(self._prefilling)

    @property
    def outstanding(self) -> int:
        return len(self._decodes) + len(self._prefilling) + len(self.waiting)

    @property
    def kv_used(self) -> int:
        """Tokens of the blocks in use: what runs, with the token that the next step computes."""
        saved = self._prefix.shared - self._prefix.held if self._prefix else 0
        return self._context + padding(self._phases, self._steps) + self._reserved - saved

    @property
    def _expected(self) -> int:
        """Requests with memory of their own."""
        return len(self._decodes) + len(self._prefilling)

    @property
    def _at_most(self) -> int:
        """What `kv_used` cannot exceed, found faster."""
        return self._context + self._reserved + self._block * len(self._decodes)

    @property
    def hit_tokens(self) -> int:
        """Prompt tokens found in the prefix cache, of requests admitted so far."""
        return self._prefix.hit_tokens if self._prefix else 0

    def cached_tokens(self, job: Job) -> int:
        """Tokens of the job's prompt that a request admitted now would find in the prefix cache; 0 without one.

        Within a run of decode steps, what these push out of the cache is seen at its end.
        """
        return self._prefix.hit(job, job.prompt) if self._prefix else 0

    def _admits(self, job: Job) -> bool:
        """Sets aside the room for all that the job has to compute, if there is as much."""
        job.target = job.prompt + job.generated
        needed = in_blocks(job.target, self._block)
        prefix = self._prefix
        more = needed + prefix.price(job) - prefix.claimed(job) if prefix else needed
        if self._at_most + more > self.kv_tokens and self.kv_used + more > self.kv_tokens:
            return False
        self._reserved += needed
        if prefix:
            job.computed = prefix.claim(job)
            self._evict()
        return True

    def _chunk(self, job: Job, budget: int) -> int:
        """Tokens of the job that this step computes; others find them in the prefix cache from now on."""
        tokens = min(budget, job.target - job.computed)
        if self._prefix:
            self._prefix.extend(job, job.computed, job.computed + tokens)
        return tokens

    def _advance_decodes(self, steps: int) -> None:
        self._steps += steps
        self._context += steps * len(self._decodes)

    def _prefilled(self, job: Job, now: float) -> None:
        """The job's next token is out: it ends with that, or decodes from here on."""
        self._reserved -= in_blocks(job.target, self._block)
        if job.generated >= job.output:
            self._finish(job, now)
        else:
            self._join(job)

    def _join(self, job: Job) -> None:
        length = job.prompt + job.generated
        job.joined = self._steps
        self._decodes[job.index] = job
        self._stack.append(job.index)
        self._context += length
        self._phases[(length - self._steps) % self._block] += 1
        heappush(self._ends, (self._steps + job.output - job.generated, job.index))

    def _complete(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= self._steps:
            end, index = heappop(self._ends)
            job = self._decodes.get(index)
            if job is None or job.joined + job.output - job.generated != end:
                continue
            del self._decodes[index]
            self._context -= job.prompt + job.output
            self._phases[(job.prompt + job.output - self._steps) % self._block] -= 1
            self._finish(job, now)

    def _finish(self, job: Job, now: float) -> None:
        self.finished += 1
        self.prompt_tokens += job.prompt
        self.output_tokens += job.output
        if self._prefix:
            self._prefix.release(job, job.prompt + job.output - 1)
        self.done.append((job, now))

    def _make_room(self) -> bool:
        """Preempts the youngest until the next token of each decode fits; True where it had to."""
        preempted = False
        if self._at_most > self.kv_tokens:
            while self._decodes and self.kv_used > self.kv_tokens and self._expected > 1:
                self._preempt()
                preempted = True
        self._evict()
        if len(self._stack) > 4 * len(self._decodes) + 64:
            self._stack = [index for index in self._stack if index in self._decodes]
        return preempted

    def _evict(self) -> None:
        if self._prefix and self._at_most + self._prefix.idle > self.kv_tokens:
            self._prefix.evict(max(0, self.kv_tokens - self.kv_used))

    def _preempt(self) -> None:
        if self._prefilling:
            job = self._prefilling.pop()
            self._reserved -= in_blocks(job.target, self._block)
        else:
            job = self._youngest_decode()
            job.computed = job.prompt + job.generated - 1
        if self._prefix:
            self._prefix.release(job, job.computed)
        job.computed = 0
        self.waiting.appendleft(job)

    def _youngest_decode(self) -> Job:
        """Takes it out of the batch; there is one."""
        while (index := self._stack.pop()) not in self._decodes:
            pass
        job = self._decodes.pop(index)
        job.generated += self._steps - job.joined
        self._context -= job.prompt + job.generated
        self._phases[(job.prompt + job.generated - self._steps) % self._block] -= 1
        return job
