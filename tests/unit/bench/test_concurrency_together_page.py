"""The page of replicas and limit together says what its cells hold, and a verdict only where an interval bears it."""

import json
from pathlib import Path
from typing import Any

import concurrency_together_page as page
import pytest

SEEDS, BLOCKS = 4, 2


def arm(*hours: float, kept: tuple[float, ...] = (0.9, 0.97, 0.995)) -> dict[str, Any]:
    """GPU-hours and shares kept of three settings; seeds differ a little, blocks are halves."""
    return {
        "gpu_hours": [[[h * (1 + 0.01 * seed) / 2] * BLOCKS for seed in range(SEEDS)] for h in hours],
        "requests": [[[500.0] * BLOCKS for _ in range(SEEDS)] for _ in hours],
        "kept": [[[500.0 * share] * BLOCKS for _ in range(SEEDS)] for share in kept],
    }


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")

    def write(**arms: dict[str, Any]) -> str:
        cell = {"settings": [0.2, 0.4, 0.6], "within": False, "arms": arms}
        (tmp_path / "day--knative.json").write_text(json.dumps(cell))
        page.write_page(tmp_path, wanted={("day", "knative"): (0.2, 0.4, 0.6, 0.8), ("crowd", "knative"): (0.2,)})
        return (tmp_path / "page.md").read_text()

    return write


def test_a_saving_is_told_with_its_interval_and_counted(written: Any) -> None:
    told = written(**{"default": arm(4.0, 5.0, 6.0), "n*": arm(4.0, 5.0, 6.0), "in-time": arm(3.2, 4.0, 4.8)})
    assert (
        "| `foretide tuner`, `tune: Rule` | 4.71 | 0.800 (0.800 to 0.800) | 3.83 | 0.800 (0.800 to 0.800) | 3.25 |"
        in told
    )
    assert "| day | knative | `foretide tuner`, `tune: Rule` | 99 % | saves | saves |" in told
    assert "saves: 3, no difference shown: 0, costs: 0, unknown: 0" in told


def test_a_loss_is_told_as_one(written: Any) -> None:
    told = written(**{"default": arm(4.0, 5.0, 6.0), "n*": arm(4.0, 5.0, 6.0), "in-time": arm(4.4, 5.5, 6.6)})
    assert "| day | knative | `foretide tuner`, `tune: Rule` | 95 % | costs | costs |" in told


def test_an_attainment_that_is_never_reached_has_no_hours(written: Any) -> None:
    low = arm(3.0, 4.0, 5.0, kept=(0.8, 0.9, 0.96))
    told = written(**{"default": arm(4.0, 5.0, 6.0), "n*": arm(4.0, 5.0, 6.0), "in-time": low})
    assert "| `foretide tuner`, `tune: Rule` | - | not reached |" in told
    assert "| day | knative | `foretide tuner`, `tune: Rule` | 99 % | unknown | unknown |" in told


def test_what_was_not_run_yet_is_named(written: Any) -> None:
    told = written(**{"default": arm(4.0, 5.0, 6.0), "n*": arm(4.0, 5.0, 6.0)})
    assert "Not run yet: day under knative at 0.8; crowd under knative." in told
