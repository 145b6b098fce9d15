"""n*: the largest concurrency at which a step still takes no longer than TPOT allows, and the KV cache holds it all.

From the step times of papers.md 3.1 at the mean lengths seen: n decodes at context P + O/2, beside the p = n P / O
prompt tokens that keep such a batch going. It is the baseline of everything that learns, and in charge where nothing
better is proven.

What is NOT promised: percentiles. At n* the mean step keeps the threshold, so that with a batch always full about half
of the requests do; and how full a limit is kept depends on who stands before it, which n* does not know.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from foretide.policies.concurrency.window import Bounds, State, Window

KNATIVE_DEFAULT = 100
"""Knative's default soft target of concurrency (container-concurrency-target-default)."""
VLLM_DEFAULT = 256
"""vLLM's max_num_seqs where nothing is given, as simulated here."""
ENOUGH = 20
"""Requests that have to end in a window before their mean lengths are believed."""
MEMORY = 100
"""Requests that what was known before weighs, against those of the newest window."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens per request."""

    prompt: float
    output: float

    @property
    def context(self) -> float:
        """Mean tokens of a decoding request in the KV cache."""
        return self.prompt + self.output / 2


@dataclass(frozen=True, slots=True)
class StepModel:
    """What a step takes, in seconds: `decode(n, context)` of n decodes alone; with p prompt tokens beside them
    max(decode, a + b (p + n) + c p P + per_context C). All coefficients include the engine's speed factor.
    """

    decode: Callable[[int, float], float]
    """(decodes, tokens of all their contexts) -> seconds."""
    per_context_s: float
    prefill_a_s: float
    prefill_b_s: float
    prefill_c_s: float
    kv_tokens: float
    chunk: int
    most: int
    """The engine's own limit."""

    def step_s(self, running: int, lengths: Lengths) -> float:
        """Mean seconds of a step that keeps `running` requests of these lengths going."""
        prefill = min(running * lengths.prompt / max(1.0, lengths.output), float(self.chunk - running))
        context = running * lengths.context
        mixed = self.prefill_a_s + self.prefill_b_s * (prefill + running) + self.prefill_c_s * prefill * lengths.prompt
        return max(self.decode(running, context), mixed + self.per_context_s * context)

    def rate(self, running: int, lengths: Lengths) -> float:
        """Requests/s of a batch that always has so many."""
        return running / (max(1.0, lengths.output) * self.step_s(running, lengths))

    def largest(self, lengths: Lengths) -> int:
        """As many as the engine, the KV cache and the balance of prefill and decode carry."""
        balanced = self.chunk * lengths.output / (lengths.prompt + lengths.output)
        return max(1, int(min(self.most, self.kv_tokens / lengths.context, balanced, self.chunk - 1)))


def largest_limit(model: StepModel, lengths: Lengths, *, tpot_s: float) -> int:
    """n*; 1 where even that is too slow."""
    low, high = 1, model.largest(lengths)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if model.step_s(middle, lengths) <= tpot_s else (low, middle - 1)
    return low


def followed(known: Lengths | None, seen: Window | None) -> Lengths | None:
    """The running mean of lengths after one more window; too few requests change nothing."""
    if seen is None or seen.ended < ENOUGH or not isfinite(seen.prompt_tokens + seen.output_tokens):
        return known
    if known is None:
        return Lengths(seen.prompt_tokens, seen.output_tokens)
    new = seen.ended / (seen.ended + MEMORY)
    return Lengths(
        known.prompt + new * (seen.prompt_tokens - known.prompt),
        known.output + new * (seen.output_tokens - known.output),
    )


class Fixed:
    """Always the same limit: a platform's default, or a grid's best."""

    def __init__(self, limit: int, *, name: str | None = None) -> None:
        self.name = name or f"fixed-{limit}"
        self._limit = limit

    def act(self, seen: Window | None) -> int:  # noqa: ARG002 (it looks at nothing)
        return self._limit

    def learn(self, outcome: Window) -> None:
        """There is nothing to learn."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""


class Rule:
    """n* at the lengths seen of late, times `margin`; `blind` until a window has shown lengths."""

    def __init__(
        self, model: StepModel, *, tpot_s: float, bounds: Bounds, margin: float = 1.0, blind: int = KNATIVE_DEFAULT
    ) -> None:
        self.name = "rule" if margin == 1.0 else f"rule-x{margin:g}"
        self.model, self.tpot_s, self.bounds = model, tpot_s, bounds
        self._margin, self._blind = margin, blind
        self.lengths: Lengths | None = None
        """Mean tokens of late; None until they are known."""

    def act(self, seen: Window | None) -> int:
        self.lengths = followed(self.lengths, seen)
        return self.bounds.clip(self._margin * self.unbounded)

    @property
    def unbounded(self) -> float:
        """n* before margin and bounds."""
        if self.lengths is None:
            return float(self._blind)
        return float(largest_limit(self.model, self.lengths, tpot_s=self.tpot_s))

    def expected(self) -> float | None:
        """Requests/s of a replica that always runs n*; None until lengths are known."""
        if self.lengths is None:
            return None
        return self.model.rate(max(1, round(self.unbounded)), self.lengths)

    def learn(self, outcome: Window) -> None:
        """There is nothing to learn: lengths come with what is seen."""

    def state(self) -> State:
        return {"lengths": None if self.lengths is None else [self.lengths.prompt, self.lengths.output]}

    def restore(self, state: State) -> None:
        lengths = state["lengths"]
        self.lengths = Lengths(*map(float, lengths)) if isinstance(lengths, list) else None
