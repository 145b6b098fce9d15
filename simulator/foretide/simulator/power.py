"""What a fleet draws: Splitwise's constants and form (papers.md 1.1 and 1.7), per GPU and by what it is doing.

    power = idle + (prompt - idle) x share of time in prefill + (token - idle) x share of time in decode

A step that prefills and decodes together counts as prefill. A starting replica idles.

What is NOT promised: watts of a GPU that nobody published. They are None, and so is every figure that needs them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from foretide.simulator.profiles import Deployment

PREFILL_SLOWDOWN = 1.3
"""Splitwise's power-capped H100: prompts take 1.30 times as long, tokens exactly as long (papers.md 1.7)."""


@dataclass(frozen=True, slots=True)
class GpuPower:
    """Watts of one GPU."""

    idle_w: float
    prompt_w: float
    token_w: float


PUBLISHED = {"A100": GpuPower(63.0, 400.0, 250.0), "H100": GpuPower(75.0, 700.0, 380.0)}
"""Splitwise's constants for the 80 GB cards, by family."""


@dataclass(frozen=True, slots=True)
class PowerCap:
    """A limit on each GPU, in watts, and what it does to a prefill. The slowdown is Splitwise's for its own cap; for
    another limit it has to be measured.
    """

    watts: float
    prefill_slowdown: float = PREFILL_SLOWDOWN


@dataclass(frozen=True, slots=True)
class Use:
    """What one replica did with its GPUs, in seconds."""

    held_s: float
    busy_s: float
    """In which it had at least one request, prefill included."""
    prefill_s: float


def published(gpu: str, cap: PowerCap | None = None) -> GpuPower | None:
    """Watts of a GPU family, under a cap no more than that; None where none were published."""
    power = PUBLISHED.get(gpu)
    if power is None or cap is None:
        return power
    return GpuPower(*(min(watts, cap.watts) for watts in (power.idle_w, power.prompt_w, power.token_w)))


def capped(deployment: Deployment, cap: PowerCap | None) -> Deployment:
    """The same replicas under a cap: prefill slower, decode as fast."""
    if cap is None:
        return deployment
    steps, slower = deployment.profile.steps, cap.prefill_slowdown
    prefill = replace(
        steps,
        prefill_a_ms=steps.prefill_a_ms * slower,
        prefill_b_ms=steps.prefill_b_ms * slower,
        prefill_c_ms=steps.prefill_c_ms * slower,
    )
    return replace(deployment, profile=replace(deployment.profile, steps=prefill))


def energy_j(uses: Iterable[Use], *, power: GpuPower, gpus_per_replica: int) -> float:
    """Joules of a fleet."""
    per_gpu = sum(
        power.idle_w * use.held_s
        + (power.prompt_w - power.idle_w) * use.prefill_s
        + (power.token_w - power.idle_w) * (use.busy_s - use.prefill_s)
        for use in uses
    )
    return gpus_per_replica * per_gpu
