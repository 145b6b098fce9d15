"""Named set-ups of the tuner. Settings were chosen on the development part; benchmarks report the other.

Two doors, see `tuned`: `autoscaled` as behind Knative, `gateway` at a given rate. All traffic is generated, in a day
compressed to 96 windows of 30 s. What is NOT promised: anybody's traffic; rates at the gateway are ours: above
what a replica carries by day and by night, so that the limit always binds, or, where `light`, well below.
"""

from collections.abc import Mapping
from functools import cache

from foretide.policies.concurrency.qlearning import PUBLISHED_BOUNDS
from foretide.policies.concurrency.window import Bounds
from foretide.policies.flow import LatencyTarget, Objective
from foretide.simulator.drift import Drift
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.tuned import Setup

BOUNDS = Bounds(4, 320)
SPEED = 1.1
"""How much slower than its kernel tables a real engine is (papers.md 3.2)."""
DEVELOPMENT = (
    "dev-gateway",
    "dev-gateway-long",
    "dev-gateway-shift",
    "dev-light",
    "dev-autoscaled",
    "dev-autoscaled-long",
    "dev-autoscaled-shift",
)
DRIFTING = ("gateway-day-night", "gateway-shift", "gateway-light", "autoscaled-day-night", "autoscaled-shift")
PAPER = "knative-paper"


@cache
def setups() -> Mapping[str, Setup]:
    """All of them by name."""
    return {PAPER: _paper(), **_developed(), **_reported()}


def _paper() -> Setup:
    """500 users without think time behind Knative's autoscaler, lengths that do not drift (arXiv 2005.14410)."""
    return Setup(
        deployment=_deployment("Llama-3.1-8B", "H100", tp=1),
        objective=_promise(ttft_s=1.0, tpot_s=0.025),
        drift=Drift(),
        bounds=PUBLISHED_BOUNDS,
        windows=200,
        users=500,
    )


def _developed() -> dict[str, Setup]:
    summaries = Drift(day={"chat": 1.0}, night={"summarise": 1.0}, day_rps=9.0, night_rps=5.0)
    long_nights = Drift(day={"chat": 0.5, "summarise": 0.5}, night={"rag": 1.0}, day_rps=6.5, night_rps=1.6)
    shift = Drift(output_factor=2.0, shift_at=96, day_rps=9.0, night_rps=9.0)
    deployment = _deployment("Llama-3.1-8B", "A100", tp=1)
    return {
        "dev-gateway": _gateway(deployment, summaries, gpus=1),
        "dev-gateway-long": _gateway(deployment, long_nights, gpus=1),
        "dev-gateway-shift": _gateway(deployment, shift, gpus=1),
        "dev-light": _gateway(deployment, Drift(day_rps=3.0, night_rps=2.0), gpus=1),
        "dev-autoscaled": _autoscaled(deployment, summaries, gpus=1),
        "dev-autoscaled-long": _autoscaled(deployment, long_nights, gpus=1),
        "dev-autoscaled-shift": _autoscaled(deployment, shift, gpus=1),
    }


def _reported() -> dict[str, Setup]:
    long_nights = Drift(day={"chat": 1.0}, night={"rag": 1.0}, day_rps=10.0, night_rps=1.6)
    shift = Drift(output_factor=3.0, shift_at=96, day_rps=9.0, night_rps=9.0)
    deployment = _deployment("Llama-3.1-70B", "H100", tp=4)
    return {
        "gateway-day-night": _gateway(deployment, long_nights, gpus=4),
        "gateway-shift": _gateway(deployment, shift, gpus=4),
        "gateway-light": _gateway(deployment, Drift(day_rps=4.0, night_rps=2.0), gpus=4),
        "autoscaled-day-night": _autoscaled(deployment, long_nights, gpus=4),
        "autoscaled-shift": _autoscaled(deployment, shift, gpus=4),
    }


def _deployment(model: str, gpu: str, *, tp: int) -> Deployment:
    return Deployment(find_profile(model=model, gpu=gpu, tp=tp), speed_factor=SPEED)


def _promise(*, ttft_s: float, tpot_s: float) -> Objective:
    return Objective(ttft=LatencyTarget(99, ttft_s), tpot=LatencyTarget(99, tpot_s))


def _gateway(deployment: Deployment, drift: Drift, *, gpus: int) -> Setup:
    objective = _promise(ttft_s=2.0, tpot_s=0.05)
    return Setup(deployment, objective, drift, BOUNDS, gpus=gpus, utilization=None)


def _autoscaled(deployment: Deployment, drift: Drift, *, gpus: int) -> Setup:
    return Setup(deployment, _promise(ttft_s=2.0, tpot_s=0.05), drift, BOUNDS, gpus=gpus)
