"""One head trained on one workload: from scratch or on from a network, judged on its newest rows, published.

The newest `HELD_BACK` of the rows is not trained on; it picks the checkpoint, the one before any step among them. The
judge is the mean choice score (loss.choice_score) of windows there, before and after. A network that did not get better
is not written, and what is written was checked as whoever loads it would.

What is NOT promised: a better forecast than the ladder's other tiers. The ladder finds that out by scoring.
"""

import ctypes
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import torch

from foretide.forecaster.network.card import Source, read_card, read_checked
from foretide.forecaster.network.examples import AS_IT_IS, Examples, Hardening, Workload, examples_of, origins_of
from foretide.forecaster.network.export import network_of, rounded, write
from foretide.forecaster.network.model import Config, Network
from foretide.forecaster.network.publish import published, staging
from foretide.forecaster.network.schema import Schema
from foretide.forecaster.network.train import Report, Settings, fit, score_of, silent
from foretide.forecaster.past import Indices

HELD_BACK = 0.2
MOST = 6_000
"""Training windows; of a longer history they are spread evenly."""
FEWEST, FEWEST_HELD = 200, 50
"""Windows to learn from and to judge by, below which chance would decide."""
HARDER = Hardening(short=0.2, blanked=0.2, event=0.1)
"""Mostly the workload as it is; some younger, holed or announced, so that what the network knew of these is kept."""


class TooShort(ValueError):
    """The history holds too few whole windows; the message says how many there are and are needed."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Choice scores on the rows held back, smaller is better; and the card's path, if one was written.

    `after` is that of the weights as written, rounded; `before` of the network that training started from.
    """

    before: float
    after: float
    step: int
    windows: int
    card: Path | None


def tuned(
    workload: Workload,
    schema: Schema,
    settings: Settings,
    *,
    start: Path | None,
    out: Path,
    state: Path | None = None,
    report: Report = silent,
) -> Tuned:
    """Trains from `start` (None: from nothing) and publishes into `out`; `state` is where a stopped run goes on from.

    Raises TooShort, card.Refused for a start that is not sound, checkpoint.BadState.
    """
    network, known = _started(schema, start, settings.seed)
    found, judged = _learned(network, workload, settings, state, report)
    if found.step == 0 or found.after >= found.before:
        return found
    _give_back()
    own = Source(name=f"history of {workload.name}"[:200], licence="the owner's", rows=len(workload.values))
    metrics = {"choice_before": found.before, "choice": found.after, "step": float(found.step)}
    card = _published(network, out, workload.name, (*known, own), {**metrics, "held_windows": float(judged)})
    return replace(found, card=card)


def _learned(
    network: Network, workload: Workload, settings: Settings, state: Path | None, report: Report
) -> tuple[Tuned, int]:
    """Trains in place; how many windows judged it. The windows are gone before the export, which needs the memory."""
    train, held = _parts(workload, network.schema, settings)
    before = score_of(rounded(network), held, settings)
    best = fit(network, train, held, settings, folder=state, report=report)
    after = score_of(rounded(network), held, settings)
    return Tuned(before, after, best.step, len(train), None), len(held)


def _give_back() -> None:
    """Freed memory goes back to the system before the export asks for more of it; only glibc has the call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _published(network: Network, out: Path, name: str, data: tuple[Source, ...], metrics: dict[str, float]) -> Path:
    """Written beside the files that are served, checked, and moved in; the card's path."""
    staged, head = staging(out), network.schema.head
    try:
        write(network, staged, name=f"{head} of {name}"[:100], data=data, judge=lambda _: metrics)
        published(staged, out, head)
    finally:
        rmtree(staged, ignore_errors=True)
    return out / f"{head}.json"


def _started(schema: Schema, start: Path | None, seed: int) -> tuple[Network, tuple[Source, ...]]:
    """The network to train and what it has seen already."""
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if start is None:
        return Network(schema, Config()).to(device), ()
    card = read_card(start, schema.head)
    weights = read_checked(start, schema.head, "safetensors", card.safetensors_sha256)
    return network_of(card.typed_schema(), card.config, weights).to(device), card.data


def _parts(workload: Workload, schema: Schema, settings: Settings) -> tuple[Examples, Examples]:
    """What is learned from and what is held back. Raises TooShort."""
    rows, rng = len(workload.values), np.random.default_rng(settings.seed)
    split = round((1 - HELD_BACK) * rows)
    learned = origins_of(workload.values, schema, first=10, last=split)
    held = origins_of(workload.values, schema, first=split, last=rows)
    if len(learned) < FEWEST or len(held) < FEWEST_HELD:
        raise TooShort(
            f"{rows} rows of {schema.step_s:g} s hold {len(learned)} whole windows to learn from and {len(held)} to "
            f"judge by, {FEWEST} and {FEWEST_HELD} are needed: bring a longer history"
        )
    spread, judging = _spread(learned, MOST), _spread(held, settings.check_windows)
    return (
        examples_of(workload, spread, schema, rng=rng, hardening=HARDER),
        examples_of(workload, judging, schema, rng=rng, hardening=AS_IT_IS),
    )


def _spread(origins: Indices, most: int) -> Indices:
    """At most so many of the origins, evenly spread."""
    return origins[np.linspace(0, len(origins) - 1, min(most, len(origins))).astype(np.int64)]
