import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.splines import (  # noqa: E402
    BINS,
    BOUND,
    PARAMETERS,
    SMALLEST,
    forward,
    inverse,
    start_as_identity,
)

pytestmark = pytest.mark.train


def drawn(size, seed=0, spread=2.0):
    generator = torch.Generator().manual_seed(seed)
    values = 3.0 * torch.randn(size, generator=generator)
    return values, spread * torch.randn(size, PARAMETERS, generator=generator)


def of_nflows(values, raw, *, back):
    from nflows.transforms.splines import unconstrained_rational_quadratic_spline

    return unconstrained_rational_quadratic_spline(
        values,
        raw[:, :BINS],
        raw[:, BINS : 2 * BINS],
        raw[:, 2 * BINS :].clone(),
        inverse=back,
        tail_bound=BOUND,
        min_bin_width=SMALLEST,
        min_bin_height=SMALLEST,
        min_derivative=SMALLEST,
    )


def test_the_inverse_equals_that_of_nflows():
    values, raw = drawn(5000)
    assert (values.abs() > BOUND).any()
    expected, _ = of_nflows(values, raw, back=True)
    torch.testing.assert_close(inverse(values, raw), expected, atol=1e-4, rtol=0)


def test_values_and_slopes_equal_those_of_nflows():
    values, raw = drawn(5000, seed=1)
    expected, log_slope = of_nflows(values, raw, back=False)
    found, slope = forward(values, raw)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(slope, log_slope, atol=1e-3, rtol=1e-3)


def test_the_inverse_undoes_the_spline():
    values, raw = drawn(2000, seed=2)
    values, raw = values.double(), raw.double()
    torch.testing.assert_close(inverse(forward(values, raw)[0], raw), values)


def test_it_starts_as_the_identity():
    values, raw = drawn(100)
    start_as_identity(raw)
    torch.testing.assert_close(forward(values, raw)[0], values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(forward(values, raw)[1], torch.zeros_like(values), atol=1e-5, rtol=0)


def test_extreme_parameters_give_finite_numbers():
    values, raw = drawn(20_000, seed=3, spread=30.0)
    assert inverse(values, raw).isfinite().all()
    assert forward(values, raw)[0].isfinite().all()
