from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.card import TOLERANCE, Source  # noqa: E402
from foretide.forecaster.network.export import answer, graph_of, inputs_of, network_of, run, write  # noqa: E402
from foretide.forecaster.network.features import window  # noqa: E402
from foretide.forecaster.network.model import Config, Family, Network  # noqa: E402
from foretide.forecaster.network.schema import REPLICA, Windows  # noqa: E402
from foretide.forecaster.network.session import opened  # noqa: E402

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's exporter, inside torch
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SCHEMA = replace(REPLICA, horizon=6, windows=Windows(recent=12, bins=4, bin_rows=30, before=4, after=2))
SMALL = Config(width=16, context=8, hidden=8, coefficients=3)


def shaken(config=SMALL):
    torch.manual_seed(0)
    network = Network(SCHEMA, config)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network.eval()


def windows(rates, count):
    values = rates(12_000)
    rng = np.random.default_rng(0)
    values[rng.random(len(values)) < 0.05] = np.nan
    values[5000:5200] *= 30.0
    origins = rng.integers(20, len(values), size=count)
    since = np.where(rng.random(count) < 0.3, origins - 15, 0)
    return window(values, origins, SCHEMA, start_s=1.7e9, since=since).arrays


def test_weights_and_graph_agree_on_a_thousand_windows(rates):
    network = shaken()
    arrays = windows(rates, 1000)
    noise = np.random.default_rng(1).standard_normal((1000, 8, SCHEMA.dimensions)).astype(np.float32)
    worst = np.abs(run(graph_of(network), arrays, noise) - answer(network, arrays, noise)).max()
    assert worst <= TOLERANCE


@pytest.mark.parametrize(
    "config",
    [
        replace(SMALL, family=Family.GAUSSIAN),
        replace(SMALL, attention=False, same_clock=False, coefficients=0),
        replace(SMALL, resolutions=False),
    ],
)
def test_every_switch_can_be_exported_for_any_batch_and_paths(rates, config):
    network = shaken(config)
    graph = graph_of(network)
    for count, paths in ((1, 1), (3, 5)):
        arrays = {name: array for name, array in windows(rates, count).items() if name in inputs_of(network)}
        noise = np.random.default_rng(1).standard_normal((count, paths, SCHEMA.dimensions)).astype(np.float32)
        np.testing.assert_allclose(run(graph, arrays, noise), answer(network, arrays, noise), atol=TOLERANCE)


def test_what_was_written_is_served_and_trained_further(tmp_path):
    network = shaken()
    source = Source(name="generated workloads", licence="Apache-2.0", rows=1)
    card = write(network, tmp_path, name="small", data=(source,), metrics={"choice": 1.0})
    session = opened(tmp_path, SCHEMA.head, schema=SCHEMA)
    assert session.card.parameters == sum(weight.numel() for weight in network.parameters())
    again = network_of(SCHEMA, session.card.config, card.with_suffix(".safetensors").read_bytes())
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, again.state_dict()[name], msg=name)
