"""One replica whose concurrency limit is set anew before every window: the world that the tuner learns in. Simulated.

Two ways in which a limit meets demand:
- `utilization`: an autoscaler that counts concurrency, like Knative's, stands behind it. It gives each replica
  utilization x limit users, each of whom asks again when answered; a higher limit means fewer GPUs for the same users.
- without: requests come at the drift's rate whatever the limit is, and a gateway refuses those above it.

The same seed and the same limits give the same windows. What is NOT promised: the other replicas. They are taken to be
alike, and an autoscaler to be at its target within the first seconds of a window.
"""

from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf, nan

import numpy as np

from foretide.policies.concurrency.limit_rule import StepModel
from foretide.policies.concurrency.window import Bounds, Window
from foretide.policies.flow import Objective
from foretide.simulator.drift import Drift
from foretide.simulator.job import Job
from foretide.simulator.profiles import Deployment
from foretide.simulator.replica import Replica
from foretide.simulator.steptime import StepTime

JOIN_S = 5.0
"""New users of a replica send their first request spread over this time."""
DRAWN = 256
"""Lengths are drawn by so many requests at a time."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is tuned, for what promise, under what demand. Raises ValueError naming the field, the value and the fix."""

    deployment: Deployment
    objective: Objective
    drift: Drift
    bounds: Bounds
    windows: int = 192
    window_s: float = 30.0
    gpus: int = 1
    """Of one replica."""
    utilization: float | None = 0.7
    users: int = 500
    """All users of the service, where an autoscaler spreads them over replicas."""

    def __post_init__(self) -> None:
        if self.windows < 1 or not 0 < self.window_s < inf:
            raise ValueError(f"windows: {self.windows} of {self.window_s} s: give at least one, longer than 0 s")
        if self.utilization is not None and not 0 < self.utilization <= 1:
            raise ValueError(f"utilization: {self.utilization}: give a share above 0 and up to 1")

    @property
    def tpot_s(self) -> float:
        """The threshold of TPOT; infinite where none was promised."""
        return self.objective.tpot.threshold_s if self.objective.tpot else inf


def step_model(deployment: Deployment) -> StepModel:
    """The deployment's step times as the rule n* wants them."""
    speed, steps, time = deployment.speed_factor / 1000.0, deployment.profile.steps, StepTime(deployment)
    return StepModel(
        decode=lambda decodes, context: time.decode(decodes, round(context)),
        per_context_s=steps.decode_c_ms * speed,
        prefill_a_s=steps.prefill_a_ms * speed,
        prefill_b_s=steps.prefill_b_ms * speed,
        prefill_c_s=steps.prefill_c_ms * speed,
        kv_tokens=float(deployment.room),
        chunk=deployment.chunk,
        most=deployment.max_num_seqs,
    )


class TunedReplica:
    """Call `run` once for each window."""

    def __init__(self, setup: Setup, *, seed: int) -> None:
        self._setup, self._rng = setup, np.random.default_rng((seed, 8))
        self._replica = Replica(replace(setup.deployment, max_num_seqs=setup.bounds.most))
        self._lengths: list[tuple[int, int]] = []
        self._calls: list[float] = []
        """When requests will be sent, a heap."""
        self._users = self._wanted = 0
        self.window = 0
        """Windows run so far."""
        self._sent = 0
        self._refused = self._admitted = 0
        self._area = self._looked = 0.0
        self._ended: list[tuple[Job, float]] = []

    def run(self, limit: int) -> Window:
        """The next window, with this limit. Raises ValueError beyond the setup's bounds."""
        bounds, setup = self._setup.bounds, self._setup
        if not bounds.least <= limit <= bounds.most:
            raise ValueError(f"limit: {limit}: give one from {bounds.least} to {bounds.most}")
        begin = self.window * setup.window_s
        self._lengths.clear()
        self._refused = self._admitted = 0
        self._area = 0.0
        self._replica.admit_at_most(limit, begin)
        self._expect(limit, begin)
        self._advance(begin + setup.window_s, limit)
        seen = self._seen(limit)
        self.window += 1
        return seen

    def _expect(self, limit: int, begin: float) -> None:
        """Who will send in this window, as far as it does not depend on answers."""
        setup = self._setup
        if setup.utilization is None:
            count = self._rng.poisson(setup.drift.rate(self.window) * setup.window_s)
            self._calls = sorted((begin + self._rng.random(count) * setup.window_s).tolist())
            return
        self._wanted = max(1, round(setup.utilization * limit))
        for _ in range(self._wanted - self._users):
            heappush(self._calls, begin + self._rng.random() * min(JOIN_S, setup.window_s))
            self._users += 1

    def _advance(self, end: float, limit: int) -> None:
        replica, calls = self._replica, self._calls
        while True:
            call = calls[0] if calls else inf
            now = min(call, replica.next_event)
            if now > end:
                break
            self._look(now)
            if call < replica.next_event:
                heappop(calls)
                self._send(now, limit)
            else:
                replica.proceed()
                self._answer(now)
        self._look(end)

    def _look(self, now: float) -> None:
        self._area += self._replica.outstanding * (now - self._looked)
        self._looked = now

    def _send(self, now: float, limit: int) -> None:
        if self._setup.utilization is None and self._replica.outstanding >= limit:
            self._refused += 1
            return
        if not self._lengths:
            drawn = self._setup.drift.lengths(self._rng, DRAWN, window=self.window)
            self._lengths.extend(zip(*(column.tolist() for column in drawn), strict=True))
        self._admitted += 1
        self._sent += 1
        self._replica.submit(Job(self._sent, now, *self._lengths.pop()), now)

    def _answer(self, now: float) -> None:
        """Users who have an answer ask again, or are another replica's from now on."""
        done = self._replica.done
        self._ended.extend(done)
        if self._setup.utilization is not None:
            for _ in done:
                if self._users > self._wanted:
                    self._users -= 1
                else:
                    heappush(self._calls, now)
        done.clear()

    def _seen(self, limit: int) -> Window:
        setup, ended, replica = self._setup, self._ended, self._replica
        wanted = self._wanted or setup.users
        self._ended = []
        return Window(
            limit=limit,
            seconds=setup.window_s,
            gpus=setup.gpus,
            admitted=self._admitted,
            refused=self._refused,
            ended=len(ended),
            good=sum(kept(setup.objective, job, end) for job, end in ended),
            prompt_tokens=sum(job.prompt for job, _ in ended) / len(ended) if ended else nan,
            output_tokens=sum(job.output for job, _ in ended) / len(ended) if ended else nan,
            busy=self._area / setup.window_s,
            kv_share=replica.kv_used / replica.kv_tokens,
            replicas=setup.users / wanted,
        )


def kept(objective: Objective, job: Job, end: float) -> bool:
    """Whether a request that ended was within every threshold."""
    later = job.output - 1
    measured = (
        (objective.ttft, job.first - job.arrival),
        (objective.tpot, (end - job.first) / later if later else 0.0),
        (objective.e2e, end - job.arrival),
    )
    return all(target is None or value <= target.threshold_s for target, value in measured)
