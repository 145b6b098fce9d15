"""DistServe's published set-ups: its fitted step times, its memory, its objectives, and requests of ShareGPT's lengths.

Sources: the fits are in FORETIDE_DATA; memory, placements, objectives and rates come from the artifact's scripts and
`max_num_tokens.csv` (papers.md 1.2). OPT has a context window of 2048: longer requests are left out, as there.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from foretide.policies.flow import Floats, frozen
from foretide.simulator.calibrate import simulate
from foretide.simulator.disaggregated import DisaggregatedFleet
from foretide.simulator.fleet import RequestOutcome, StartTier
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.requests import RequestTrace, Tokens
from foretide.simulator.transfer import Link, kv_bytes

WINDOW = 2048
FITS = "profiles/distserve_a100_fit.csv.gz"
LENGTHS = "profiles/vllm_run_rtxpro6000_llama-3.1-8b_requests.csv.gz"
NVLINK_GB_S = 300.0
"""One way between A100s of one node."""
KV_TOKENS = {
    ("opt-13b", 1, 1): 66_144,
    ("opt-13b", 1, 2): 163_008,
    ("opt-13b", 2, 1): 163_008,
    ("opt-13b", 2, 2): 356_752,
    ("opt-66b", 4, 1): 78_496,
    ("opt-66b", 2, 2): 78_512,
}
"""Model, tensor parallelism, pipeline stages -> tokens in the cache."""
Lengths = tuple[Tokens, Tokens]


@dataclass(frozen=True)
class Part:
    """GPUs of one role: a group of `tp` for each of `pp` stages.

    A pipeline of p stages works on p batches at once, each of which takes the whole model's time from the first stage
    to the last. It is simulated as p replicas with a p-th of the memory each.
    """

    tp: int
    pp: int = 1

    @property
    def gpus(self) -> int:
        return self.tp * self.pp


@dataclass(frozen=True)
class Extras:
    """Milliseconds that simdistserve adds to its fits: remote calls per step and per token, and each prefill stage."""

    step_ms: float = 0.0
    token_ms: float = 0.0
    stage_ms: float = 0.0


NONE, SIMDISTSERVE = Extras(), Extras(2.0, 1e-4, 1.0)


@dataclass(frozen=True)
class Engines:
    """What both systems are made of."""

    fits: pd.DataFrame
    extras: Extras = NONE

    def deployment(self, model: str, engine: str, part: Part, *, batch_tokens: int) -> Deployment:
        """Whole prompts first, as both engines of that time scheduled."""
        fit = self.fits[
            (self.fits.engine == engine) & (self.fits.model.str.endswith(model)) & (self.fits.tp == part.tp)
        ]
        row, extras = fit.iloc[0], self.extras
        small = (row.dec_small_a + extras.step_ms, row.dec_small_c, row.dec_small_b + extras.token_ms)
        large = (row.dec_large_a + extras.step_ms, row.dec_large_c, row.dec_large_b + extras.token_ms)
        steps = StepTimes(
            *small,
            prefill_a_ms=row.prefill_a + extras.step_ms + extras.stage_ms * part.pp**2,
            prefill_b_ms=row.prefill_b + extras.token_ms,
            prefill_c_ms=row.prefill_c,
            crowded=(int(row.threshold_bs), *large),
        )
        memory = KV_TOKENS[model, part.tp, part.pp] // part.pp
        profile = Profile(model, "A100", part.tp, steps, memory, source="DistServe's fit")
        return Deployment(profile, max_num_seqs=1024, chunk=batch_tokens, whole_prompts=True)


@dataclass(frozen=True)
class Aggregated:
    """vLLM of that time on one replica."""

    model: str
    part: Part
    engines: Engines
    fitted: str = "vllm"
    """Whose step times."""
    chunk: int | None = None
    """Tokens per step where prompts are chunked, as vLLM does it now; None for whole prompts first."""
    name: str = "vLLM"

    @property
    def gpus(self) -> int:
        return self.part.gpus

    def serve(self, trace: RequestTrace) -> RequestOutcome:
        deployment = self.engines.deployment(self.model, self.fitted, self.part, batch_tokens=16_384)
        if self.chunk is not None:
            deployment = replace(deployment, chunk=self.chunk, whole_prompts=False)
        return simulate(deployment=deployment, trace=trace, replicas=self.part.pp)


@dataclass(frozen=True)
class Disaggregated:
    """One prefill and one decode instance of DistServe."""

    model: str
    prefill: Part
    decode: Part
    engines: Engines
    batch_tokens: int = 8192
    link_gb_s: float = NVLINK_GB_S
    memory: tuple[int, int] | None = None
    """Tokens that prefill and decode have; None for what the GPUs hold."""
    name: str = "DistServe"

    @property
    def gpus(self) -> int:
        return self.prefill.gpus + self.decode.gpus

    def serve(self, trace: RequestTrace) -> RequestOutcome:
        prefill, decode = (
            self.engines.deployment(self.model, "distserve", part, batch_tokens=self.batch_tokens)
            for part in (self.prefill, self.decode)
        )
        if self.memory is not None:
            prefill, decode = (
                replace(each, kv_tokens=tokens) for each, tokens in zip((prefill, decode), self.memory, strict=True)
            )
        fleet = DisaggregatedFleet(
            prefill=prefill,
            decode=decode,
            link=Link(self.link_gb_s, kv_bytes(self.model)),
            trace=trace,
            prefill_replicas=self.prefill.pp,
            decode_replicas=self.decode.pp,
            cold_start=StartTier(1.0, 0.0),
            seed=0,
        )
        fleet.advance(np.inf)
        return fleet.outcome()


System = Aggregated | Disaggregated


@dataclass(frozen=True)
class Promise:
    """Seconds."""

    ttft_s: float
    tpot_s: float

    def kept(self, found: RequestOutcome) -> Floats:
        """Per request, 1.0 where both thresholds hold; an answer of one token has no TPOT to miss."""
        return frozen(((found.ttft_s <= self.ttft_s) & ~(found.tpot_s > self.tpot_s)).astype(np.float64))


def read_lengths(path: Path, *, mean_answer: float | None = None) -> Lengths:
    """Prompt and answer tokens of requests within OPT's window, answers scaled to a mean where one is given."""
    table = pd.read_csv(path)
    prompts, answers = table["prompt_tokens"].to_numpy(np.int64), table["output_tokens"].to_numpy(np.int64)
    if mean_answer is not None:
        answers = np.maximum(1, np.rint(answers * mean_answer / answers.mean())).astype(np.int64)
    fits = prompts + answers < WINDOW
    return prompts[fits], answers[fits]


def poisson(lengths: Lengths, *, rate: float, count: int, seed: int) -> RequestTrace:
    """`count` requests of these lengths at `rate` per second; the same requests and the same luck at every rate."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(lengths[0]), count)
    gaps = rng.exponential(1.0, count)
    gaps[0] = 0.0
    return RequestTrace(frozen(np.cumsum(gaps) / rate), lengths[0][picks], lengths[1][picks])
