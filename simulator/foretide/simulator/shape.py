"""What a generated workload looks like, as users write it: one flat shape with conversations and agents below it.

Every field has a default that changes nothing: a shape of `mean_rps` alone is a day of single chat requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from foretide.simulator.chains import Chain
from foretide.simulator.clients import Gaps
from foretide.simulator.lengths import REGIMES, Mix

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Conversations:
    """People who ask again: each turn's prompt is the conversation so far and something new.

    The defaults are ours. Raises ValueError naming the field, the value and the fix.
    """

    __pydantic_config__ = STRICT

    share: float = 0.5
    """Share of all requests that are turns of a conversation."""
    turns: float = 4.0
    """Mean number of turns; the number is geometric."""
    think_s: float = 45.0
    """Median time between an answer and the next question, lognormal."""
    think_sigma: float = 1.0
    prompt_tokens: float = 150.0
    """Median of what a turn adds, lognormal."""
    prompt_sigma: float = 1.1
    output_tokens: float = 180.0
    """Median answer, lognormal."""
    output_sigma: float = 0.8
    system_tokens: int = 512
    """Length of a system prompt, which all conversations of an application share."""
    systems: int = 4
    """Applications, each with its own system prompt; the k-th has a share proportional to 1/k."""
    context_tokens: int = 16_384
    """A conversation ends before it would outgrow this."""

    def __post_init__(self) -> None:
        _refuse_numbers(self, positive=("turns", "think_s", "prompt_tokens", "output_tokens", "systems"))
        _refuse_share(self.share)
        _refuse_context(self.context_tokens, self.system_tokens)
        if self.turns < 1:
            raise ValueError(f"turns: {self.turns!r}: give a mean of at least 1")

    def chain(self) -> Chain:
        return Chain(
            calls=self.turns,
            first=((1.0, self.prompt_tokens, self.prompt_sigma),),
            new=((1.0, self.prompt_tokens, self.prompt_sigma),),
            output=((1.0, self.output_tokens, self.output_sigma),),
            pause=((1.0, self.think_s, self.think_sigma),),
            system_tokens=int(self.system_tokens),
            systems=int(self.systems),
            context_tokens=int(self.context_tokens),
        )


@dataclass(frozen=True, slots=True)
class Agents:
    """Programs that call the model in a loop: long contexts that grow with each result of a tool.

    The defaults are close to the 553 coding sessions of the kv-cache-tester collection (Apache-2.0), except for
    `context_tokens`, which there reaches 900,000. Raises ValueError naming the field, the value and the fix.
    """

    __pydantic_config__ = STRICT

    share: float = 0.1
    """Share of all requests that are calls of an agent or of its sub-agents."""
    calls: float = 44.0
    """Median number of calls, lognormal."""
    calls_sigma: float = 0.95
    first_tokens: float = 22_000.0
    """Median of the first prompt beyond the system prompt, lognormal."""
    first_sigma: float = 0.4
    tool_tokens: float = 276.0
    """Median of what a tool's result adds, lognormal."""
    tool_sigma: float = 1.8
    output_tokens: float = 216.0
    output_sigma: float = 1.0
    tool_s: float = 8.0
    """Median time of a tool, lognormal."""
    tool_time_sigma: float = 0.8
    person_share: float = 0.2
    """Share of pauses in which a person is waited for."""
    person_s: float = 120.0
    person_sigma: float = 1.8
    system_tokens: int = 8192
    systems: int = 2
    subagents: float = 0.002
    """Sub-agents that a call starts, on average: shorter loops with a context of their own."""
    context_tokens: int = 120_000

    def __post_init__(self) -> None:
        needed = ("calls", "first_tokens", "tool_tokens", "output_tokens", "tool_s", "person_s", "systems")
        _refuse_numbers(self, positive=needed)
        _refuse_share(self.share)
        _refuse_context(self.context_tokens, self.system_tokens)
        if not self.person_share <= 1:
            raise ValueError(f"person_share: {self.person_share!r}: give a share between 0 and 1")
        if self.subagents > 1:
            raise ValueError(f"subagents: {self.subagents!r}: give at most 1 for each call")

    def chain(self) -> Chain:
        tool = (1.0 - self.person_share, self.tool_s, self.tool_time_sigma)
        return Chain(
            calls=((1.0, self.calls, self.calls_sigma),),
            first=((1.0, self.first_tokens, self.first_sigma),),
            new=((1.0, self.tool_tokens, self.tool_sigma),),
            output=((1.0, self.output_tokens, self.output_sigma),),
            pause=(tool, (self.person_share, self.person_s, self.person_sigma)),
            system_tokens=int(self.system_tokens),
            systems=int(self.systems),
            context_tokens=int(self.context_tokens),
            subagents=self.subagents,
        )


