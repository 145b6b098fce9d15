from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.features import CLAMP, window  # noqa: E402
from foretide.forecaster.network.model import Config, Family, Network, config_from, fields_of  # noqa: E402
from foretide.forecaster.network.schema import REPLICA, SERVICE, Indicator, Windows  # noqa: E402

pytestmark = pytest.mark.train
SMALL = Config(width=16, context=8, hidden=8)
SCHEMA = replace(REPLICA, horizon=6, windows=Windows(recent=12, bins=4, bin_rows=30, before=4, after=2))


def shaken(schema=SCHEMA, config=SMALL):
    torch.manual_seed(0)
    network = Network(schema, config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return network.eval()


def seen(values, schema=SCHEMA, **more):
    arrays = window(values, np.array([len(values)]), schema, start_s=0.0, **more).arrays
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("coefficients", [0, 3])
def test_the_same_noise_gives_the_same_finite_paths(rates, family, coefficients):
    network = shaken(config=replace(SMALL, family=family, coefficients=coefficients))
    arrays, noise = seen(rates(3000)), 100 * torch.randn(1, 7, 18)
    paths = network(arrays, noise)
    assert paths.shape == (1, 7, 6, 3)
    assert paths.isfinite().all()
    assert paths.abs().max() <= CLAMP
    torch.testing.assert_close(paths, network(arrays, noise))


@pytest.mark.parametrize("coefficients", [0, 3])
def test_the_density_of_a_path_is_that_of_its_noise(rates, coefficients):
    network = shaken(config=replace(SMALL, coefficients=coefficients)).double()
    arrays = {name: array.double() for name, array in seen(rates(3000)).items()}
    noise = 0.7 * torch.randn(1, 1, 18, dtype=torch.float64)
    path = network(arrays, noise)[:, 0].detach()
    slope = torch.autograd.functional.jacobian(lambda drawn: network(arrays, drawn).flatten(), noise).reshape(18, 18)
    expected = -0.5 * (noise**2 + np.log(2 * np.pi)).sum() - torch.linalg.slogdet(slope).logabsdet
    found, _ = network.fit_terms(arrays, path, noise)
    torch.testing.assert_close(18 * found[0], expected, atol=1e-5, rtol=1e-6)


def test_switched_off_parts_see_nothing(rates):
    values = rates(3000)
    noise = torch.randn(1, 3, 18)
    for config, blind in (
        (replace(SMALL, same_clock=False), ("yesterday", "last_week", "usual")),
        (replace(SMALL, resolutions=False), ("binned", "yesterday", "last_week", "usual")),
    ):
        network, arrays = shaken(config=config), seen(values)
        altered = {name: array + 1.0 if name in blind else array for name, array in arrays.items()}
        torch.testing.assert_close(network(arrays, noise), network(altered, noise))


def test_demand_is_forecast_without_a_look_at_service(rates):
    schema = replace(SCHEMA, indicators=(Indicator("requests"), Indicator("latency", SERVICE, target=False)))
    network = shaken(schema)
    arrays = seen(rates(3000, columns=2), schema)
    altered = dict(arrays)
    altered["recent"] = arrays["recent"].clone()
    altered["recent"][:, 1] += 3.0
    states = network.encoder(arrays)[:, 0], network.encoder(altered)[:, 0]
    torch.testing.assert_close(*states)
    assert network(arrays, torch.randn(1, 2, 6)).shape == (1, 2, 6, 1)


def test_a_certain_event_moves_the_forecast_towards_it(rates):
    plan = np.full((1, 6, 2), np.nan)
    plan[0, 3:] = [50.0, 1.0]
    network, noise = Network(SCHEMA, SMALL).eval(), torch.randn(1, 64, 18)
    plain, told = network(seen(rates(3000)), noise).mean(1), network(seen(rates(3000), events=plan), noise).mean(1)
    assert (told[0, 3:, 0] > plain[0, 3:, 0] + 1.0).all()


def test_a_configuration_is_read_back():
    assert config_from(fields_of(SMALL)) == SMALL
    with pytest.raises(TypeError, match="depth"):
        config_from({**fields_of(SMALL), "depth": 3})
