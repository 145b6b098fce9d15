"""What one replica of a model on a GPU costs in time, per step: coefficients with their source and error, as data.

Fitted to kernel measurements (papers.md 3.2), or to the sum of a step's kernels (bench/compose_profiles.py); real
engines are slower by a factor that a deployment learns, a tenth in the median.

What is NOT promised: that the KV capacity is an engine's own. Where it was not measured it follows from memory sizes,
and `kv_source` says so; prefer the engine's figure.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Milliseconds: a step of n decodes over C context tokens takes a + b n + c C (+ the expert term of a mixture);
    a prefill of p tokens alone takes a' + b' p + c' p^2.

    Expert term (papers.md 3.1): d (1 - (1 - active / experts)^n), the share of experts that n tokens touch.
    """

    decode_a_ms: float
    decode_b_ms: float
    decode_c_ms: float
    prefill_a_ms: float
    prefill_b_ms: float
    prefill_c_ms: float
    expert_d_ms: float = 0.0
    expert_share: float = 0.0
    """Active experts over all experts."""

    def experts_ms(self, decodes: int) -> float:
        """Time to read the experts that a step of this many decodes touches."""
        return self.expert_d_ms * (1.0 - (1.0 - self.expert_share) ** decodes) if self.expert_d_ms else 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """One model on one kind of GPU with one degree of tensor parallelism."""

    model: str
    gpu: str
    tp: int
    steps: StepTimes
    kv_tokens: int
    """Tokens that fit into the KV cache of one replica."""
    source: str
    kv_source: str = "estimated"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A profile with the engine's settings: what one replica is. Raises ValueError for one that could serve nothing."""

    profile: Profile
    max_num_seqs: int = 256
    chunk: int = 2048
    """Tokens per step, decodes included (`max_num_batched_tokens`)."""
    kv_tokens: int | None = None
    """The engine's own KV capacity, where known."""
    speed_factor: float = 1.0
    """How many times slower than the profile."""
    http_overhead_s: float = 0.0

    def __post_init__(self) -> None:
        steps = self.profile.steps
        counts = (("max_num_seqs", self.max_num_seqs), ("chunk", self.chunk), ("kv_tokens", self.room))
        for name, count in counts:
            _refuse(not 1 <= count < inf, name, count, "give a whole number of at least 1")
        _refuse(not 0 < self.speed_factor < inf, "speed_factor", self.speed_factor, "give a finite number above 0")
        _refuse(not 0 <= self.http_overhead_s < inf, "http_overhead_s", self.http_overhead_s, "give seconds from 0 on")
        for name, ms in (
            ("decode", steps.decode_a_ms + steps.decode_b_ms),
            ("prefill", steps.prefill_a_ms + steps.prefill_b_ms),
        ):
            _refuse(not 0 < ms < inf, f"{name} step", f"{ms} ms", "a step of one token takes time; correct the profile")

    @property
    def room(self) -> int:
        """Tokens that fit into the KV cache of one replica."""
        return self.profile.kv_tokens if self.kv_tokens is None else self.kv_tokens


def _refuse(wrong: bool, name: str, value: object, fix: str) -> None:
    if wrong:
        raise ValueError(f"{name}: {value}: {fix}")


class NoProfile(LookupError):
    """No coefficients for this combination; the message names what there is."""


def find_profile(*, model: str, gpu: str, tp: int) -> Profile:
    """The shipped profile; `model` by its short name or as on a hub, any case. Raises NoProfile."""
    wanted = (short_name(model), gpu_name(gpu))
    found = [profile for profile in profiles() if (profile.model.lower(), profile.gpu) == wanted]
    for profile in found:
        if profile.tp == tp:
            return profile
    if found:
        degrees = ", ".join(str(profile.tp) for profile in found)
        raise NoProfile(f"no step times for tp {tp}; there are some for tp {degrees}")
    same = sorted({f"{profile.gpu} tp {profile.tp}" for profile in profiles() if profile.model.lower() == wanted[0]})
    if same:
        raise NoProfile(f"no step times on this GPU; there are some on {', '.join(same)}")
    models = sorted({profile.model for profile in profiles()})
    raise NoProfile(f"no step times for this model; there are some for {', '.join(models)}")


@cache
def profiles() -> tuple[Profile, ...]:
    """All shipped profiles."""
    data = json.loads((files("foretide.simulator") / "data" / "profiles.json").read_text(encoding="utf-8"))
    return tuple(
        Profile(
            model=row["model"],
            gpu=row["gpu"],
            tp=row["tp"],
            steps=StepTimes(**row["steps"]),
            kv_tokens=row["kv_tokens"],
            source=f"{row.get('source', data['source'])}; {_errors(row)}",
            kv_source=row["kv_source"],
        )
        for row in data["profiles"]
    )


def _errors(row: dict[str, Any]) -> str:
    return f"decode error {row['decode_mape']:.1%}, prefill error {row['prefill_mape']:.1%}"


def short_name(model: str) -> str:
    """`meta-llama/Meta-Llama-3.1-8B-Instruct` and `Llama-3.1-8B` are one model to a step time."""
    name = model.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    return name.replace("-instruct", "")


def gpu_name(gpu: str) -> str:
    """The family's name in capitals: `nvidia-h100-80gb-hbm3`, `H100-SXM` and `h100` are H100; GH200 is no H200."""
    upper = gpu.upper().replace("_", "-").replace(" ", "-")
    families = sorted({profile.gpu for profile in profiles()}, key=len, reverse=True)
    named = (family for family in families if re.search(rf"(?<![A-Z0-9]){family}(?![0-9])", upper))
    return next(named, upper)
