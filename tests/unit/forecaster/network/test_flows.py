import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.flows import Couplings, Gaussian, Spare, masks_over  # noqa: E402

pytestmark = pytest.mark.train
MASKS = masks_over(3, 2, layers=4)


def shaken(flow):
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in flow.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return flow.double().eval()


def flow_of(kind):
    return {
        "couplings": lambda: Couplings(MASKS, context=5, hidden=8),
        "spare": lambda: Spare(MASKS, context=5, hidden=8),
        "gaussian": Gaussian,
    }[kind]()


@pytest.fixture(params=["couplings", "spare", "gaussian"])
def flow(request):
    return shaken(flow_of(request.param))


@pytest.fixture
def context():
    return torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_the_density_is_that_of_the_samples(flow, context):
    """Change of variables: log p(x) = log normal(noise) - log |dx / dnoise|, the slope by automatic differentiation."""
    noise = 0.8 * torch.randn(4, 1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    values = flow.sample(noise, context)[:, 0]
    for row in range(4):
        slope = torch.autograd.functional.jacobian(
            lambda drawn, row=row: flow.sample(drawn, context[row : row + 1])[0, 0], noise[row : row + 1]
        )
        slope = slope.reshape(6, 6)
        normal = -0.5 * (noise[row] ** 2).sum() - 3 * math.log(2 * math.pi)
        expected = normal - torch.linalg.slogdet(slope).logabsdet
        found = flow.log_density(values[row : row + 1], context[row : row + 1])
        torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)


def test_every_path_depends_on_its_own_noise_alone(flow, context):
    noise = torch.randn(4, 9, 6, dtype=torch.float64)
    together = flow.sample(noise, context)
    torch.testing.assert_close(flow.sample(noise[:, 2:3], context), together[:, 2:3])


def test_it_learns_two_modes_that_a_normal_cannot():
    torch.manual_seed(0)
    flow = Couplings(masks_over(1, 2, layers=4), context=1, hidden=32)
    optimiser = torch.optim.Adam(flow.parameters(), lr=5e-3)
    sign = torch.sign(torch.randn(512, 1))
    values, context = torch.cat([2 * sign, -2 * sign], dim=1) + 0.2 * torch.randn(512, 2), torch.zeros(512, 1)
    for _ in range(150):
        loss = -flow.log_density(values, context).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    normal = torch.distributions.MultivariateNormal(torch.zeros(2), torch.cov(values.T) + 1e-6 * torch.eye(2))
    assert -loss.item() > normal.log_prob(values).mean().item() + 0.3


def test_nflows_itself_inverts_what_we_sample(context):
    flow = shaken(flow_of("couplings"))
    noise = torch.randn(4, 1, 6, dtype=torch.float64)
    values = flow.sample(noise, context)[:, 0]
    back = values
    for layer in flow.layers:
        back, _ = layer(back, context)
    torch.testing.assert_close(back, noise[:, 0], atol=1e-5, rtol=0)
    theirs = noise[:, 0]
    for layer in reversed(flow.layers):
        theirs, _ = layer.inverse(theirs, context)
    torch.testing.assert_close(values, theirs, atol=1e-4, rtol=0)


def test_masks_alternate_over_time_and_over_indicators():
    time_even, time_odd, first, second = (torch.tensor(mask).reshape(3, 2) for mask in MASKS)
    assert (time_even == ~time_odd).all()
    assert (time_even[:, 0] == time_even[:, 1]).all()
    assert (first == ~second).all()
    assert (first[0] == first[1]).all()
    assert masks_over(1, 1, layers=3) == [[True]] * 3
