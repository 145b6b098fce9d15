"""One head trained on one workload: from scratch or on from a network, judged on its newest rows, written as served.

The judge: mean choice score (loss.choice_score) of windows in the last `HELD_BACK` of the rows, before and after. A
network that got worse is not written.

What is NOT promised: a better forecast than the ladder's other tiers. The ladder finds that out by scoring.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from foretide.forecaster.network.card import Source, read_card, read_checked
from foretide.forecaster.network.examples import AS_IT_IS, Examples, Hardening, Workload, examples_of, origins_of
from foretide.forecaster.network.export import network_of, write
from foretide.forecaster.network.model import Config, Network
from foretide.forecaster.network.schema import Schema
from foretide.forecaster.network.train import Report, Settings, fit, score_of

HELD_BACK = 0.2
MOST = 20_000
"""Training windows; of a longer history they are spread evenly."""
FEWEST = 50


class TooShort(ValueError):
    """The history holds too few whole windows; the message says how many rows it would take."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Choice scores on the rows held back, smaller is better; and the card's path, if one was written."""

    before: float
    after: float
    step: int
    windows: int
    card: Path | None


def tuned(
    workload: Workload, schema: Schema, settings: Settings, *, start: Path | None, out: Path, report: Report
) -> Tuned:
    """Trains and writes into `out`, where the run's state is kept too. Raises TooShort, card.Refused, BadState."""
    train, held = _parts(workload, schema, settings.seed)
    network, before_card = _started(schema, start, settings.seed)
    before = score_of(network, held, settings)
    best = fit(network, train, held, settings, folder=out / "state", report=report)
    if start is not None and best.score >= before:
        return Tuned(before, best.score, best.step, len(train), None)
    data = (*before_card, Source(name=workload.name, licence="the owner's", rows=len(workload.values)))
    metrics = {"choice_before": before, "choice": best.score}
    card = write(network, out, name=f"{schema.head} of {workload.name}"[:100], data=data, metrics=metrics)
    return Tuned(before, best.score, best.step, len(train), card)


def _started(schema: Schema, start: Path | None, seed: int) -> tuple[Network, tuple[Source, ...]]:
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if start is None:
        return Network(schema, Config()).to(device), ()
    card = read_card(start, schema.head)
    weights = read_checked(start, schema.head, "safetensors", card.safetensors_sha256)
    return network_of(card.typed_schema(), card.config, weights).to(device), card.data


def _parts(workload: Workload, schema: Schema, seed: int) -> tuple[Examples, Examples]:
    rows, rng = len(workload.values), np.random.default_rng(seed)
    split = round((1 - HELD_BACK) * rows)
    learned = origins_of(workload.values, schema, first=10, last=split)
    held = origins_of(workload.values, schema, first=split, last=rows)
    if len(learned) < FEWEST or len(held) < 2:
        raise TooShort(f"{rows} rows of {schema.step_s:g} s hold {len(learned)} whole windows, {FEWEST} are needed")
    spread = learned[np.linspace(0, len(learned) - 1, min(MOST, len(learned))).astype(np.int64)]
    hard = Hardening(short=0.2, blanked=0.2, event=0.1)
    return (
        examples_of(workload, spread, schema, rng=rng, hardening=hard),
        examples_of(workload, held, schema, rng=rng, hardening=AS_IT_IS),
    )
