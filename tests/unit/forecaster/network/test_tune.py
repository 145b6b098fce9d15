"""Training one head on one workload ends in an artifact that a loader takes, or in nothing at all."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed: make train-test has it")

from foretide.forecaster.network import shipped, tune  # noqa: E402
from foretide.forecaster.network.card import Refused, read_card  # noqa: E402
from foretide.forecaster.network.checkpoint import BadState  # noqa: E402
from foretide.forecaster.network.examples import Workload  # noqa: E402
from foretide.forecaster.network.model import Config  # noqa: E402
from foretide.forecaster.network.schema import NODE  # noqa: E402
from foretide.forecaster.network.session import opened  # noqa: E402
from foretide.forecaster.network.train import Settings  # noqa: E402
from foretide.forecaster.network.tune import TooShort, tuned  # noqa: E402

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's exporter, inside torch
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SHIPPED = Path(str(shipped.__path__[0]))
QUICK = Settings(steps=12, batch=16, rate=1e-3, check_every=4, check_paths=8, check_windows=60)


@pytest.fixture
def workload(rates):
    return Workload("shop", rates(600, day=144), 1.7e9)


@pytest.fixture
def small(monkeypatch):
    """A small network where one starts from nothing: what is trained is the same, faster."""
    monkeypatch.setattr(tune, "Config", lambda: Config(width=16, context=8, hidden=8, layers=2, coefficients=2))


def parts(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.usefixtures("small")
def test_what_got_better_is_written_and_taken_by_the_loader(workload, tmp_path):
    outcome = tuned(workload, NODE, QUICK, start=None, out=tmp_path)
    assert outcome.after < outcome.before
    assert outcome.card == tmp_path / "node.json"
    assert parts(tmp_path) == ["node.json", "node.onnx", "node.safetensors"]
    card = opened(tmp_path, "node").card
    assert card.metrics["choice"] == pytest.approx(outcome.after)
    assert [(source.name, source.rows) for source in card.data] == [("history of shop", 600)]


@pytest.mark.usefixtures("small")
def test_the_same_seed_writes_the_same_network_and_another_seed_another(workload, tmp_path):
    cards = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        tuned(workload, NODE, replace(QUICK, seed=seed), start=None, out=tmp_path / name)
        fields = json.loads((tmp_path / name / "node.json").read_text())
        cards.append({key: value for key, value in fields.items() if key != "created"})
    assert cards[0] == cards[1]
    assert cards[0]["safetensors_sha256"] != cards[2]["safetensors_sha256"]


class Killed(Exception):
    pass


@pytest.mark.usefixtures("small")
def test_a_run_that_was_killed_goes_on_and_ends_as_a_whole_one(workload, tmp_path):
    def killed(step, loss, score):
        if step >= 8:
            raise Killed

    tuned(workload, NODE, QUICK, start=None, out=tmp_path / "whole")
    state = tmp_path / "cut" / "state"
    with pytest.raises(Killed):
        tuned(workload, NODE, QUICK, start=None, out=tmp_path / "cut", state=state, report=killed)
    assert not (tmp_path / "cut" / "node.json").exists()
    seen = []
    tuned(workload, NODE, QUICK, start=None, out=tmp_path / "cut", state=state, report=lambda *row: seen.append(row))
    assert [step for step, *_ in seen] == [8, 12]
    hashes = [read_card(tmp_path / name, "node").safetensors_sha256 for name in ("whole", "cut")]
    assert hashes[0] == hashes[1]


@pytest.mark.usefixtures("small")
def test_the_state_of_another_history_is_refused(workload, tmp_path):
    tuned(workload, NODE, QUICK, start=None, out=tmp_path, state=tmp_path / "state")
    other = replace(workload, values=workload.values * 2.0 + np.arange(600.0)[:, None])
    with pytest.raises(BadState, match="another examples"):
        tuned(other, NODE, QUICK, start=None, out=tmp_path, state=tmp_path / "state")


def test_what_is_not_better_is_not_written_and_what_was_there_stays(workload, tmp_path):
    """One step at a rate that changes no weight of 16 bits finds nothing better."""
    (tmp_path / "node.json").write_text("what was served")
    settings = replace(QUICK, steps=1, rate=1e-12, check_every=1)
    outcome = tuned(workload, NODE, settings, start=SHIPPED, out=tmp_path)
    assert outcome.card is None
    assert parts(tmp_path) == ["node.json"]
    assert (tmp_path / "node.json").read_text() == "what was served"


def test_the_data_of_the_network_that_was_gone_on_from_stays_on_the_card(workload, tmp_path):
    settings = replace(QUICK, steps=30, check_every=10)
    outcome = tuned(workload, NODE, settings, start=SHIPPED, out=tmp_path)
    assert outcome.card is not None
    names = [source.name for source in read_card(tmp_path, "node").data]
    assert names[:-1] == [source.name for source in read_card(SHIPPED, "node").data]
    assert names[-1] == "history of shop"


def test_a_start_whose_weights_were_changed_is_refused(workload, tmp_path):
    for file in SHIPPED.glob("node.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = bytearray((tmp_path / "node.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "node.safetensors").write_bytes(weights)
    with pytest.raises(Refused, match="hashes to"):
        tuned(workload, NODE, QUICK, start=tmp_path, out=tmp_path / "out")


def test_a_short_history_is_refused_with_what_it_lacks(rates, tmp_path):
    short = Workload("shop", rates(120, day=144), 0.0)
    with pytest.raises(TooShort, match=r"120 rows of 600 s hold .* 200 and 50 are needed"):
        tuned(short, NODE, QUICK, start=None, out=tmp_path)
    assert not list(tmp_path.iterdir())
