"""Writes docs/benchmarks/demand-attacks.md from the cells that `demand_attacks.py` made."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WAYS = ("raw", "screened")
WORDS = """
The aim was that 5 % of answers without end cost at most 1.3 times the clean GPU-hours, and others at most one point.

- **Cost: kept by both**, in every seed, the clean run's own noise included.
- **Others: kept in the mean, missed in the worst seed**, by both, and by more where lengths are screened. In that seed
  the clean run keeps its promise badly, too.
- **Screening does not pay.** It saves 2 % of the GPU-hours at 5 % and 29 % at 20 %, and others pay for it: engines
  serve long answers beside everybody else's, whatever a forecast leaves out. It is therefore off. What is told in
  either case: an event `UnusualLengths` that names what was seen.
- At 20 % more than twice the GPU-hours are bought and others still lose five points: more replicas come a cold start
  after the answers pile up. Nothing but `maxReplicas` bounds that cost. Limits on `max_tokens` for each tenant belong
  into the gateway.
- Silence that is forged to be followed by a crowd costs others a few points in the first minutes: no history foretells
  it. Forged load of tiny requests costs a third more GPU-hours, since no request is known to be forged; others lose
  nothing by it.
- That a model begins to answer at twice the length, which is no attack, is borne alike: well in four seeds, and in the
  fifth at a cost of nine points of everybody's attainment.

Not shown: attacks over days, which become the usual; attackers who watch the replica count and adapt; many tenants.
"""
HEAD = """\
# Attacks on demand

Written by `python bench/demand_attacks.py page`; do not edit. **All of it is simulated**: a generated hour at
30 requests/s (Llama-3.1-8B on H100, p99 of TTFT within 500 ms and of TPOT within 25 ms, starts of 80 s, at most 24
replicas) with three such hours as history. The attack lasts half of the hour. Attackers are known here and to no
policy; `others kept` is the share of everybody else's requests, over the whole hour, that were within both thresholds.
The clean run has the same requests without the attack and the same cold starts. Means over the seeds, in brackets the
worst one.

`raw` is what ships: forecasts are made of what was measured. `screened` cuts mean lengths at the 99th percentile of the
week before forecasting, and takes usual lengths where the ratio of output to prompt is beyond five times its own
([overflow.py](../../policies/foretide/policies/overflow.py)); what is needed now is decided on what was measured.

| attack | seeds | GPU-h / clean, raw | screened | others kept, clean | raw | screened | most replicas, raw | screened |
|---|---|---|---|---|---|---|---|---|
"""


def path(cells: Path, name: str, seed: int, way: str) -> Path:
    return cells / f"{name}--{seed}--{way}.json"


def write(page: Path, cells: Path, *, attacks: Mapping[str, str], seeds: Sequence[int]) -> None:
    rows = [row for name, told in attacks.items() if (row := _row(cells, name, told, seeds))]
    text = HEAD + "\n".join(rows) + "\n" + WORDS
    page.write_text(text, encoding="utf-8")


def _row(cells: Path, name: str, told: str, seeds: Sequence[int]) -> str:
    there = [
        seed for seed in seeds if all((cells / f"{name}--{seed}--{way}.json").exists() for way in ("raw", "screened"))
    ]
    if not there:
        return ""
    clean = {seed: _cell(cells, "clean", seed, "raw") for seed in there}
    found = {way: {seed: _cell(cells, name, seed, way) for seed in there} for way in WAYS}
    costs = [
        _told([one[seed]["gpu_hours"] / clean[seed]["gpu_hours"] for seed in there], max) for one in found.values()
    ]
    kept = [_told([100 * one[seed]["others"] for seed in there], min) for one in (clean, *found.values())]
    most = [str(max(cell["most"] for cell in one.values())) for one in found.values()]
    return "| " + " | ".join([told, str(len(there)), *costs, *kept, *most]) + " |"


def _cell(cells: Path, name: str, seed: int, way: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path(cells, name, seed, way).read_text(encoding="utf-8"))
    return found


def _told(values: Sequence[float], worst: Any) -> str:
    return f"{np.mean(values):.2f} ({worst(values):.2f})"
