"""What is published was checked as its reader would; what fails the check moves nothing."""

from pathlib import Path

import pytest
from graphs import artifact

from foretide.forecaster.network.card import Refused
from foretide.forecaster.network.publish import published, staging
from foretide.forecaster.network.schema import REPLICA
from foretide.forecaster.network.session import opened


def test_a_sound_artifact_replaces_the_old_one_whole(tmp_path: Path) -> None:
    served = tmp_path / "served"
    artifact(served, REPLICA)
    staged = staging(served)
    artifact(staged, REPLICA, name="newer")
    assert published(staged, served, "replica").name == "newer"
    assert opened(served, "replica").name == "newer"
    assert sorted(path.name for path in served.glob("replica.*")) == [
        "replica.json",
        "replica.onnx",
        "replica.safetensors",
    ]


def test_an_artifact_that_is_refused_leaves_the_old_one(tmp_path: Path) -> None:
    served = tmp_path / "served"
    artifact(served, REPLICA)
    staged = staging(served)
    artifact(staged, REPLICA, graph=b"no graph", name="broken")
    with pytest.raises(Refused):
        published(staged, served, "replica")
    assert opened(served, "replica").name == "by-hand"


def test_a_reader_that_comes_in_between_refuses_the_mixture(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    other = tmp_path / "other"
    artifact(other, REPLICA, gain=0.5)
    (other / "replica.onnx").replace(tmp_path / "replica.onnx")
    with pytest.raises(Refused, match="hashes to"):
        opened(tmp_path, "replica")
