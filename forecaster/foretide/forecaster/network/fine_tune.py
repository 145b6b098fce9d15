"""A network that goes on learning from one cluster's history, and replaces the old one only where it forecasts better.

The newest `HELD_BACK` of the history is not trained on; it picks the checkpoint, the one before any step among them. A
run that found nothing better writes nothing.

What is NOT promised: better forecasts tomorrow. The ladder scores the new network as it scored the old one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import numpy as np

from foretide.forecaster.network.card import Source, read_card, read_checked
from foretide.forecaster.network.features import regrid
from foretide.forecaster.network.publish import published, staging
from foretide.policies.flow import Floats

HELD_BACK = 0.2
STEPS, RATE, BATCH = 300, 5e-4, 64
LEAST_EXAMPLES = 200
"""Windows to learn from, below which chance would decide."""


class TooLittle(ValueError):
    """A history that cannot teach, in one line."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the step that was picked (0: none better than before) and the scores, lower is better."""

    step: int
    before: float
    after: float
    examples: int


def fine_tune(  # noqa: PLR0913 (each is one thing)
    *,
    values: Floats,
    step_s: float,
    start_s: float,
    base: Path,
    head: str,
    out: Path,
    name: str,
    steps: int = STEPS,
    seed: int = 0,
    report: Callable[[int, float, float], None] = lambda *_: None,
) -> Outcome:
    """Trains the base's head on demand (T, 3) and publishes it into `out`.

    Raises Refused for a base that is not sound, TooLittle for a history that cannot teach, ImportError without the
    extra `train`.
    """
    from foretide.forecaster.network.examples import AS_IT_IS, Hardening, Workload, examples_of, origins_of
    from foretide.forecaster.network.export import network_of, write
    from foretide.forecaster.network.train import Settings, fit

    card = read_card(base, head)
    schema = card.typed_schema()
    network = network_of(schema, card.config, read_checked(base, head, "safetensors", card.safetensors_sha256))
    rows = regrid(values, step_s, schema.step_s)
    workload = Workload(name, rows, start_s + (len(values) * step_s - len(rows) * schema.step_s))
    split = round((1 - HELD_BACK) * len(rows))
    origins = origins_of(rows, schema, first=min(schema.windows.recent, split // 2), last=split)
    held = origins_of(rows, schema, first=split, last=len(rows))
    if len(origins) < LEAST_EXAMPLES or len(held) < LEAST_EXAMPLES // 4:
        raise TooLittle(f"history: {len(origins)} whole windows, {LEAST_EXAMPLES} are needed: read more days")
    rng = np.random.default_rng(seed)
    train = examples_of(workload, origins, schema, rng=rng, hardening=Hardening())
    valid = examples_of(workload, held, schema, rng=rng, hardening=AS_IT_IS)
    settings = Settings(steps=steps, batch=min(BATCH, len(train)), rate=RATE, check_every=max(1, steps // 6), seed=seed)
    before = fit(network, train, valid, Settings(steps=0, seed=seed)).score
    best = fit(network, train, valid, settings, report=report)
    outcome = Outcome(best.step, before, best.score, len(train))
    if best.step:
        source = Source(name=f"history of {name}", licence="the cluster's own", rows=len(rows))
        staged = staging(out)
        try:
            write(network, staged, name=f"fine-tuned on {name}", data=(*card.data, source), metrics=_metrics(outcome))
            published(staged, out, head)
        finally:
            rmtree(staged, ignore_errors=True)
    return outcome


def _metrics(outcome: Outcome) -> dict[str, float]:
    return {"choice_score": outcome.after, "choice_score_before": outcome.before, "step": float(outcome.step)}
