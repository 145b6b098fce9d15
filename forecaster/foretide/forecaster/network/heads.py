"""From the heads of a network to the grid and horizon that were asked for.

Two heads: replica (30 minutes by the minute) and node (6 hours by ten minutes). What the fine one reaches it answers
alone. Beyond, path k of both is one story: they are paired by rank of the total over the shared stretch, the fine path
is rescaled so that each coarse step has its mean, and the coarse path goes on. A grid finer than a head's is filled
with shapes that demand really had within such steps.

What is NOT promised: an answer beyond the longest head, or on a grid that does not divide a head's; there it is None.
"""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from numpy.random import Generator

from foretide.forecaster.network.schema import Schema
from foretide.forecaster.past import Past
from foretide.policies.flow import REQUESTS, Floats

SHAPE_ROWS = 2880
"""Newest rows in which shapes are looked for."""


def needed_heads(heads: Sequence[Schema], *, step: float, horizon: int) -> tuple[Schema, ...]:
    """The heads, finest first, that together reach `horizon` steps of `step` seconds; none where they cannot."""
    usable = sorted((head for head in heads if whole_factor(step, head.step_s)), key=lambda head: head.step_s)
    chosen: list[Schema] = []
    for head in usable:
        if not chosen or whole_factor(chosen[-1].step_s, head.step_s):
            chosen.append(head)
        if head.horizon * head.step_s >= horizon * step * (1 - 1e-9):
            return tuple(chosen)
    return ()


def whole_factor(fine: float, coarse: float) -> int:
    """How many fine steps make a coarse one; 0 where it is no whole number."""
    factor = round(coarse / fine)
    return factor if factor >= 1 and abs(factor * fine - coarse) <= 1e-6 * coarse else 0


def on_grid(
    drawn: Mapping[str, Floats], heads: Sequence[Schema], *, past: Past, horizon: int, rng: Generator
) -> Floats:
    """Paths by head (count, its horizon, 3), per second -> joint paths (count, `horizon`, 3) on the past's grid.

    `heads` are those of `needed_heads`, each with the same count of paths; the mean over each step of a head is kept.
    """
    paths, step = drawn[heads[0].head], heads[0].step_s
    for head in heads[1:]:
        coarse = drawn[head.head]
        paths = continued(paths, coarse, whole_factor(step, head.step_s), rng=rng, past=past, step=step)
    factor = whole_factor(past.step, step)
    wanted = ceil(horizon / factor)
    return refined(paths[:, :wanted], factor, shapes_of(past, factor), rng)[:, :horizon]


def continued(fine: Floats, coarse: Floats, factor: int, *, past: Past, step: float, rng: Generator) -> Floats:
    """Fine paths (K, F, 3) rescaled to the coarse ones (K, C, 3) where both reach, then the coarse ones, refined.

    (K, C x factor, 3): the mean over each `factor` steps is that of the coarse path.
    """
    shared = fine.shape[1] // factor
    paired = coarse[_partners(fine[:, : shared * factor], coarse[:, :shared])]
    near = rescaled(fine[:, : shared * factor], paired[:, :shared], factor)
    own = whole_factor(past.step, step)
    far = refined(paired[:, shared:], factor, shapes_of(past, factor, every=own), rng)
    return np.concatenate([near, far], axis=1)


def rescaled(fine: Floats, coarse: Floats, factor: int) -> Floats:
    """Fine paths (K, C x factor, 3) with the coarse paths' (K, C, 3) mean over each `factor` steps."""
    count, steps, width = fine.shape
    parts = fine.reshape(count, steps // factor, factor, width)
    mean = parts.mean(axis=2, keepdims=True)
    # divided by the largest first: a subnormal mean would overflow
    shape = np.divide(parts, mean, out=np.ones_like(parts), where=mean > np.finfo(np.float64).tiny)
    return np.asarray((shape * coarse[:, :, None]).reshape(count, steps, width), dtype=np.float64)


def refined(paths: Floats, factor: int, shapes: Floats, rng: Generator) -> Floats:
    """Each step (K, H, 3) as `factor` steps with its mean: (K, H x factor, 3), in one of `shapes` (S, factor, 3)."""
    if factor == 1:
        return paths
    count, steps, width = paths.shape
    picked = shapes[rng.integers(0, len(shapes), (count, steps))]
    return np.asarray((paths[:, :, None] * picked).reshape(count, steps * factor, width), dtype=np.float64)


def shapes_of(past: Past, factor: int, *, every: int = 1) -> Floats:
    """How demand was spread within stretches of `factor` x `every` rows: (S, factor, 3), each of mean 1; S >= 1.

    A stretch with a gap, or without demand, has no shape; where there is none, it is flat.
    """
    rows = past.filled[-SHAPE_ROWS:]
    length = factor * every
    whole = rows[len(rows) % length :].reshape(-1, factor, every, rows.shape[1]).mean(axis=2)
    mean = whole.mean(axis=1, keepdims=True)
    flat = np.ones((1, factor, rows.shape[1]))
    busy = np.isfinite(mean).all(axis=(1, 2)) & (mean > np.finfo(np.float64).tiny).all(axis=(1, 2))
    if factor == 1 or not busy.any():
        return flat
    return np.asarray(whole[busy] / mean[busy], dtype=np.float64)


def _partners(fine: Floats, coarse: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each fine path the coarse one of the same rank, by total requests over the shared stretch."""
    partners = np.empty(len(fine), dtype=np.int64)
    partners[np.argsort(fine[:, :, REQUESTS].sum(axis=1), kind="stable")] = np.argsort(
        coarse[:, :, REQUESTS].sum(axis=1), kind="stable"
    )
    return partners
