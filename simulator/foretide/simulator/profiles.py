"""What one replica of a model on a GPU costs in time, per step: coefficients with their source and error, as data.

Fitted to kernel measurements (papers.md 3.2), or to the sum of a step's kernels (bench/compose_profiles.py); real
engines are slower by a factor that a deployment learns, a tenth in the median. Users bring their own (`profile_file`),
which are looked up first.

What is NOT promised: that the KV capacity is an engine's own. Where it was not measured it follows from memory sizes,
and `kv_source` says so; prefer the engine's figure.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any

from foretide.simulator.hardware import most_kv_tokens

SHIPPED = "shipped"
NEAR = 0.6
"""Names at least this alike (difflib's ratio) are offered where one is unknown."""


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
    crowded: tuple[int, float, float, float] | None = None
    """Another fit of a, b, c from this many decodes on, where one line does not hold for both."""

    def decode_line(self, decodes: int) -> tuple[float, float]:
        """Of a step of so many decodes: what does not depend on their contexts, and what each context token adds."""
        a, b, c = self.decode_a_ms, self.decode_b_ms, self.decode_c_ms
        if self.crowded and decodes >= self.crowded[0]:
            _, a, b, c = self.crowded
        return a + b * decodes + self.experts_ms(decodes), c

    def decode_ms(self, *, decodes: int, context: float) -> float:
        """One step of so many decodes, each of them with this much context, in tokens."""
        fixed, per_context = self.decode_line(decodes)
        return fixed + per_context * decodes * context

    def prefill_ms(self, tokens: float) -> float:
        """One prompt alone, in one step."""
        return self.prefill_a_ms + self.prefill_b_ms * tokens + self.prefill_c_ms * tokens * tokens

    def experts_ms(self, decodes: int) -> float:
        """Time to read the experts that a step of this many decodes touches."""
        return self.expert_d_ms * (1.0 - (1.0 - self.expert_share) ** decodes) if self.expert_d_ms else 0.0


@dataclass(frozen=True, slots=True)
class FitErrors:
    """Mean absolute relative errors of a profile, as far as they are known."""

    decode: float | None = None
    prefill: float | None = None
    ttft: float | None = None
    tpot: float | None = None

    def __str__(self) -> str:
        names = {"decode": self.decode, "prefill": self.prefill, "TTFT": self.ttft, "TPOT": self.tpot}
        return ", ".join(f"{name} error {error:.1%}" for name, error in names.items() if error is not None)


Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FitRanges:
    """What the fit has seen, lowest and highest; None where it is not known."""

    batch: Range | None = None
    """Requests that decode in one step."""
    context: Range | None = None
    """Tokens of one request while it decodes."""
    prompt: Range | None = None
    """Tokens."""


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
    errors: FitErrors = field(default_factory=FitErrors)
    ranges: FitRanges = field(default_factory=FitRanges)
    date: str = ""
    """Of the measurements, as their owner gave it."""
    origin: str = SHIPPED
    """Where the profile was read: shipped, or the file's name."""

    @property
    def provenance(self) -> str:
        """The source, with the errors where they are known."""
        return f"{self.source}; {errors}" if (errors := str(self.errors)) else self.source

    @property
    def name(self) -> str:
        return f"{self.model} {self.gpu} tp {self.tp}"


@dataclass(frozen=True, slots=True)
class Partition:
    """Shares of one GPU's processors, above 0 and below 1 (see `partition`)."""

    prefill_share: float
    """What computes prompts; the rest generates."""
    decode_knee: float
    """The share from which on decode steps get no faster."""

    def __post_init__(self) -> None:
        for name, share in (("prefill_share", self.prefill_share), ("decode_knee", self.decode_knee)):
            _refuse(not 0 < share < 1, name, share, "give a share above 0 and below 1")


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
    block_tokens: int = 16
    """Tokens of one block of the KV cache."""
    prefix_cache: bool = False
    """Whether blocks of finished requests stay and are recognised, where a trace tells what prompts share."""
    whole_prompts: bool = False
    """Whole prompts, up to `chunk` tokens, in steps of their own and before any decode, as vLLM did before it chunked
    them; else chunks of prompts beside all decodes."""
    partition: Partition | None = None
    """Where prompts and decodes run side by side on shares of the GPU."""

    def __post_init__(self) -> None:
        steps = self.profile.steps
        block = self.block_tokens
        for name, count in (("max_num_seqs", self.max_num_seqs), ("chunk", self.chunk), ("block_tokens", block)):
            _refuse(not 1 <= count < inf, name, count, "give a whole number of at least 1")
        _refuse(self.room < 1, "kv_tokens", self.kv_tokens, f"give at least one block of {block} tokens")
        most = most_kv_tokens(model=short_name(self.profile.model), gpu=self.profile.gpu, tp=self.profile.tp)
        told = f"more than the {most or 0:,} tokens that {self.profile.tp} x {self.profile.gpu} could hold"
        told = f"{told} beside the weights; lower it"
        _refuse(most is not None and self.room > most, "kv_tokens", self.kv_tokens, told)
        _refuse(not 0 < self.speed_factor < inf, "speed_factor", self.speed_factor, "give a finite number above 0")
        _refuse(not 0 <= self.http_overhead_s < inf, "http_overhead_s", self.http_overhead_s, "give seconds from 0 on")
        for name, ms in (
            ("decode", steps.decode_a_ms + steps.decode_b_ms),
            ("prefill", steps.prefill_a_ms + steps.prefill_b_ms),
        ):
            _refuse(not 0 < ms < inf, f"{name} step", f"{ms} ms", "a step of one token takes time; correct the profile")

    @property
    def room(self) -> int:
        """Tokens that fit into the KV cache of one replica, in whole blocks."""
        given = self.profile.kv_tokens if self.kv_tokens is None else self.kv_tokens
        return given // self.block_tokens * self.block_tokens


def _refuse(wrong: bool, name: str, value: object, fix: str) -> None:
    if wrong:
        raise ValueError(f"{name}: {value}: {fix}")


class NoProfile(LookupError):
    """No coefficients for this combination; the message names what there is."""


def find_profile(*, model: str, gpu: str, tp: int, own: Sequence[Profile] = ()) -> Profile:
    """The user's own profile, else the shipped one; `model` by its short name or as on a hub, any case.

    Raises NoProfile.
    """
    everything = (*own, *profiles())
    wanted = (short_name(model), gpu_name(gpu, everything))
    same = [profile for profile in everything if short_name(profile.model) == wanted[0]]
    found = [profile for profile in same if profile.gpu.upper() == wanted[1]]
    for profile in found:
        if profile.tp == tp:
            return profile
    if found:
        degrees = ", ".join(str(degree) for degree in sorted({profile.tp for profile in found}))
        raise NoProfile(f"no step times for tp {tp}; there are some for tp {degrees}")
    if same:
        there = sorted({f"{profile.gpu} tp {profile.tp}" for profile in same})
        raise NoProfile(f"no step times on this GPU; there are some on {', '.join(there)}")
    raise NoProfile(f"no step times for this model; there are some for {', '.join(_near(wanted[0], everything))}")


def _near(model: str, everything: Sequence[Profile]) -> list[str]:
    """Models called almost like this one, nearest first; all of them where none is."""
    names = {short_name(profile.model): profile.model for profile in everything}
    near = get_close_matches(model, names, n=5, cutoff=NEAR)
    return [names[name] for name in near] or sorted(names.values())


@cache
def profiles() -> tuple[Profile, ...]:
    """All shipped profiles."""
    data = json.loads((files("foretide.simulator") / "data" / "profiles.json").read_text(encoding="utf-8"))
    return tuple(_shipped({"source": data["source"], "ranges": data["ranges"]} | row) for row in data["profiles"])


def _shipped(row: dict[str, Any]) -> Profile:
    """A row of our own file, which has the form that `profile_file` checks in users' files."""
    ranges = {name: tuple(bounds) for name, bounds in row["ranges"].items()}
    return Profile(
        model=row["model"],
        gpu=row["gpu"],
        tp=row["tp"],
        steps=StepTimes(**row["steps"]),
        kv_tokens=row["kv_tokens"],
        source=row["source"],
        kv_source=row["kv_source"],
        errors=FitErrors(**row["errors"]),
        ranges=FitRanges(**ranges),
    )


def short_name(model: str) -> str:
    """`meta-llama/Meta-Llama-3.1-8B-Instruct` and `Llama-3.1-8B` are one model to a step time."""
    name = model.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    return name.replace("-instruct", "")


def gpu_name(gpu: str, among: Sequence[Profile] | None = None) -> str:
    """The family's name in capitals: `nvidia-h100-80gb-hbm3`, `H100-SXM` and `h100` are H100; GH200 is no H200."""
    upper = gpu.upper().replace("_", "-").replace(" ", "-")
    known = profiles() if among is None else among
    families = sorted({profile.gpu.upper() for profile in known}, key=lambda name: (-len(name), name))
    named = (family for family in families if re.search(rf"(?<![A-Z0-9]){re.escape(family)}(?![0-9])", upper))
    return next(named, upper)
