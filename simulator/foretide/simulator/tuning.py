"""Runs of the tuner: an agent by itself, or a fleet of three roles under the shield, over the windows of a setup.

Common random numbers: the first replica of every run of a seed meets the same arrivals, as far as the limits let it.
What is NOT promised: more than three simulated replicas. The fleet's is one, and stands for all that run its limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from foretide.policies.concurrency.limit_rule import Fixed
from foretide.policies.concurrency.shield import Outcome, Plan, Ruling, Shield
from foretide.policies.concurrency.window import Agent, Window
from foretide.simulator.tuned import Setup, TunedReplica


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over windows, each counted as often as there are replicas like it."""

    good: float
    asked: float
    gpu_seconds: float

    @property
    def goodput(self) -> float:
        """Requests within every threshold per GPU-second."""
        return self.good / self.gpu_seconds

    @property
    def attainment(self) -> float:
        """Share of requests within every threshold, of those that ended or were refused; 1 where there was none."""
        return self.good / self.asked if self.asked else 1.0


def tally(windows: Sequence[tuple[Window, float]]) -> Tally:
    """Of windows with their weights, beside the replicas that each stands for."""
    weighted = [(window, weight * window.replicas) for window, weight in windows]
    return Tally(
        good=sum(weight * window.good for window, weight in weighted),
        asked=sum(weight * (window.ended + window.refused) for window, weight in weighted),
        gpu_seconds=sum(weight * window.gpu_seconds for window, weight in weighted),
    )


def run_agent(agent: Agent, setup: Setup, *, seed: int) -> list[Window]:
    """Every window of one replica whose limit the agent sets."""
    replica, seen = TunedReplica(setup, seed=seed), None
    windows: list[Window] = []
    for _ in range(setup.windows):
        seen = replica.run(setup.bounds.clip(agent.act(seen)))
        agent.learn(seen)
        windows.append(seen)
    return windows


@dataclass(frozen=True, slots=True)
class Shielded:
    """One window under the shield."""

    plan: Plan
    outcome: Outcome
    ruling: Ruling
    tally: Tally
    """Of the whole fleet."""


def run_shielded(shield: Shield, setup: Setup, *, seed: int) -> list[Shielded]:
    """Every window of a fleet; a control or a canary that has no role runs what the fleet runs."""
    fleet, control, canary = (TunedReplica(setup, seed=seed + role * 1_000_003) for role in range(3))
    seen: Window | None = None
    turns: list[Shielded] = []
    one = shield.promise.share
    for _ in range(setup.windows):
        plan = shield.plan(seen)
        seen = fleet.run(plan.fleet)
        beside = control.run(plan.control or plan.fleet)
        tried = canary.run(plan.canary or plan.fleet)
        outcome = Outcome(seen, beside if plan.control else None, tried if plan.canary else None)
        whole = tally([(seen, 1.0 - 2 * one), (beside, one), (tried, one)])
        turns.append(Shielded(plan, outcome, shield.learn(outcome), whole))
    return turns


def fleet_tally(turns: Sequence[Shielded]) -> Tally:
    """Of a whole run under the shield."""
    tallies = [turn.tally for turn in turns]
    return Tally(*(sum(getattr(each, name) for each in tallies) for name in ("good", "asked", "gpu_seconds")))


def best_static(setup: Setup, limits: Sequence[int], *, seeds: Sequence[int]) -> tuple[int, dict[int, float]]:
    """The limit that does best over all seeds in hindsight, and the mean goodput of each of the grid."""
    found = {}
    for limit in limits:
        runs = [run_agent(Fixed(limit), setup, seed=seed) for seed in seeds]
        found[limit] = sum(tally([(window, 1.0) for window in run]).goodput for run in runs) / len(runs)
    return max(found, key=lambda limit: found[limit]), found
