"""What an engine's metrics mean, as data: our words for its series, and how its numbers are to be read.

What is NOT promised: that a deployment exposes what its preset names. `foretide validate --live` looks.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

NEEDED = ("running", "waiting", "finished", "prompt_tokens", "output_tokens")
"""Without all of these, demand cannot be told."""
FURTHER = ("gap_s", "gaps")
"""What an engine need not tell: without it, its speed is not learned."""
QUEUE = ("running", "waiting")
WITH = {"waiting": ("held",), "finished": ("rejected", "aborted")}
"""Words that are asked for beside another one. Held: requests that a gateway keeps and no engine has yet."""
ELSEWHERE = "a gateway tells no replica's times: speed is not learned, and Kubernetes chooses which replicas go"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an engine. Labels come with the regular expression that their whole value matches."""

    name: str
    only: Labels = ()
    """Series with other labels are somebody else's."""
    never: Labels = ()
    """Nor are series meant that have one of these."""
    counts: Labels = ()
    """Of the series left, those with other labels count as nought: that they are there shows that it is told."""

    def __str__(self) -> str:
        """As a PromQL selector of what counts."""
        told = [_written(label, "=", value) for label, value in {**dict(self.only), **dict(self.counts)}.items()]
        told += [_written(label, "!", value) for label, value in self.never]
        return f"{self.name}{{{','.join(told)}}}" if told else self.name

    def means(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this name is meant."""
        return matches(self.only, labels) and not (self.never and matches(self.never, labels))


@dataclass(frozen=True, slots=True)
class Signal:
    """Our word for a number, and the engine's metrics for it, the preferred one first."""

    word: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Preset:
    """How one engine, or a gateway in front of engines, is read. Equal presets are asked for by one query."""

    engine: str
    signals: tuple[Signal, ...]
    absent: tuple[tuple[str, str], ...] = ()
    """Words that it has no metric for, each with why, or with what is done without."""
    hint: str = ""
    """What has to be switched on for its metrics to be there."""
    asked: Labels = ()
    """Of what is asked for beside the queue, only series with these labels."""
    gateway: bool = False
    """Its pods stand in front of the target's: they tell demand, and nothing about single replicas."""
    model_label: str = ""
    """Of a gateway that serves several models: the label that names them."""
    copies: tuple[str, ...] = ()
    """Series that differ only in these labels say the same thing: the largest counts, not their sum."""
    running_holds_waiting: bool = False
    """Whether `running` is all that is in flight, what waits included."""
    appears_with_use: bool = False
    """Whether counters are exposed only once they were counted up: until then they are nought."""

    def metrics(self, word: str) -> tuple[Metric, ...]:
        return next((signal.metrics for signal in self.signals if signal.word == word), ())

    def preferred(self, word: str) -> str:
        """The name to use in messages."""
        return str(next(iter(self.metrics(word)), word))

    def names(self, words: Collection[str]) -> tuple[str, ...]:
        """Every metric name to ask for, once, for these words and what comes with them."""
        beside = [further for word in words for further in WITH.get(word, ())]
        return tuple(dict.fromkeys(metric.name for word in (*words, *beside) for metric in self.metrics(word)))


@dataclass(frozen=True, slots=True)
class Lens:
    """What is asked of one source, the same for all resources that share it."""

    source: str
    preset: Preset
    gateway: str = ""
    """Of a gateway: the workload whose pods tell; empty for all of a namespace."""
    model: str = ""
    """Of a gateway that names models: the one that is meant, in any case of letters."""


def signal(word: str, *metrics: Metric | str) -> Signal:
    return Signal(word, tuple(Metric(one) if isinstance(one, str) else one for one in metrics))


def histogram(of_sum: str, of_count: str, *names: str) -> tuple[Signal, Signal]:
    """Two signals: the sum of what a histogram observed, and how often it did."""
    return signal(of_sum, *(f"{name}_sum" for name in names)), signal(of_count, *(f"{name}_count" for name in names))


def matches(wanted: Labels, labels: Mapping[str, str]) -> bool:
    """Whether every label has its value; one that is not there is the empty text."""
    return all(re.fullmatch(pattern, labels.get(label, "")) for label, pattern in wanted)


def _written(label: str, sign: str, pattern: str) -> str:
    plain = re.sub(r"\\(.)", r"\1", pattern)
    if sign == "=" and re.escape(plain) == pattern:
        return f'{label}="{plain}"'
    return f'{label}{sign}~"{pattern}"'
