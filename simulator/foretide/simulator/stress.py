"""What goes wrong with demand, as changes to any trace: steps, crowds, longer prompts and answers, attacks, silence.

Each is a frozen value that users write under `stress:` in a scenario, and a pure function of a trace and a seed. Times
count from the start of the trace, its training part included. Promised: outside its window nothing changes, and what
is asked for twice is done twice, in the order written. What is NOT promised: that people react, for instance give up;
nor that attackers can be told from others, as traces name no senders: theirs are requests drawn by chance.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from foretide.policies.flow import Floats
from foretide.simulator.prefixes import refitted
from foretide.simulator.requests import JITTER_S, RequestTrace, Tokens
from foretide.simulator.written import Written, moment

Moment = Annotated[float, BeforeValidator(moment)]
Duration = Annotated[float, BeforeValidator(moment), Field(gt=0)]
Factor = Annotated[float, Field(gt=0, le=1000)]
LONGEST_TOKENS = 10**7
DECAYS = 7.0
"""A crowd is over after so many times of decay: a thousandth of it is left."""


class Stress(Written, ABC):
    """A change to a trace in the window [at, at + duration); without a duration, to its end."""

    at: Moment = 0.0
    duration: Duration | None = None

    def window(self) -> tuple[float, float]:
        return self.at, self.at + (np.inf if self.duration is None else self.duration)

    def inside(self, trace: RequestTrace) -> NDArray[np.bool_]:
        """Which requests come in the window, (n,)."""
        begin, end = self.window()
        return (trace.arrival_s >= begin) & (trace.arrival_s < end)

    @abstractmethod
    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:
        """The trace under stress; the same for the same seed."""


class Step(Stress):
    """`factor` times the rate; below 1 it thins. What is added are copies of those nearby, as of more users."""

    kind: Literal["step"] = "step"
    factor: Factor

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:
        if self.factor > 1:
            return _grown(trace, np.ones_like, factor=self.factor, window=self.window(), seed=seed)
        drawn = np.random.default_rng(seed).random(len(trace)) < self.factor
        kept = np.flatnonzero(drawn | ~self.inside(trace))
        return trace.at(trace.arrival_s[kept], kept)


class FlashCrowd(Stress):
    """A rate that rises to `factor` times within `ramp`, and falls back exponentially with time constant `decay`.

    Without a duration it ends after the ramp and DECAYS times of decay.
    """

    kind: Literal["flash-crowd"] = "flash-crowd"
    factor: Annotated[float, Field(gt=1, le=1000)]
    ramp: Duration = 10.0
    decay: Duration = 300.0

    def window(self) -> tuple[float, float]:
        duration = self.ramp + DECAYS * self.decay if self.duration is None else self.duration
        return self.at, self.at + duration

    def height(self, times: Floats) -> Floats:
        """How much of the crowd is there at these times, in [0, 1]; (n,)."""
        since = times - self.at
        decayed = np.exp(-np.maximum(since - self.ramp, 0.0) / self.decay)
        return np.asarray(np.clip(since / self.ramp, 0.0, 1.0) * decayed, dtype=np.float64)

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:
        return _grown(trace, self.height, factor=self.factor, window=self.window(), seed=seed)


class Silence(Stress):
    """No request at all."""

    kind: Literal["silence"] = "silence"

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:  # noqa: ARG002 (nothing is drawn)
        kept = np.flatnonzero(~self.inside(trace))
        return trace.at(trace.arrival_s[kept], kept)


class OutputShift(Stress):
    """Answers `factor` times as long, as when a model begins to reason; cut at `longest`."""

    kind: Literal["output-shift"] = "output-shift"
    factor: Factor
    longest: Annotated[int, Field(ge=1, le=LONGEST_TOKENS)] = 16_384

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:  # noqa: ARG002 (nothing is drawn)
        longer = _stretched(trace.output_tokens, self.inside(trace), factor=self.factor, longest=self.longest)
        return RequestTrace(trace.arrival_s, trace.prompt_tokens, longer, trace.blocks)


class PromptShift(Stress):
    """Prompts `factor` times as long, as when documents are put before each question; cut at `longest`.

    What is added stands at the end and is in nobody's cache.
    """

    kind: Literal["prompt-shift"] = "prompt-shift"
    factor: Factor
    longest: Annotated[int, Field(ge=1, le=LONGEST_TOKENS)] = 32_768

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:  # noqa: ARG002 (nothing is drawn)
        longer = _stretched(trace.prompt_tokens, self.inside(trace), factor=self.factor, longest=self.longest)
        blocks = None if trace.blocks is None else refitted(trace.blocks, trace.prompt_tokens, longer)
        return RequestTrace(trace.arrival_s, longer, trace.output_tokens, blocks)


class Attack(Stress):
    """A `share` of the requests asks for answers that never stop before the cap of `output_tokens`."""

    kind: Literal["attack"] = "attack"
    share: Annotated[float, Field(gt=0, le=1)]
    output_tokens: Annotated[int, Field(ge=1, le=LONGEST_TOKENS)] = 4096

    def apply(self, trace: RequestTrace, *, seed: int) -> RequestTrace:
        drawn = np.random.default_rng(seed).random(len(trace)) < self.share
        output = np.where(drawn & self.inside(trace), self.output_tokens, trace.output_tokens)
        return RequestTrace(trace.arrival_s, trace.prompt_tokens, output, trace.blocks)


KINDS = ("step", "flash-crowd", "silence", "output-shift", "prompt-shift", "attack")


def _of_known_kind(value: Any) -> Any:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if kind not in KINDS:
        told = "kind is missing" if kind is None else f"there is no kind {kind!r}"
        raise ValueError(f"{told}; write one of {', '.join(KINDS)}")
    return value


AnyStress = Annotated[
    Step | FlashCrowd | Silence | OutputShift | PromptShift | Attack,
    Field(discriminator="kind"),
    BeforeValidator(_of_known_kind),
]


def stressed(trace: RequestTrace, stresses: Sequence[Stress], *, seed: int) -> RequestTrace:
    """The trace after one stress after the other, each with draws of its own."""
    for place, stress in enumerate(stresses):
        trace = stress.apply(trace, seed=_own(seed, place))
    return trace


def _own(seed: int, place: int) -> int:
    return int(np.random.default_rng((seed, 3, place)).integers(2**31))


def _grown(
    trace: RequestTrace,
    height: Callable[[Floats], Floats],
    *,
    factor: float,
    window: tuple[float, float],
    seed: int,
) -> RequestTrace:
    """The trace and copies of its requests: in the window, 1 + (factor - 1) height(t) times the rate.

    Copies are made for the whole factor and kept with the probability that belongs to the time they came to, so that
    the rate rises as sharply as `height`, which is within [0, 1].
    """
    rng, (begin, end) = np.random.default_rng(seed), window
    picks = np.flatnonzero((trace.arrival_s >= begin - JITTER_S) & (trace.arrival_s < end + JITTER_S))
    near, moved, known = trace.at(trace.arrival_s[picks], picks).copies(rng, factor)
    kept = ~known & (moved >= begin) & (moved < end) & (rng.random(len(moved)) < height(moved))
    times = np.concatenate([trace.arrival_s, moved[kept]])
    order = np.argsort(times, kind="stable")
    return trace.at(times[order], np.concatenate([np.arange(len(trace)), picks[near[kept]]])[order])


def _stretched(tokens: Tokens, inside: NDArray[np.bool_], *, factor: float, longest: int) -> Tokens:
    """What was longer than `longest` before stays as long as it was."""
    changed = np.maximum(1, np.minimum(np.rint(tokens * factor), np.maximum(longest, tokens))).astype(np.int64)
    return np.where(inside, changed, tokens)
