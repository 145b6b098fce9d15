"""Monotone rational-quadratic splines without branches, in both directions: exportable, equal to those of nflows.

Source: Durkan et al. 2019, "Neural Spline Flows", section 3.1, identity outside [-BOUND, BOUND]. nflows selects by
boolean masks and checks values as it goes, which no exporter can follow; here every element takes the same path. The
discriminant is clamped, so that rounding can never make a sample NaN.

What is NOT promised: gradients through the bin search itself; the bin is taken as given, as nflows does.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

BINS = 8
BOUND = 5.0
SMALLEST = 1e-2
"""Least width, height (as shares of the whole) and slope of a bin; nflows' 1e-3 lets float32 fail (its issue 87)."""
PARAMETERS = 3 * BINS - 1
"""Per element: widths, heights, and the slopes at inner knots; the outer slopes are 1."""
UNIT_SLOPE = math.log(math.expm1(1.0 - SMALLEST))
"""The raw slope that becomes 1."""


def start_as_identity(bias: Tensor) -> None:
    """Sets a bias (..., PARAMETERS), beside zero weights, so that the spline is the identity."""
    with torch.no_grad():
        bias.zero_()
        bias.view(-1, PARAMETERS)[:, 2 * BINS :] = UNIT_SLOPE


def forward(values: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
    """Values (...), raw (..., PARAMETERS), broadcast together -> spline of the values, log of its slope."""
    xs, ys, slopes = _knots(raw)
    inside = values.clamp(-BOUND, BOUND)
    left, right, low, high, first, last = _bin(xs, ys, slopes, inside, by_height=False)
    width = right - left
    delta = (high - low) / width
    theta = (inside - left) / width
    mixed = theta * (1 - theta)
    bottom = delta + (first + last - 2 * delta) * mixed
    out = low + (high - low) * (delta * theta**2 + first * mixed) / bottom
    slope = delta**2 * (last * theta**2 + 2 * delta * mixed + first * (1 - theta) ** 2)
    beyond = values.abs() > BOUND
    log_slope = torch.log(slope) - 2 * torch.log(bottom)
    return torch.where(beyond, values, out), torch.where(beyond, torch.zeros_like(log_slope), log_slope)


def inverse(values: Tensor, raw: Tensor) -> Tensor:
    """The values that `forward` maps to these."""
    xs, ys, slopes = _knots(raw)
    inside = values.clamp(-BOUND, BOUND)
    left, right, low, high, first, last = _bin(xs, ys, slopes, inside, by_height=True)
    height, above = high - low, inside - low
    delta = height / (right - left)
    bend = above * (first + last - 2 * delta)
    a = bend + height * (delta - first)
    b = height * first - bend
    c = -delta * above
    root = 2 * c / (-b - torch.sqrt((b**2 - 4 * a * c).clamp(min=0.0)))
    out = root.clamp(0.0, 1.0) * (right - left) + left
    return torch.where(values.abs() > BOUND, values, out)


def _knots(raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Places, heights and slopes of the BINS + 1 knots, each (..., BINS + 1)."""
    ones = torch.ones_like(raw[..., :1])
    inner = SMALLEST + functional.softplus(raw[..., 2 * BINS :])
    slopes = torch.cat([ones, inner, ones], dim=-1)
    return _edges(raw[..., :BINS]), _edges(raw[..., BINS : 2 * BINS]), slopes


def _edges(raw: Tensor) -> Tensor:
    shares = SMALLEST + (1 - SMALLEST * BINS) * torch.softmax(raw, dim=-1)
    inner = 2 * BOUND * torch.cumsum(shares, dim=-1)[..., :-1] - BOUND
    edge = torch.full_like(inner[..., :1], BOUND)
    return torch.cat([-edge, inner, edge], dim=-1)


def _bin(xs: Tensor, ys: Tensor, slopes: Tensor, values: Tensor, *, by_height: bool) -> tuple[Tensor, ...]:
    """Knots on both sides of each value: left, right, low, high, first and last slope.

    Differences of steps instead of a gather: sum over inner knots of (value >= knot) x (next - this).
    """
    edges = ys if by_height else xs
    passed = (values[..., None] >= edges[..., 1:-1]).to(values.dtype)
    table = torch.stack([xs, ys, slopes], dim=-2)
    start = table[..., :-1]
    steps = (start[..., 1:] - start[..., :-1]) * passed[..., None, :]
    lower = start[..., 0] + steps.sum(dim=-1)
    end = table[..., 1:]
    steps = (end[..., 1:] - end[..., :-1]) * passed[..., None, :]
    upper = end[..., 0] + steps.sum(dim=-1)
    return lower[..., 0], upper[..., 0], lower[..., 1], upper[..., 1], lower[..., 2], upper[..., 2]
