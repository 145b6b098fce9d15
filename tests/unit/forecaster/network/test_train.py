from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network.checkpoint import BadState  # noqa: E402
from foretide.forecaster.network.examples import AS_IT_IS, Workload, examples_of  # noqa: E402
from foretide.forecaster.network.model import Config, Network  # noqa: E402
from foretide.forecaster.network.schema import REPLICA, Windows  # noqa: E402
from foretide.forecaster.network.train import Settings, fit, rate_at  # noqa: E402

pytestmark = pytest.mark.train
SCHEMA = replace(REPLICA, horizon=4, windows=Windows(recent=12, bins=4, bin_rows=30, before=4, after=2))
SETTINGS = Settings(steps=24, batch=32, check_every=8, check_paths=16)


@pytest.fixture
def examples(rates):
    workload, rng = Workload("made up", rates(3000), 0.0), np.random.default_rng(0)
    return [
        examples_of(workload, origins, SCHEMA, rng=rng, hardening=AS_IT_IS)
        for origins in (np.arange(200, 2000, 7), np.arange(2100, 2900, 7))
    ]


def fresh():
    torch.manual_seed(0)
    return Network(SCHEMA, Config(width=16, context=8, hidden=8, layers=2, coefficients=2))


class CutOff(Exception):
    pass


def cut_off(step, loss, score):
    if step >= 16:
        raise CutOff


def test_training_improves_what_the_checkpoint_is_picked_by(examples):
    seen = []
    best = fit(fresh(), *examples, replace(SETTINGS, steps=80), report=lambda *row: seen.append(row))
    assert [step for step, *_ in seen] == [*range(8, 81, 8)]
    assert best.score == min(score for *_, score in seen)
    assert best.score < seen[0][2]


def test_a_run_that_was_cut_off_ends_where_a_whole_one_does(examples, tmp_path):
    whole = fresh()
    best = fit(whole, *examples, SETTINGS)
    with pytest.raises(CutOff):
        fit(fresh(), *examples, SETTINGS, folder=tmp_path, report=cut_off)
    resumed, steps = fresh(), []
    again = fit(resumed, *examples, SETTINGS, folder=tmp_path, report=lambda step, *_: steps.append(step))
    assert steps[0] > 8
    assert again == best
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(tensor, resumed.state_dict()[name], msg=name)


def test_the_state_holds_no_pickle(examples, tmp_path):
    fit(fresh(), *examples, SETTINGS, folder=tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_another_runs_state_is_refused_by_name(examples, tmp_path):
    fit(fresh(), *examples, SETTINGS, folder=tmp_path)
    with pytest.raises(BadState, match="another settings"):
        fit(fresh(), *examples, replace(SETTINGS, seed=1), folder=tmp_path)


def test_the_rate_rises_once_and_falls_to_nothing():
    rates = [rate_at(step, Settings(steps=100)) for step in range(101)]
    peak = int(np.argmax(rates))
    assert peak == 15
    assert rates[peak] == pytest.approx(2e-3)
    assert all(np.diff(rates[:peak]) > 0)
    assert all(np.diff(rates[peak:]) < 0)
    assert rates[-1] == pytest.approx(0.0)