@dataclass(frozen=True, slots=True)
class WorkloadShape:
    """What a generated workload looks like. A day has `day_s` seconds, so that one can be compressed into hours.

    Think times and tool times are not compressed with it. Raises ValueError naming the field, the value and the fix.
    """

    __pydantic_config__ = STRICT

    mean_rps: float
    days: float = 1.0
    day_s: float = 86400.0
    peak_to_trough: float = 4.0
    """Rate at the daily peak over that at night."""
    weekday_ratio: float = 1.0
    """Rate of a weekday over that of a Saturday or Sunday. 1.3 is what serverless clouds see (EuroSys'25)."""
    first_weekday: int = 0
    """Weekday of day 0; 0 is Monday."""
    holidays: tuple[int, ...] = ()
    """Days with a dip, followed by a day that catches up; day 0 is the first of the trace, -1 the day before."""
    clients: int = 24
    zipf: float = 1.1
    """Client k has a share of the load proportional to k^-zipf."""
    burstiness: float = 1.5
    """Median coefficient of variation of a client's gaps; 1 is Poisson."""
    burstiness_spread: float = 0.4
    """Standard deviation of the log of that coefficient between clients."""
    gaps: Gaps = "gamma"
    bursts_per_day: float = 4.0
    burst_height: float = 1.6
    """Rate during a burst over the rate without it."""
    burst_minutes: float = 12.0
    """Length of a burst in minutes of the (possibly compressed) day."""
    wander: float = 0.08
    """Standard deviation of the log of the slow drift around the daily shape."""
    prompt_mean: float = 1155.0
    """Of single requests where no mix is given; so is `output_mean`."""
    output_mean: float = 203.0
    mix: Mix = field(default_factory=dict)
    """Regimes of single requests at the daily peak, like {chat: 0.7, code: 0.3}; empty: chat of the means above."""
    night_mix: Mix = field(default_factory=dict)
    """The same at night; the shares drift from one to the other. Empty: as `mix`."""
    correlation: float = 0.0
    """Between the ranks of prompts and outputs of single requests, that of a Gaussian copula."""
    conversations: Conversations | None = None
    agents: Agents | None = None
    block_tokens: int = 256
    """Tokens of a block that a prefix cache can recognise; told only where there are conversations or agents.

    An engine has smaller ones (16 in vLLM): half a block of each prompt is not found again that an engine would find.
    Smaller blocks take more memory and more time to replay."""

    def __post_init__(self) -> None:
        _refuse_numbers(
            self, positive=("mean_rps", "days", "day_s", "clients", "prompt_mean", "output_mean", "block_tokens")
        )
        for name in ("peak_to_trough", "weekday_ratio"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)!r}: give a ratio of at least 1")
        if self.gaps not in get_args(Gaps):
            raise ValueError(f"gaps: {self.gaps!r}: give one of {', '.join(get_args(Gaps))}")
        if not -1 <= self.correlation <= 1:
            raise ValueError(f"correlation: {self.correlation!r}: give a number between -1 and 1")
        _refuse_mix(self.mix, self.night_mix)
        if sum(part.share for part in self.chained) > 1:
            raise ValueError("share: conversations and agents have more than all requests; lower one of the two")

    @property
    def chained(self) -> tuple[Conversations | Agents, ...]:
        """The parts of the traffic in which a request follows from another."""
        return tuple(part for part in (self.conversations, self.agents) if part is not None and part.share > 0)


def read_shape(written: Mapping[str, Any]) -> WorkloadShape:
    """The shape that a user wrote. Raises pydantic's ValidationError with all problems."""
    return TypeAdapter(WorkloadShape).validate_python(dict(written))


SIGNED = ("correlation", "first_weekday")


def _refuse_numbers(shape: Any, *, positive: tuple[str, ...]) -> None:
    for each in fields(shape):
        value = getattr(shape, each.name)
        if each.type not in {float, int} or each.name in SIGNED:
            continue
        if not isinstance(value, int | float) or not np.isfinite(value) or value < 0:
            raise ValueError(f"{each.name}: {value!r}: give a finite number of at least 0")
        if each.name in positive and value <= 0:
            raise ValueError(f"{each.name}: {value!r}: give a number above 0")


def _refuse_share(share: float) -> None:
    if share > 1:
        raise ValueError(f"share: {share!r}: give a share between 0 and 1")


def _refuse_context(context: int, system: int) -> None:
    if context < 2 * system + 2:
        raise ValueError(f"context_tokens: {context!r}: give more than twice the system prompt of {system} tokens")


def _refuse_mix(mix: Mix, night_mix: Mix) -> None:
    if night_mix and not mix:
        raise ValueError("mix: missing; night_mix needs the mix of the day")
    for name, value in (("mix", mix), ("night_mix", night_mix)):
        unknown = sorted(set(value) - set(REGIMES))
        if unknown:
            raise ValueError(f"{name}: {unknown[0]}: no such regime; there are {', '.join(REGIMES)}")
        if value and not (all(0 <= share < np.inf for share in value.values()) and sum(value.values()) > 0):
            raise ValueError(f"{name}: {dict(value)!r}: give shares of at least 0 that add up to more than 0")
