"""What a run has cost: GPU time and energy.

What is NOT promised: energy of GPUs whose watts nobody published; it is None then.
"""

from dataclasses import dataclass
from math import inf

from foretide.simulator import meter
from foretide.simulator.fleet import Fleet
from foretide.simulator.power import GpuPower, energy_j
from foretide.simulator.score import Life


@dataclass(frozen=True, slots=True)
class Cost:
    """All of it up to the end of the trace."""

    gpu_hours: float
    """From a replica's node to its end, starting and draining included."""
    unschedulable_hours: float
    """Replica-hours ordered for which there was no node; no GPU was held."""
    idle_gpu_hours: float
    """Of replicas that were ready and had no request: what warmth has cost."""
    energy_kwh: float | None
    joules_per_token: float | None
    """Energy by output token of finished requests."""


def cost_of(fleet: Fleet, *, power: GpuPower | None, gpus_per_replica: int) -> Cost:
    """What it has cost by now."""
    uses = meter.uses(fleet.members, fleet.now)
    joules = None if power is None else energy_j(uses, power=power, gpus_per_replica=gpus_per_replica)
    tokens = sum(member.replica.output_tokens for member in fleet.members)
    return Cost(
        gpu_hours=fleet.gpu_seconds / 3600,
        unschedulable_hours=meter.pending_s(fleet.members, fleet.now) / 3600,
        idle_gpu_hours=meter.idle_s(fleet.members, fleet.now) * gpus_per_replica / 3600,
        energy_kwh=None if joules is None else joules / 3.6e6,
        joules_per_token=joules / tokens if joules is not None and tokens else None,
    )


def wakes_of(fleet: Fleet) -> dict[str, tuple[float, ...]]:
    """Tier -> seconds from node to ready of every start that has ended; "start" where the tier has no name."""
    wakes: dict[str, list[float]] = {}
    for member in fleet.members:
        if member.begun_at < member.ready_at <= fleet.now:
            wakes.setdefault(member.tier or "start", []).append(member.ready_at - member.begun_at)
    return {tier: tuple(seconds) for tier, seconds in sorted(wakes.items())}


def lives_of(fleet: Fleet) -> tuple[Life, ...]:
    """The replicas that were started in this run and are gone by now, or have earned their start already.

    What becomes of the others is not known yet. Those that were there at the beginning are not counted, nor those that
    never got a node: they cost nothing.
    """
    lives = []
    for member in fleet.members:
        if member.begun_at in (member.ready_at, inf):
            continue
        life = Life(member.begun_at, member.ready_at, member.busy_until(fleet.now))
        if member.gone_at <= fleet.now or life.earned_its_start:
            lives.append(life)
    return tuple(lives)
