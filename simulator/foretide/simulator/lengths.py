"""How long prompts and answers are: named regimes, each with its source, and mixes of them that drift over the day.

A regime is a mixture of lognormals for prompts and one for answers, cut at the longest of each. Promised: the figures
that a regime is calibrated to (see `REGIMES`), and any rank correlation between prompt and answer without a change of
either distribution. What is NOT promised: that a regime is anybody's traffic; where its source says `ours`, it is an
assumption with plausible proportions and no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from foretide.policies.flow import Floats
from foretide.simulator.requests import Tokens

Parts = tuple[tuple[float, float, float], ...]
"""A mixture of lognormals: (share, median, sigma of the log) of each; the shares add up to 1."""


@dataclass(frozen=True, slots=True)
class Regime:
    """One kind of request."""

    prompt: Parts
    output: Parts
    longest_prompt: float
    longest_output: float
    source: str


LONGEST_OUTPUT = 1000
"""Azure's answers are capped here."""
REGIMES: dict[str, Regime] = {
    "chat": Regime(
        prompt=((1.0, 1020.0, 0.58),),
        output=((0.68, 84.0, 0.62), (0.32, 410.0, 0.2)),
        longest_prompt=np.inf,
        longest_output=LONGEST_OUTPUT,
        source="Azure LLM inference 2023, conversation: prompt mean 1155, p50 1020, p99 4142; output 211, 129, 601",
    ),
    "code": Regime(
        prompt=((1.0, 1469.0, 0.83),),
        output=((1.0, 13.0, 1.24),),
        longest_prompt=7437,
        longest_output=LONGEST_OUTPUT,
        source="Azure LLM inference 2023, code: prompt mean 2048, p50 1469, p99 7436; output 27.9, 13, 251",
    ),
    "summarise": Regime(
        prompt=((0.86, 2780.0, 0.275), (0.14, 936.0, 0.56)),
        output=((0.953, 156.0, 0.56), (0.047, 2374.0, 0.41)),
        longest_prompt=4054,
        longest_output=4056,
        source="arXiv summarisation as shipped with Vidur: prompt mean 2588, p50 2730, p90 3702; output 291, 167, 372",
    ),
    "rag": Regime(
        prompt=((1.0, 6000.0, 0.6),),
        output=((1.0, 180.0, 0.7),),
        longest_prompt=32_000,
        longest_output=2048,
        source="ours: a handful of retrieved passages before a question, an answer of a few sentences",
    ),
    "reasoning": Regime(
        prompt=((1.0, 400.0, 1.0),),
        output=((0.6, 900.0, 0.5), (0.4, 3000.0, 0.5)),
        longest_prompt=16_000,
        longest_output=16_000,
        source="ours: short questions, and answers with a chain of thought that is short or long",
    ),
}
CHAT = REGIMES["chat"]
PROMPT_SIGMA = CHAT.prompt[0][2]

Mix = Mapping[str, float]
"""Regime -> its share of the requests, in any unit."""


def prompt_lengths(rng: Generator, count: int, *, mean: float) -> Tokens:
    """Prompt lengths with the spread of Azure's conversations, scaled to `mean`; (count,)."""
    return whole(mixture(rng, CHAT.prompt, count) * mean / uncut_mean(CHAT.prompt))


def output_lengths(rng: Generator, count: int, *, mean: float) -> Tokens:
    """Short and long answers in the proportion of Azure's conversations, scaled to `mean`, capped alike; (count,)."""
    scale = mean / uncut_mean(CHAT.output)
    return whole(np.minimum(mixture(rng, CHAT.output, count), LONGEST_OUTPUT) * scale)


def regime_lengths(rng: Generator, count: int, *, regime: Regime, correlation: float = 0.0) -> tuple[Tokens, Tokens]:
    """Prompt and output lengths of requests of one regime, (count,) each."""
    prompt = whole(np.minimum(mixture(rng, regime.prompt, count), regime.longest_prompt))
    output = whole(np.minimum(mixture(rng, regime.output, count), regime.longest_output))
    return prompt, correlated(rng, prompt, output, correlation=correlation)


def mixed_lengths(
    rng: Generator, lateness: Floats, *, by_night: Mix, by_day: Mix, correlation: float = 0.0
) -> tuple[Tokens, Tokens]:
    """Lengths of requests of several regimes, (n,) each; `lateness` (n,) goes from 0 at night to 1 at the daily peak.

    In between the shares of the regimes drift in a straight line from one mix to the other. The correlation holds
    within a regime; between regimes it is what their means make it.
    """
    names = [name for name in REGIMES if by_night.get(name) or by_day.get(name)]
    night, day = (np.cumsum(_shares(mix, names)) for mix in (by_night, by_day))
    drawn = rng.random(len(lateness))
    kind = np.zeros(len(lateness), dtype=np.int64)
    for low, high in zip(night[:-1], day[:-1], strict=True):
        kind += drawn >= low + (high - low) * lateness
    prompt, output = (np.empty(len(lateness), dtype=np.int64) for _ in range(2))
    for position, name in enumerate(names):
        at = np.flatnonzero(kind == position)
        prompt[at], output[at] = regime_lengths(rng, len(at), regime=REGIMES[name], correlation=correlation)
    return prompt, output


def correlated(rng: Generator, prompt: Tokens, output: Tokens, *, correlation: float) -> Tokens:
    """The same outputs in another order, so that their ranks go with those of the prompts; (n,).

    `correlation` in [-1, 1] is that of a Gaussian copula (the reordering of Iman and Conover, 1982); Spearman's is
    6/pi asin(correlation/2). Both distributions stay exactly what they were.
    """
    if not correlation or len(prompt) < 2:
        return output
    ties = rng.random(len(prompt))
    scores = np.sort(rng.standard_normal(len(prompt)))
    place = np.empty(len(prompt))
    place[np.lexsort((ties, prompt))] = scores
    wanted = correlation * place + np.sqrt(1 - correlation**2) * rng.standard_normal(len(prompt))
    ordered = np.empty_like(output)
    ordered[np.argsort(wanted, kind="stable")] = np.sort(output)
    return ordered


def mixture(rng: Generator, parts: Parts, count: int) -> Floats:
    """Draws from a mixture of lognormals, (count,)."""
    shares, medians, sigmas = (np.array(column) for column in zip(*parts, strict=True))
    if len(parts) == 1:
        return np.asarray(medians[0] * np.exp(sigmas[0] * rng.standard_normal(count)), dtype=np.float64)
    kind = np.searchsorted(np.cumsum(shares)[:-1], rng.random(count), side="right")
    return np.asarray(medians[kind] * np.exp(sigmas[kind] * rng.standard_normal(count)), dtype=np.float64)


def uncut_mean(parts: Parts) -> float:
    """Mean of a mixture of lognormals."""
    return float(sum(share * median * np.exp(sigma**2 / 2) for share, median, sigma in parts))


def _shares(mix: Mix, names: list[str]) -> Floats:
    weights = np.array([mix.get(name, 0.0) for name in names])
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def whole(values: NDArray[np.float64]) -> Tokens:
    """To the nearest whole number of tokens, at least 1."""
    return np.maximum(1, np.rint(values)).astype(np.int64)
