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
    return values, spread * torch.randn(size, PARAMETERS, generator=generator).T


def of_nflows(values, raw, *, back):
    from nflows.transforms.splines import unconstrained_rational_quadratic_spline

    return unconstrained_rational_quadratic_spline(
        values,
        raw[:BINS].T,
        raw[BINS : 2 * BINS].T,
        raw[2 * BINS :].T.clone(),
        inverse=back,
        tail_bound=BOUND,
        min_bin_width=SMALLEST,
        min_bin_height=SMALLEST,
        min_derivative=SMALLEST,
    )


def test_the_inverse_equals_that_of_nflows():
    values, raw = (part.double() for part in drawn(5000))
    assert (values.abs() > BOUND).any()
    expected, _ = of_nflows(values, raw, back=True)
    torch.testing.assert_close(inverse(values, raw), expected, atol=1e-9, rtol=0)


def test_values_and_slopes_equal_those_of_nflows():
    values, raw = (part.double() for part in drawn(5000, seed=1))
    expected, log_slope = of_nflows(values, raw, back=False)
    found, slope = forward(values, raw)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(slope, log_slope, atol=1e-8, rtol=0)


def test_the_inverse_undoes_the_spline():
    values, raw = drawn(2000, seed=2)
    values, raw = values.double(), raw.double()
    torch.testing.assert_close(inverse(forward(values, raw)[0], raw), values)


def test_it_starts_as_the_identity():
    values, raw = drawn(100)
    start_as_identity(raw.T)
    torch.testing.assert_close(forward(values, raw)[0], values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(forward(values, raw)[1], torch.zeros_like(values), atol=1e-5, rtol=0)


def test_extreme_parameters_give_finite_numbers():
    values, raw = drawn(20_000, seed=3, spread=30.0)
    assert inverse(values, raw).isfinite().all()
    assert forward(values, raw)[0].isfinite().all()


def test_one_spline_for_all_gives_what_a_spline_for_each_gives():
    values, raw = drawn(500, seed=4)
    each = inverse(values, raw[:, :1].expand(-1, 500))
    torch.testing.assert_close(inverse(values, raw[:, :1], shared=True), each, atol=1e-5, rtol=1e-5)


def test_single_precision_stays_within_what_weights_and_graph_may_differ():
    values, raw = drawn(5000, seed=5, spread=1.0)
    truth = inverse(values.double(), raw.double())
    assert (inverse(values, raw).double() - truth).abs().quantile(0.999) < 1e-4
