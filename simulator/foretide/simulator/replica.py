"""One engine replica: continuous batching as vLLM V1 schedules it, simulated per request, jumping between events.

A step takes every running decode first, then prefill chunks of the oldest requests within the token budget
(`chunk`), the sequence limit and the KV cache; it takes as long as `steptime` says. Steps without prefill run in closed
form to the next completion, arrival or full cache, k steps taking k (a + b n + c C) + c n k (k - 1) / 2.
What the requests hold, and what becomes of them, is in `batch`.

What is NOT promised: pipeline parallelism, or swapping; a preempted request is computed again.
"""

from dataclasses import replace
from math import ceil, inf, sqrt

from foretide.simulator.batch import Batch
from foretide.simulator.job import Job
from foretide.simulator.kvcache import lasting
from foretide.simulator.profiles import Deployment
from foretide.simulator.steptime import StepTime

__all__ = ("Job", "Replica")


class Replica(Batch):
    """Owner of the step loop. Drive it with `next_event`, `proceed` and `submit`."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_most",
        "_plan",
        "_time",
        "_whole",
        "next_event",
        "prefill_s",
    )

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._time = StepTime(deployment)
        self.prefill_s = 0.0
        """Seconds of steps that prefilled, decodes beside it or not."""
        self._whole = deployment.whole_prompts
        self._most = deployment.max_num_seqs
        self._begun = 0.0
        self._plan = 0
        self._chunks: list[tuple[Job, int]] = []
        self.next_event = inf

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

    def admit_at_most(self, limit: int, now: float) -> None:
        """From the next step on it admits no more while `limit` requests run, nor beyond the engine's own limit.

        This is a gateway's limit in front of an engine: what runs already goes on. Raises ValueError below 1.
        """
        if limit < 1:
            raise ValueError(f"limit: {limit}: give a whole number of at least 1")
        self._most = min(limit, self.deployment.max_num_seqs)
        if self.waiting and self._plan > 1 and not self._chunks:
            self._cut(now)

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
        while self.waiting and budget > 0 and self._expected < self._most:
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
        while self.waiting and self._expected < self._most:
            job = self.waiting[0]
            left -= job.prompt + job.generated
            if (left < 0 and self._prefilling) or not self._admits(job):
                break
            self._prefilling.append(self.waiting.popleft())
        return [(job, self._chunk(job, job.target)) for job in self._prefilling]

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
