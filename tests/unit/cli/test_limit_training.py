"""Training of the concurrency tuner's network, in an environment with stable-baselines3."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from foretide.cli import main

pytestmark = pytest.mark.train


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main.run(["tune-train", *map(str, arguments)])
    return int(ended.value.code or 0)


def test_a_training_tells_its_progress_and_leaves_a_network_that_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from foretide.simulator.limit_network import opened

    assert run("--out", tmp_path / "a", "--steps", 2048, "--seeds", "3") == 0
    printed = capsys.readouterr().out
    assert "mean gain over n*" in printed
    assert "kept: seed 3 at 2048 steps" in printed
    card = opened(tmp_path / "a").card
    assert card["recipe"]["steps"] == 2048
    assert json.loads((tmp_path / "a/curves.json").read_text()) == card["curves"]
    assert (tmp_path / "a/curves.svg").read_text().startswith("<?xml")


def test_the_graph_gives_what_the_layers_give(tmp_path: Path) -> None:
    from foretide.cli.limit_training import forward, graph_of
    from foretide.policies.concurrency.network_agent import FEATURES, NOTCHES
    from foretide.simulator.limit_network import opened, write

    rng = np.random.default_rng(0)
    sizes = (len(FEATURES), 8, 8, len(NOTCHES))
    layers = [
        (rng.normal(size=(out, into)).astype(np.float32), rng.normal(size=out).astype(np.float32))
        for into, out in pairwise(sizes)
    ]
    shown = rng.normal(size=len(FEATURES)).astype(np.float32)
    network = opened(write(tmp_path, graph_of(layers), pair=(shown, forward(layers, shown)), told={}))
    for _ in range(20):
        shown = rng.normal(size=len(FEATURES)).astype(np.float32)
        assert network(shown) == pytest.approx(forward(layers, shown), abs=1e-4)
