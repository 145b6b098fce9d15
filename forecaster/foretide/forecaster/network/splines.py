"""Monotone rational-quadratic splines without branches, in both directions: exportable, equal to those of nflows.

Source: Durkan et al. 2019, "Neural Spline Flows", section 3.1, identity outside [-BOUND, BOUND]. nflows selects by
boolean masks and checks values as it goes, which no exporter can follow; here every element takes the same path. The
discriminant is clamped, so that rounding can never make a sample NaN.

Values stand along the last axis, parameters along the one before it: whatever is summed or compared over bins then
runs over whole rows of values, which is what makes a graph of it quick.

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
    """Values (..., K), raw (..., PARAMETERS, K) -> spline of the values, log of its slope, (..., K) each."""
    inside = values.clamp(-BOUND, BOUND)
    left, low, width, height, first, last = _bin(inside, raw, by_height=False, shared=False)
    delta = height / width
    theta = (inside - left) / width
    mixed = theta * (1 - theta)
    bottom = delta + (first + last - 2 * delta) * mixed
    out = low + height * (delta * theta**2 + first * mixed) / bottom
    slope = delta**2 * (last * theta**2 + 2 * delta * mixed + first * (1 - theta) ** 2)
    beyond = values.abs() > BOUND
    log_slope = torch.log(slope) - 2 * torch.log(bottom)
    return torch.where(beyond, values, out), torch.where(beyond, torch.zeros_like(log_slope), log_slope)


def inverse(values: Tensor, raw: Tensor, *, shared: bool = False) -> Tensor:
    """The values (..., K) that `forward` maps to these. `shared`: raw is (..., PARAMETERS, 1), one spline for all K."""
    inside = values.clamp(-BOUND, BOUND)
    left, low, width, height, first, last = _bin(inside, raw, by_height=True, shared=shared)
    above = inside - low
    delta = height / width
    bend = above * (first + last - 2 * delta)
    a = bend + height * (delta - first)
    b = height * first - bend
    c = -delta * above
    root = 2 * c / (-b - torch.sqrt((b**2 - 4 * a * c).clamp(min=0.0)))
    out = root.clamp(0.0, 1.0) * width + left
    return torch.where(values.abs() > BOUND, values, out)


def _bin(values: Tensor, raw: Tensor, *, by_height: bool, shared: bool) -> tuple[Tensor, ...]:
    """Of the bin that holds each value: left and low edge, width, height, first and last slope, (..., K) each."""
    sizes = 2 * BOUND * _shares(raw[..., : 2 * BINS, :].unflatten(-2, (2, BINS)))
    edges = torch.matmul(torch.ones(BINS, BINS).tril(-1).to(sizes), sizes) - BOUND
    passed = values[..., None, :] >= edges[..., 1 if by_height else 0, 1:, :]
    steps = functional.pad(passed.to(values.dtype), (0, 0, 1, 0), value=1.0)
    here = steps - functional.pad(steps[..., 1:, :], (0, 0, 0, 1))
    slopes = functional.pad(raw[..., 2 * BINS :, :], (0, 0, 1, 1), value=UNIT_SLOPE)
    slopes = torch.stack([slopes[..., :-1, :], slopes[..., 1:, :]], dim=-3)
    if shared:
        table = torch.cat([edges, sizes, _slope(slopes)], dim=-3)[..., 0]
        return torch.matmul(table, here).unbind(dim=-2)
    *places, first, last = ((row * here).sum(dim=-2) for part in (edges, sizes, slopes) for row in part.unbind(dim=-3))
    return *places, _slope(first), _slope(last)


def _shares(raw: Tensor) -> Tensor:
    """Softmax over the bins, the axis before the last, each share at least SMALLEST."""
    raised = torch.exp(raw - raw.amax(dim=-2, keepdim=True).detach())
    return SMALLEST + (1 - SMALLEST * BINS) * raised / raised.sum(dim=-2, keepdim=True)


def _slope(raw: Tensor) -> Tensor:
    return SMALLEST + functional.softplus(raw)
