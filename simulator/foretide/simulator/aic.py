"""Profiles compiled from AIConfigurator's kernel tables, where `aiconfigurator-core` is installed (the extra `aic`).

A step is asked of the tables' own engine over a grid of batches, contexts and prompts, and the step-time form is fitted
to the answers with relative errors and non-negative coefficients, as the shipped ones were (papers.md 3.2). A mixture
gets the expert term with the share that its configuration states.

What is NOT promised: an engine's own times. The tables are kernels; real engines are a tenth slower in the median.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
from scipy.optimize import nnls

from foretide.policies.flow import Floats
from foretide.simulator.profiles import FitErrors, FitRanges, Profile, StepTimes, gpu_name

PACKAGE, DISTRIBUTION = "aiconfigurator_core", "aiconfigurator-core"
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
SYSTEMS = {
    "A100": "a100_sxm",
    "B200": "b200_sxm",
    "B300": "b300_sxm",
    "GB200": "gb200",
    "GB300": "gb300",
    "H100": "h100_sxm",
    "H200": "h200_sxm",
    "L40S": "l40s",
    "RTX-PRO-6000": "rtx_pro_6000_server",
}
"""GPU -> the tables' name of the system."""
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


class NotCompiled(ValueError):
    """No profile from the tables; the message says why and what to do."""


class Engine(Protocol):
    """The part of the tables' engine that is asked, in milliseconds."""

    def predict_prefill_latency(self, bs: int, isl: int, prefix: int = 0) -> float: ...

    def decode_step_latency(self, gen_tokens: int, isl: int, osl: int) -> float: ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """Coefficients and how well the form follows the tables."""

    steps: StepTimes
    errors: FitErrors


def compile_profile(*, model: str, gpu: str, tp: int, kv_tokens: int) -> Profile:
    """The profile of a model as it is called on a hub. Raises NotCompiled."""
    family = gpu_name(gpu)
    if family not in SYSTEMS:
        raise NotCompiled(f"no kernel tables for {family}; there are some for {', '.join(SYSTEMS)}")
    engine = _engine(model, SYSTEMS[family], tp)
    found = compiled(engine, expert_share=_expert_share(model))
    return Profile(
        model=model.rsplit("/", 1)[-1],
        gpu=family,
        tp=tp,
        steps=found.steps,
        kv_tokens=kv_tokens,
        source=f"fitted to the kernel tables of {DISTRIBUTION} {version(DISTRIBUTION)} (Apache-2.0), vLLM",
        kv_source="as its owner gave it",
        errors=found.errors,
        ranges=FitRanges(
            batch=(BATCHES[0], BATCHES[-1]), context=(LENGTHS[0], LENGTHS[-1]), prompt=(LENGTHS[0], LENGTHS[-1])
        ),
    )


def compiled(engine: Engine, *, expert_share: float = 0.0) -> Compiled:
    """The form fitted to what an engine answers over the grid."""
    points = [(n, context) for n in BATCHES for context in LENGTHS]
    terms = [[1.0, n, n * context] for n, context in points]
    if expert_share:
        terms = [[*row, 1.0 - (1.0 - expert_share) ** n] for row, (n, _) in zip(terms, points, strict=True)]
    decode, decode_error = _fitted(terms, [engine.decode_step_latency(n, context, 1) for n, context in points])
    prefill, prefill_error = _fitted(
        [[1.0, p, p * p] for p in LENGTHS], [engine.predict_prefill_latency(1, p) for p in LENGTHS]
    )
    steps = StepTimes(decode[0], decode[1], decode[2], prefill[0], prefill[1], prefill[2])
    if expert_share:
        steps = replace(steps, expert_d_ms=decode[3], expert_share=expert_share)
    return Compiled(steps, FitErrors(decode=decode_error, prefill=prefill_error))


def _fitted(terms: list[list[float]], times: list[float]) -> tuple[list[float], float]:
    """Non-negative coefficients with the least squares of relative errors, and the mean absolute one."""
    X, y = np.array(terms, dtype=np.float64), np.array(times, dtype=np.float64)
    if not (np.isfinite(y) & (y > 0)).all():
        raise NotCompiled("the tables give no time for some of the steps; choose another degree of parallelism")
    scaled: Floats = X / y[:, None]
    found, _ = nnls(scaled, np.ones(len(y)))
    return [float(f"{value:.6g}") for value in found], float(round(np.abs(scaled @ found - 1.0).mean(), 4))


def _engine(model: str, system: str, tp: int) -> Engine:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logging.getLogger(PACKAGE).setLevel(logging.ERROR)
    try:
        from aiconfigurator_core.sdk.engine import EngineHandle
    except ImportError as error:
        raise NotCompiled("needs aiconfigurator-core; install it with: pip install 'foretide[aic]'") from error
    try:
        engine: Engine = EngineHandle.compile(model, system, "vllm", tp_size=tp)
    except Exception as error:  # the package has many exceptions of its own
        told = " ".join(str(error).split())[:200]
        fix = "give the model as its hub calls it, say Qwen/Qwen3-8B, and a tp that divides its heads"
        raise NotCompiled(f"aiconfigurator-core: {told}; {fix}") from error
    return engine


def _expert_share(model: str) -> float:
    """Active experts over all, from the configuration that ships with the tables; 0 for a dense model."""
    name = f"{model.replace('/', '--')}_config.json"
    try:
        config: Mapping[str, Any] = json.loads((files(PACKAGE) / "model_configs" / name).read_text(encoding="utf-8"))
    except OSError:
        return 0.0
    experts = next((config[key] for key in EXPERTS if config.get(key)), 0)
    return float(config.get("num_experts_per_tok") or 0) / experts if experts else 0.0
