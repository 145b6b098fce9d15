"""One engine replica: continuous batching as vLLM V1 schedules it, simulated per request, jumping between events.

A step takes every running decode first, then prefill chunks of the oldest requests within the token budget
(`chunk`), the sequence limit and the KV cache. Step times follow the two-branch linear form fitted to kernel tables:

    decode:  a + b n + c C            prefill:  a' + b' (p + n) + 2 c' sum(chunk (before + chunk / 2)) + c C

with n decodes of C context tokens in all and p prefill tokens; a mixed step takes the larger. Steps without prefill
run in closed form to the next completion, arrival or full cache, k steps taking k (a + b n + c C) + c n k (k - 1) / 2.

What is NOT promised: prefix caching, pipeline parallelism, or swapping; a preempted request is computed again.
"""

from collections import deque
from heapq import heappop, heappush
from math import ceil, inf, sqrt

from foretide.simulator.profiles import Deployment

FITTED_TO = 8192
"""Longest prompt behind the coefficients. Where the fit gave c' < 0, attention saves no more beyond this context: the
time of a step would otherwise fall below zero."""


class Job:
    """One request on its way through a replica."""

    __slots__ = ("arrival", "blocks", "computed", "first", "generated", "index", "joined", "output", "prompt", "target")

    def __init__(self, index: int, arrival: float, prompt: int, output: int, *, blocks: tuple[int, ...] = ()) -> None:
        self.index = index
        self.arrival = arrival
        self.prompt = prompt
        self.output = output
        self.blocks = blocks
        """Hash ids of the prompt's leading blocks; empty where they are not known."""
        self.computed = 0
        """Tokens of the prompt (and, after a preemption, of the output so far) that are in the cache."""
        self.generated = 0
        self.first = inf
        self.joined = 0
        """Decode-step counter when it began to decode."""
        self.target = 0
        """Tokens to compute before the next output token appears."""


class Replica:
    """Owner of the step loop. Drive it with `next_event`, `proceed` and `submit`."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_context",
        "_decodes",
        "_ends",
        "_experts",
        "_plan",
        "_prefilling",
        "_reach",
        "_stack",
        "_steps",
        "_times",
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
        self.prefill_s = 0.0
        """Seconds of steps that prefilled, decodes beside it or not."""
        self._set_speed(deployment.speed_factor)
        self.kv_tokens = deployment.kv_tokens or deployment.profile.kv_tokens
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

    def _set_speed(self, speed_factor: float) -> None:
        steps, speed = self.deployment.profile.steps, speed_factor / 1000.0
        self._times = (
            steps.decode_a_ms * speed,
            steps.decode_b_ms * speed,
            steps.decode_c_ms * speed,
            steps.prefill_a_ms * speed,
            steps.prefill_b_ms * speed,
            2.0 * steps.prefill_c_ms * speed,
        )
        self._reach = inf if steps.prefill_c_ms >= 0 else float(FITTED_TO)
        self._experts = (
            tuple(steps.experts_ms(n) * speed for n in range(self.deployment.max_num_seqs + 1))
            if steps.expert_d_ms
            else ()
        )

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
        return self._context + sum([job.target for job in self._prefilling]) if self._prefilling else self._context

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
            # What is left of the run is its last step, which no later arrival can cut at the new speed.
            self._advance_decodes(self._plan - 1)
            self._plan = 1
        self._set_speed(self.deployment.speed_factor * factor)

    def proceed(self) -> None:
        """Carries out what was under way until `next_event`, and begins what comes next."""
        now = self.next_event
        self._advance_decodes(self._plan)
        if self._chunks:
            self._end_prefill(now)
        self._complete(now)
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._begun = now
        self._chunks = self._schedule()
        if self._chunks:
            self._plan = 1
            self.next_event = now + self._mixed_time()
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
        budget = self.deployment.chunk - len(self._decodes)
        chunks: list[tuple[Job, int]] = []
        for job in self._prefilling:  # its room in the cache was set aside when it was admitted
            tokens = min(budget, job.target - job.computed)
            if tokens <= 0:
                return chunks
            chunks.append((job, tokens))
            budget -= tokens
        if preempted:
            return chunks  # as in vLLM V1, a step that had to preempt admits nobody
        free = self.kv_tokens - self.kv_used - len(self._decodes)
        while self.waiting and budget > 0 and self.running < self.deployment.max_num_seqs:
            job = self.waiting[0]
            job.target = job.prompt + job.generated
            if job.target > free:
                break
            self._prefilling.append(self.waiting.popleft())
            tokens = min(budget, job.target)
            chunks.append((job, tokens))
            budget -= tokens
            free -= job.target
        return chunks

    def _mixed_time(self) -> float:
        c, pa, pb, pc = self._times[2:]
        n = len(self._decodes)
        tokens, pairs = 0, 0.0
        for job, count in self._chunks:
            tokens += count
            pairs += count * min(job.computed + count / 2.0, self._reach)
        # a' was fitted to whole prefill steps and so holds the reading of every expert already.
        prefill = pa + pb * (tokens + n) + pc * pairs + c * self._context
        return max(prefill, self._step_time()) if n else prefill

    def _step_time(self) -> float:
        """Seconds of one decode step at the present context."""
        a, b, c, *_ = self._times
        n = len(self._decodes)
        experts = self._experts[n] if self._experts else 0.0
        return a + b * n + c * self._context + experts

    def _run_time(self, steps: int) -> float:
        growth = self._times[2] * len(self._decodes)
        return steps * self._step_time() + growth * steps * (steps - 1) / 2.0

    def _longest_run(self) -> int:
        n = len(self._decodes)
        to_end = self._ends[0][0] - self._steps
        room = (self.kv_tokens - self.kv_used) // n
        return max(1, min(to_end, room))

    def _cut(self, now: float) -> None:
        """Shortens the run under way to the step during which `now` falls."""
        elapsed = now - self._begun
        square = self._times[2] * len(self._decodes) / 2.0
        linear = self._step_time() - square
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
            if job.generated >= job.output:
                self._finish(job, now)
                continue
            job.joined = self._steps
            self._decodes[job.index] = job
            self._stack.append(job.index)
            self._context += job.target + 1
            heappush(self._ends, (self._steps + job.output - job.generated, job.index))
        self._prefilling = still

    def _complete(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= self._steps:
            end, index = heappop(self._ends)
            job = self._decodes.get(index)
            if job is None or job.joined + job.output - job.generated != end:
                continue
            del self._decodes[index]
            self._context -= job.prompt + job.output
            self._finish(job, now)

    def _finish(self, job: Job, now: float) -> None:
        self.finished += 1
        self.prompt_tokens += job.prompt
        self.output_tokens += job.output
        self.done.append((job, now))

    def _make_room(self) -> bool:
        """Preempts the youngest until one more token of each decode fits; True where it had to."""
        preempted = False
        while self._decodes and self.kv_used + len(self._decodes) > self.kv_tokens and self.running > 1:
            job = self._prefilling.pop() if self._prefilling else self._youngest_decode()
            job.computed = 0
            self.waiting.appendleft(job)
            preempted = True
        if len(self._stack) > 4 * len(self._decodes) + 64:
            self._stack = [index for index in self._stack if index in self._decodes]
        return preempted

    def _youngest_decode(self) -> Job:
        """Takes it out of the batch; there is one."""
        while (index := self._stack.pop()) not in self._decodes:
            pass
        job = self._decodes.pop(index)
        job.generated += self._steps - job.joined
        self._context -= job.prompt + job.generated
        return job
