from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.card import TOLERANCE, Source  # noqa: E402
from foretide.forecaster.network.export import (  # noqa: E402
    TooLarge,
    answer,
    graph_of,
    inputs_of,
    network_of,
    rounded,
    run,
    write,
)
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


SOURCE = Source(name="generated workloads", licence="Apache-2.0", rows=1)


def test_what_was_written_is_served_and_trained_further_and_is_what_was_judged(tmp_path):
    judged = []

    def judge(network):
        judged.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return {"choice": 1.0}

    card = write(shaken(), tmp_path, name="small", data=(SOURCE,), judge=judge)
    session = opened(tmp_path, SCHEMA.head, schema=SCHEMA)
    assert session.card.metrics == {"choice": 1.0}
    again = network_of(SCHEMA, session.card.config, card.with_suffix(".safetensors").read_bytes())
    assert session.card.parameters == sum(weight.numel() for weight in again.parameters())
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, judged[0][name]), name


def test_weights_are_rounded_once_and_written_alike_from_what_was_written(tmp_path):
    write(shaken(), tmp_path / "first", name="small", data=(SOURCE,), judge=lambda _: {})
    head = SCHEMA.head
    card = opened(tmp_path / "first", head, schema=SCHEMA).card
    network = network_of(SCHEMA, card.config, (tmp_path / "first" / f"{head}.safetensors").read_bytes())
    write(network, tmp_path / "second", name="small", data=(SOURCE,), judge=lambda _: {})
    again = opened(tmp_path / "second", head, schema=SCHEMA).card
    assert (again.safetensors_sha256, again.onnx_sha256) == (card.safetensors_sha256, card.onnx_sha256)
    assert again.golden == card.golden


def test_the_nearest_number_of_16_bits_is_taken():
    network = shaken()
    for name, tensor in rounded(network).state_dict().items():
        before = network.state_dict()[name]
        torch.testing.assert_close(tensor, before, rtol=2**-11, atol=2**-25)
        assert torch.equal(tensor, tensor.half().float())


def test_a_weight_that_16_bits_do_not_hold_is_refused_by_name(tmp_path):
    network = shaken()
    with torch.no_grad():
        network.restless[0] = 1e6
    with pytest.raises(TooLarge, match="restless"):
        write(network, tmp_path, name="small", data=(SOURCE,), judge=lambda _: {})
    assert not list(tmp_path.iterdir())


def test_the_graph_does_not_tell_where_it_was_made():
    raw = graph_of(shaken())
    assert b".py" not in raw
    assert b"stack_trace" not in raw
