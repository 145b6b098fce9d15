"""Two set-ups of two pools, traffic whose lengths drift, and what a replica of each role carries.

Traffic is generated: chats (short prompts, long answers) swell while documents (long prompts, short answers) ebb, over
a day that is compressed to an hour, with slow noise on either. All of it is simulated. The one set-up is Splitwise's
idea of unlike machines (prompts on H100, decodes on A100) on our fitted profiles; the other DistServe's OPT-13B on
A100 with its own fitted step times, memory and NVLink.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from distserve_setup import FITS, NVLINK_GB_S, Engines, Part

from foretide.policies.flow import PROMPT_TOKENS, REQUESTS, Floats, LatencyTarget, Objective
from foretide.simulator.lengths import output_lengths, prompt_lengths
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace
from foretide.simulator.role_capacity import Roles, role_services
from foretide.simulator.starts import StartTier
from foretide.simulator.transfer import Link, kv_bytes

DAY_S, STEP_S, SLOW_S = 3600.0, 30.0, 120.0
START = StartTier(60.0, 0.3)
SWING, NOISE = 0.7, 0.12
"""Amplitude of the day over its mean, and the standard deviation of a two-minute's log rate."""
CHAT, DOCUMENT = (300.0, 250.0), (1300.0, 50.0)
"""Mean prompt and output tokens."""
LONGEST = 1500
"""Of a prompt: OPT ends at 2048 tokens with its answer."""
SHARES = (0.2, 0.6)
"""Of documents in the mixes for which roles are measured."""
LINK_GB_S = 25.0
"""InfiniBand at 200 Gb/s."""
SAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Setup:
    """`rates` are requests/s of chats and of documents, in the mean of the day."""

    name: str
    told: str
    prefill: Deployment
    decode: Deployment
    link: Link
    objective: Objective
    rates: tuple[float, float]


def setups(data: Path) -> tuple[Setup, Setup]:
    engines = Engines(_table(data / FITS))
    opt = (engines.deployment("opt-13b", "distserve", Part(tp), batch_tokens=2048) for tp in (2, 1))
    prompts, decodes = (replace(one, max_num_seqs=SEQUENCES) for one in opt)
    llama = (find_profile(model="Llama-3.1-70B", gpu=gpu, tp=4) for gpu in ("H100", "A100"))
    first, second = (Deployment(profile, max_num_seqs=SEQUENCES) for profile in llama)
    return (
        Setup(
            "splitwise-like",
            "Llama-3.1-70B, prompts on 4 H100, decodes on 4 A100, 200 Gb/s between them",
            first,
            second,
            Link(LINK_GB_S, kv_bytes("llama-3.1-70b")),
            Objective(ttft=LatencyTarget(99.0, 1.5), tpot=LatencyTarget(99.0, 0.08)),
            (12.0, 12.0),
        ),
        Setup(
            "distserve-like",
            "OPT-13B, prompts on 2 A100, decodes on 1 A100, NVLink between them",
            prompts,
            decodes,
            Link(NVLINK_GB_S, kv_bytes("opt-13b")),
            Objective(ttft=LatencyTarget(99.0, 0.6), tpot=LatencyTarget(99.0, 0.08)),
            (16.0, 16.0),
        ),
    )


SEQUENCES = 32


def traffic(setup: Setup, seed: int) -> tuple[RequestTrace, RequestTrace]:
    """The day that is history and the day that is judged, each from its own time 0."""
    return _day(setup, (seed, 0)), _day(setup, (seed, 1))


@dataclass(frozen=True, slots=True, eq=False)
class Mixes:
    """What the roles carry, by the mix of requests."""

    prompts: tuple[float, ...]
    """Mean prompt tokens, ascending."""
    roles: tuple[Roles, ...]

    def of(self, rows: Floats) -> Roles:
        """The nearest mix to what these rows of demand brought, (T, 3)."""
        requests = float(rows[:, REQUESTS].sum())
        mean = float(rows[:, PROMPT_TOKENS].sum()) / requests if requests else self.prompts[0]
        return self.roles[int(np.argmin([abs(prompt - mean) for prompt in self.prompts]))]


def mixes(setup: Setup) -> Mixes:
    """Measured once for each share of documents."""
    means, roles = [], []
    for share in SHARES:
        rng = np.random.default_rng((7, round(100 * share)))
        prompts, outputs = _lengths(rng, rng.random(SAMPLES) < share)
        means.append(float(prompts.mean()))
        roles.append(
            role_services(
                prefill=setup.prefill,
                decode=setup.decode,
                link=setup.link,
                objective=setup.objective,
                prompt_tokens=prompts,
                output_tokens=outputs,
            )
        )
    return Mixes(tuple(means), tuple(roles))


def _day(setup: Setup, seed: Sequence[int]) -> RequestTrace:
    rng = np.random.default_rng(seed)
    slots = np.arange(0.0, DAY_S, SLOW_S)
    swing = SWING * np.sin(2 * np.pi * (slots + SLOW_S / 2) / DAY_S)
    arrivals, documents = [], []
    for rate, sign, document in zip(setup.rates, (1.0, -1.0), (False, True), strict=True):
        level = rate * (1 + sign * swing) * np.exp(rng.normal(0.0, NOISE, len(slots)))
        for slot, count in zip(slots, rng.poisson(level * SLOW_S), strict=True):
            arrivals.append(slot + SLOW_S * rng.random(count))
            documents.append(np.full(count, document))
    at, is_document = np.concatenate(arrivals), np.concatenate(documents)
    order = np.argsort(at)
    prompts, outputs = _lengths(rng, is_document[order])
    return RequestTrace(at[order], prompts, outputs)


def _lengths(rng: np.random.Generator, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = len(documents)
    drawn = [
        np.where(documents, draw(rng, count, mean=DOCUMENT[part]), draw(rng, count, mean=CHAT[part]))
        for part, draw in enumerate((prompt_lengths, output_lengths))
    ]
    return np.minimum(drawn[0], LONGEST), np.minimum(drawn[1], 2048 - LONGEST)


@cache
def _table(path: Path):  # noqa: ANN202 (pandas)
    import pandas as pd

    return pd.read_csv(path)
