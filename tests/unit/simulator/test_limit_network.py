"""The shipped network, and what of another is refused: whatever is not what its card says."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from foretide.policies.concurrency.network_agent import FEATURES, NOTCHES, NetworkAgent
from foretide.simulator.limit_network import CARD, GRAPH, LARGEST, SHIPPED, BadNetwork, opened, write
from foretide.simulator.relative_env import rule_of
from foretide.simulator.tuning import run_agent
from foretide.simulator.tuning_setups import setups


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "network"))


def changed(folder: Path, **changes: object) -> Path:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | changes))
    return folder


def test_the_shipped_network_is_small_and_tells_how_it_was_made() -> None:
    network = opened()
    assert (SHIPPED / GRAPH).stat().st_size < LARGEST
    assert network.card["algorithm"] == "PPO"
    assert network.card["libraries"]["stable-baselines3"]
    assert set(network.card["curves"]) == {str(seed) for seed in network.card["recipe"]["seeds"]}
    assert network(np.zeros(len(FEATURES), dtype=np.float32)).shape == (len(NOTCHES),)


def test_it_serves_as_an_agent_and_the_same_windows_give_the_same_limits() -> None:
    setup = setups()["dev-gateway"]
    limits = [
        [
            window.limit
            for window in run_agent(NetworkAgent(opened(), rule_of(setup), bounds=setup.bounds), setup, seed=1)
        ]
        for _ in range(2)
    ]
    assert limits[0] == limits[1]
    assert len(set(limits[0])) > 1


def test_a_graph_with_another_hash_is_refused(copied: Path) -> None:
    graph = bytearray((copied / GRAPH).read_bytes())
    graph[-1] ^= 1
    (copied / GRAPH).write_bytes(graph)
    with pytest.raises(BadNetwork, match=r"policy\.onnx has hash [0-9a-f]{12}\.\.\., its card says [0-9a-f]{12}\.\.\."):
        opened(copied)


REFUSED = [
    ({"features": ["one"]}, "features are not those of this version; train it again"),
    ({"notches": [0]}, "notches are not those of this version"),
    ({"format": 2}, "card.json: not of format 1"),
    ({"pair": {}}, "its pair cannot be asked"),
    (
        {"pair": {"shown": [0.0] * len(FEATURES), "scores": [9.0] * len(NOTCHES)}},
        "does not give the scores of its card",
    ),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED, ids=lambda value: str(value)[:30])
def test_a_card_that_does_not_fit_is_refused_in_one_line(copied: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(BadNetwork) as caught:
        opened(changed(copied, **changes))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_graph_or_not_there_is_refused(tmp_path: Path) -> None:
    pair = np.zeros(len(FEATURES)), np.zeros(len(NOTCHES))
    with pytest.raises(BadNetwork, match="is no graph that onnxruntime reads"):
        opened(write(tmp_path / "nonsense", b"nonsense", pair=pair, told={}))
    with pytest.raises(BadNetwork, match="cannot be read"):
        opened(tmp_path / "nowhere")
    (tmp_path / "nonsense" / CARD).write_text("{")
    with pytest.raises(BadNetwork, match="is no JSON"):
        opened(tmp_path / "nonsense")
    with pytest.raises(BadNetwork, match="may ship; use fewer units"):
        write(tmp_path / "large", b"x" * (LARGEST + 1), pair=pair, told={})
