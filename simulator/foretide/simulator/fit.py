"""A profile's coefficients from measurements: as many as the data identifies, the others in the prior's proportions.

Forms of growing freedom are tried, from the prior as it is to every coefficient for itself; each is fitted by robust
least squares of log(predicted / measured) with a ridge towards the prior, and judged by rows that were held out. The
simplest form that is within a standard error of the best (of their paired difference) is fitted again to all rows.

What is NOT promised: coefficients that are true one by one. Where the data does not tell two of them apart, only their
sum is known; `sd` of each says how well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from foretide.policies.flow import Floats
from foretide.simulator.observed import Observed
from foretide.simulator.profiles import FitErrors, StepTimes

NAMES = ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "prefill_c_ms", "expert_d_ms")
DECODE = frozenset({"decode_a_ms", "decode_b_ms", "decode_c_ms", "expert_d_ms"})
USUAL = {
    "decode_a_ms": ("decode_b_ms", 100.0),
    "decode_b_ms": ("decode_a_ms", 1e-3),
    "decode_c_ms": ("decode_b_ms", 1e-3),
    "prefill_a_ms": ("prefill_b_ms", 100.0),
    "prefill_b_ms": ("prefill_a_ms", 1e-3),
    "prefill_c_ms": ("prefill_b_ms", 2e-5),
}
"""Coefficient -> its neighbour and about which part of it: where one begins that the prior has at 0 or below."""
LEAST_MS = 1e-9
SPREAD = 0.05
"""Relative error of a measured row at which robust weights begin to fall."""
FACTOR_SD = 1.0
"""Of the logarithm of a common factor, before any data."""
LIMIT = 5.0
"""Largest logarithm by which a coefficient moves: 150 times."""
STEP = 0.03
"""Of the logarithms, for differences: wide enough to pass over the jumps of a simulated schedule."""
WIDE = 0.15
"""The same where slopes say how well a coefficient is known."""
KNOWN = 0.2
"""A coefficient whose logarithm has a smaller standard deviation is taken as learned from the data."""
FEWEST = 6
MOST_STEPS = 10
"""Of one search; simulated runs cost a simulation for each of these and for each coefficient."""


class NothingToFit(ValueError):
    """The data identifies nothing; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One number of a fit, with the prior's, and how well the data alone tells its logarithm."""

    name: str
    value: float
    prior: float
    sd: float
    free: bool
    """Whether the form let it move by itself; else a common factor took it along."""

    @property
    def learned(self) -> bool:
        return self.free and self.sd < KNOWN


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came out; errors are means of |predicted / measured - 1| by metric."""

    steps: StepTimes
    form: str
    coefficients: tuple[Coefficient, ...]
    rows: int
    held_out: Mapping[str, float]
    prior_held_out: Mapping[str, float]
    """Of the prior as it is, on the same rows."""
    in_sample: Mapping[str, float]

    @property
    def errors(self) -> FitErrors:
        """The held-out ones."""
        return FitErrors(**{name: round(error, 4) for name, error in self.held_out.items()})


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """log coefficients = log start + basis z; z has the standard deviations `sd` before any data."""

    name: str
    start: StepTimes
    basis: Floats
    sd: Floats

    @property
    def free(self) -> bool:
        """Whether every coefficient moves by itself."""
        return len(self.sd) > len(_names(self.start))


def fit_steps(observed: Observed, prior: StepTimes) -> Fitted:
    """The steps that these measurements and the prior support. Raises NothingToFit."""
    _refuse(observed)
    forms = _forms(prior)
    held = _held_out(observed, forms)
    chosen = _simplest([_shares(observed, each) for each in held])
    if chosen == 0:
        errors = _listed(_errors(observed, held[0]))
        raise NothingToFit(
            f"no fit predicts the rows that were held out clearly better than the prior ({errors}); "
            "use the prior as it is, or measure more"
        )
    steps = prior
    for form in forms[: chosen + 1]:
        steps = _solved(observed, form, np.ones(len(observed), dtype=np.bool_), steps)
    rounded: dict[str, Any] = {name: float(f"{getattr(steps, name):.6g}") for name in NAMES}
    steps = replace(steps, **rounded)
    found = observed.predict(steps)
    return Fitted(
        steps=steps,
        form=forms[chosen].name,
        coefficients=_coefficients(observed, steps, prior, free=forms[chosen].free),
        rows=len(observed),
        held_out=_errors(observed, held[chosen]),
        prior_held_out=_errors(observed, held[0]),
        in_sample=_errors(observed, np.log(found / observed.measured_ms)),
    )


def _refuse(observed: Observed) -> None:
    if len(observed) < FEWEST:
        raise NothingToFit(f"{len(observed)} rows are too few; give at least {FEWEST}")
    if not observed.splits() or all(split.all() for split in observed.splits()):
        raise NothingToFit("every row is of one and the same point; measure other batches, contexts or prompts too")


def _names(steps: StepTimes) -> tuple[str, ...]:
    return NAMES if steps.expert_d_ms else NAMES[:-1]


def _lifted(prior: StepTimes) -> StepTimes:
    """The prior with every coefficient above 0, so that it has a logarithm."""
    raised: dict[str, Any] = {}
    for name, (neighbour, share) in USUAL.items():
        if getattr(prior, name) <= 0:
            raised[name] = max(share * raised.get(neighbour, getattr(prior, neighbour)), LEAST_MS)
    return replace(prior, **raised)


def _moved(steps: StepTimes, logs: Floats) -> StepTimes:
    names = _names(steps)
    moved: dict[str, Any] = {
        name: getattr(steps, name) * float(np.exp(log)) for name, log in zip(names, logs, strict=True)
    }
    return replace(steps, **moved)


def _forms(prior: StepTimes) -> list[_Form]:
    """From the stiffest to the freest. Only the free ones need a prior without zeros."""
    names, free = _names(prior), _lifted(prior)
    count = len(names)
    decode = np.array([[float(name in DECODE)] for name in names])
    two = np.hstack([decode, 1.0 - decode])
    every = np.hstack([np.ones((count, 1)), np.eye(count)])
    return [
        _Form("the prior as it is", prior, np.zeros((count, 0)), np.zeros(0)),
        _Form("one factor for every step", prior, np.ones((count, 1)), np.array([FACTOR_SD])),
        _Form("one factor for decode, one for prefill", prior, two, np.full(2, FACTOR_SD)),
        _Form("every coefficient, near the prior", free, every, np.array([FACTOR_SD, *[0.15] * count])),
        _Form("every coefficient", free, every, np.array([FACTOR_SD, *[1.0] * count])),
    ]


def _held_out(observed: Observed, forms: Sequence[_Form]) -> list[Floats]:
    """log(predicted / measured) by fits that have not seen the row, (m,) each; NaN for rows that are never held out."""
    logs = [np.full(len(observed), np.nan) for _ in forms]
    for out in observed.splits():
        steps = forms[0].start
        for form, each in zip(forms, logs, strict=True):
            steps = _solved(observed, form, ~out, steps)
            each[out] = np.log(observed.predict(steps)[out] / observed.measured_ms[out])
    return logs


def _solved(observed: Observed, form: _Form, rows: NDArray[np.bool_], near: StepTimes) -> StepTimes:
    """The steps of a form that fit these rows best, its ridge included, looked for from `near` on."""
    weight, measured = observed.weight[rows] / SPREAD, np.log(observed.measured_ms[rows])
    count, free = int(rows.sum()), len(form.sd)
    if not free:
        return form.start

    def residuals(z: Floats) -> Floats:
        return np.concatenate([data(z), z / form.sd])

    def data(z: Floats) -> Floats:
        found = observed.predict(_moved(form.start, form.basis @ z))[rows]
        return np.asarray(weight * (np.log(found) - measured))

    def slopes(z: Floats) -> Floats:
        middle = data(z)
        columns = [(data(z + STEP * unit) - middle) / STEP for unit in np.eye(free)]
        return np.vstack([np.column_stack(columns), np.diag(1.0 / form.sd)])

    def loss(squares: Floats) -> Floats:
        """Soft L1 for the data, squares for the ridge: value and two derivatives, (3, m)."""
        rho = np.vstack([squares, np.ones_like(squares), np.zeros_like(squares)])
        root = np.sqrt(1.0 + squares[:count])
        rho[:, :count] = 2.0 * (root - 1.0), 1.0 / root, -0.5 / root**3
        return rho

    options: Any = {"loss": loss, "bounds": (-LIMIT, LIMIT), "xtol": 1e-3, "ftol": 1e-3, "max_nfev": MOST_STEPS}
    begin = _placed(form, near)
    found = least_squares(residuals, begin, jac=slopes, **options)
    return _moved(form.start, form.basis @ found.x)


def _placed(form: _Form, near: StepTimes) -> Floats:
    """The z of a form that comes nearest to these steps; coefficients that one of the two has at 0 or below stay."""
    names = _names(form.start)
    ratios = np.array([getattr(near, name) / (getattr(form.start, name) or 1.0) for name in names])
    logs = np.log(np.where(ratios > 0, ratios, 1.0))
    return np.asarray(np.clip(np.linalg.pinv(form.basis) @ logs, -0.9 * LIMIT, 0.9 * LIMIT))


def _shares(observed: Observed, logs: Floats) -> Floats:
    """What each held-out row adds to the score, (m,); every metric has the same weight.

    A row counts |log| / (|log| + SPREAD): one that lies outside of what its fit has seen does not outvote the others.
    """
    known = np.isfinite(logs)
    kinds = [known & (observed.metric == name) for name in np.unique(observed.metric[known])]
    shares = np.zeros(len(observed))
    for kind in kinds:
        weight, off = observed.weight[kind] ** 2, np.abs(logs[kind])
        shares[kind] = off / (off + SPREAD) * weight / weight.sum() / len(kinds)
    return shares[known]


def _simplest(shares: Sequence[Floats]) -> int:
    """The first form that is not worse than the best by more than a standard error of their paired difference."""
    best = min(shares, key=lambda each: float(each.sum()))
    for number, each in enumerate(shares):
        lead = each - best
        error = float(np.sqrt(len(lead)) * lead.std(ddof=1)) if len(lead) > 1 else 0.0
        if float(lead.sum()) <= max(error, 1e-9):
            return number
    raise AssertionError  # the best is among them


def _errors(observed: Observed, logs: Floats) -> dict[str, float]:
    known = np.isfinite(logs)
    return {
        str(name): float(np.abs(np.expm1(logs[known & (observed.metric == name)])).mean())
        for name in np.unique(observed.metric[known])
    }


def _listed(errors: Mapping[str, float]) -> str:
    return str(FitErrors(**errors))


def _coefficients(observed: Observed, steps: StepTimes, prior: StepTimes, *, free: bool) -> tuple[Coefficient, ...]:
    """Each coefficient with what the data alone says of it: a wide prior, and the scatter that the fit leaves."""
    names = _names(steps)
    left = observed.weight * np.log(observed.predict(steps) / observed.measured_ms)
    scatter = max(1.4826 * float(np.median(np.abs(left))), 0.01)
    slopes = np.column_stack(
        [
            np.log(observed.predict(_moved(steps, WIDE * unit)) / observed.predict(_moved(steps, -WIDE * unit)))
            for unit in np.eye(len(names))
        ]
    ) / (2.0 * WIDE)
    scaled = observed.weight[:, None] * slopes / scatter
    sd = np.sqrt(np.diag(np.linalg.inv(scaled.T @ scaled + np.eye(len(names)) / FACTOR_SD**2)))
    return tuple(
        Coefficient(name, getattr(steps, name), getattr(prior, name), float(each), free)
        for name, each in zip(names, sd, strict=True)
    )
