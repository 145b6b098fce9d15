"""One engine replica: continuous batching as vLLM V1 schedules it, simulated per request, jumping between events.

A step takes every running decode first, then prefill chunks of the oldest requests within the token budget
(`chunk`), the sequence limit and the KV cache; it takes as long as `steptime` says. Steps without prefill run in closed
form to the next completion, arrival or full cache, k steps taking k (a + b n + c C) + c n k (k - 1) / 2.
Memory is counted in blocks; with `Deployment.prefix_cache` what requests share is computed and held once (`prefix`).

What is NOT promised: pipeline parallelism, or swapping; a preempted request is computed again.
"""

from collections import deque
from dataclasses import replace
from heapq import heappop, heappush
from math import ceil, inf, sqrt

from foretide.simulator.job import Job
from foretide.simulator.kvcache import in_blocks, lasting, padding
from foretide.simulator.prefix import PrefixCache
from foretide.simulator.profiles import Deployment
from foretide.simulator.steptime import StepTime

__all__ = ("Job", "Replica")


class Replica:
    """Owner of the step loop. Drive it with `next_event`, `proceed` and `submit`."""

    __slots__ = (
        "_begun",
        "_block",
        "_chunks",
        "_context",
        "_decodes",
        "_ends",
        "_phases",
        "_plan",
        "_prefilling",
        "_prefix",
        "_reserved",
        "_stack",
        "_steps",
        "_time",
        "_whole",
        "deployment",
        "done",
        "finished",
        "kv_tokens",
        "next_event",
        "output_tokens",
        "prefill_s",
        "prompt_tokens",
        "waiting",
    )

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._time = StepTime(deployment)
        self.prefill_s = 0.0
        """Seconds of steps that prefilled, decodes beside it or not."""
        self._whole = deployment.whole_prompts
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
        self._begun = 0.0
        self._plan = 0
        self._chunks: list[tuple[Job, int]] = []
        self.next_event = inf
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

    def submit(self, job: Job, now: float) -> None:
        """A request arrives; it joins at the next step boundary."""
        self.waiting.append(job)
        if self.next_event == inf:
            self._begin(now)
        elif self._plan > 1 and not self._chunks:
            self._cut(now)

    def respeed(self, factor: float, now: float) -> None:
        """Every step after the one under way takes `factor` times as long as the deployment says."""
        if self._plan > 1 and not self._chunks:
            self._cut(now)
            self._to_last_step()  # which no later arrival can cut at the new speed
        self._time = StepTime(replace(self.deployment, speed_factor=self.deployment.speed_factor * factor))

    def proceed(self) -> None:
        """Carries out what was under way until `next_event`, and begins what comes next."""
        now = self.next_event
        if self._plan > 1 and self._prefix:
            self._to_last_step()
        self._advance_decodes(self._plan)
        if self._chunks:
            self._end_prefill(now)
        self._complete(now)
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._begun = now
        self._chunks = self._schedule()
        if self._chunks:
            self._plan = int(not self._whole)
            decodes = len(self._decodes) * self._plan
            self.next_event = now + self._time.mixed(self._chunks, decodes, self._context)
        elif self._decodes:
            self._plan = self._longest_run()
            self.next_event = now + self._run_time(self._plan)
        else:
            self._plan = 0
            self.next_event = inf

    def _schedule(self) -> list[tuple[Job, int]]:
        preempted = self._make_room()
        if not self._prefilling and not self.waiting:
            return []
        if self._whole:
            return [] if preempted else self._whole_prompts()
        budget = self.deployment.chunk - len(self._decodes)
        chunks: list[tuple[Job, int]] = []
        for job in self._prefilling:  # its room in the cache was set aside when it was admitted
            if budget <= 0:
                return chunks
            tokens = self._chunk(job, budget)
            chunks.append((job, tokens))
            budget -= tokens
        if preempted:
            return chunks  # as in vLLM V1, a step that had to preempt admits nobody
        while self.waiting and budget > 0 and self._expected < self.deployment.max_num_seqs:
            job = self.waiting[0]
            if not self._admits(job):
                break
            self._prefilling.append(self.waiting.popleft())
            tokens = self._chunk(job, budget)
            chunks.append((job, tokens))
            budget -= tokens
        return chunks

    def _whole_prompts(self) -> list[tuple[Job, int]]:
        """As many as the step takes, or one that is longer than that; decodes wait."""
        left = self.deployment.chunk
        while self.waiting and self._expected < self.deployment.max_num_seqs:
            job = self.waiting[0]
            left -= job.prompt + job.generated
            if (left < 0 and self._prefilling) or not self._admits(job):
                break
            self._prefilling.append(self.waiting.popleft())
        return [(job, self._chunk(job, job.target)) for job in self._prefilling]

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

    def _run_time(self, steps: int) -> float:
        n = len(self._decodes)
        return steps * self._time.decode(n, self._context) + self._time.growth(n) * steps * (steps - 1) / 2.0

    def _longest_run(self) -> int:
        n = len(self._decodes)
        to_end = self._ends[0][0] - self._steps
        if self._at_most + n * to_end <= self.kv_tokens:
            return max(1, to_end)
        free = max(0, self.kv_tokens - self.kv_used)
        return max(1, min(to_end, 1 + lasting(self._phases, self._steps, free)))

    def _cut(self, now: float) -> None:
        """Shortens the run under way to the step during which `now` falls."""
        elapsed = now - self._begun
        n = len(self._decodes)
        square = self._time.growth(n) / 2.0
        linear = self._time.decode(n, self._context) - square
        if square > 0:
            steps = (sqrt(linear * linear + 4.0 * square * elapsed) - linear) / (2.0 * square)
        else:
            steps = elapsed / linear
        whole = max(1, ceil(steps - 1e-9))
        if whole < self._plan:
            self._plan = whole
            self.next_event = self._begun + self._run_time(whole)

    def _advance_decodes(self, steps: int) -> None:
        self._steps += steps
        self._context += steps * len(self._decodes)

    def _to_last_step(self) -> None:
        """Carries out all of a run but its last step, which is the one that needs most memory."""
        self._advance_decodes(self._plan - 1)
        self._evict()
        self._plan = 1

    def _end_prefill(self, now: float) -> None:
        self.prefill_s += now - self._begun
        ready = False
        for job, tokens in self._chunks:
            job.computed += tokens
            ready = ready or job.computed >= job.target
        self._chunks = []
        if not ready:
            return
        still = []
        for job in self._prefilling:
            if job.computed < job.target:
                still.append(job)
                continue
            job.generated += 1
            if job.first == inf:
                job.first = now
            self._prefilled(job, now)
        self._prefilling = still

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
