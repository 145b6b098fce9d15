"""The page of the concurrency tuner says what its cells hold: targets met and missed, and n* where learning loses."""

import json
from pathlib import Path
from typing import Any

import concurrency_page as page
import pytest

SEEDS = 6


def arm(*goodput: float, attainment: float = 0.9) -> dict[str, Any]:
    """A seed for each figure; nothing ever happened under the shield."""
    return {
        "goodput": list(goodput),
        "attainment": [attainment] * len(goodput),
        "late": list(goodput),
        "curve": [goodput[0]] * 4,
        "rulings": [{"Adopted": 1, "RolledBack": 2, "Rejected": 3, "Kept": 4}] * len(goodput),
    }


def cell() -> dict[str, Any]:
    """Nobody is better than anybody."""
    arms = {name: arm(*[1.0] * SEEDS) for name in page.TOLD}
    return {"best": 48, "searched": {"48": 1.0}, "arms": arms}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "IMAGES", tmp_path)

    def write(**cells: dict[str, Any]) -> str:
        for name, content in cells.items():
            (tmp_path / f"{name.replace('_', '-')}.json").write_text(json.dumps(content))
        page.write_page(tmp_path)
        return (tmp_path / "page.md").read_text()

    return write


def with_shielded(*goodput: float) -> dict[str, Any]:
    one = cell()
    one["arms"]["shielded"] = arm(*goodput)
    return one


def test_a_gain_above_the_target_is_met_and_makes_the_tuner_the_default(written: Any) -> None:
    told = written(gateway_shift=with_shielded(1.2, 1.3, 1.2, 1.3, 1.2, 1.3))
    assert "| gateway-shift | +25.0 % (+21.7 % to +28.3 %) | +20.0 % | met | met | the shielded tuner |" in told
    assert "Learning does not beat n*" not in told


def test_where_learning_loses_the_page_says_so(written: Any) -> None:
    told = written(autoscaled_shift=with_shielded(0.97, 0.99, 0.99, 0.99, 0.99, 0.99))
    assert "| missed | missed | n* |" in told
    assert "Learning does not beat n* in autoscaled-shift: n* is the default there" in told


def test_the_network_is_told_from_a_cell_of_its_own_and_n_star_stays_where_it_is_not_proven(written: Any) -> None:
    without = cell()
    del without["arms"]["network"], without["arms"]["network-shielded"]
    better = {"network": arm(1.4, 1.4, 1.4, 1.4, 1.4, 1.4), "network-shielded": arm(1.2, 1.3, 1.2, 1.3, 1.2, 1.3)}
    told = written(
        gateway_shift=without,
        gateway_light=without,
        network_gateway_shift={"arms": better},
        network_gateway_light={"arms": {"network": arm(*[0.9] * SEEDS), "network-shielded": arm(*[1.0] * SEEDS)}},
    )
    assert "| network | the trained network, no shield | 1.400 | +40.0 % (+40.0 % to +40.0 %) | +40.0 % |" in told
    assert "| gateway-shift | +25.0 % (+21.7 % to +28.3 %) | +20.0 % | +25.0 % (+21.7 % to +28.3 %) | met |" in told
    assert "proven better than n* in gateway-shift, and not in gateway-light: n* stays the" in told.replace("\n", " ")


def test_set_ups_that_the_network_has_not_met_are_named(written: Any) -> None:
    without = cell()
    del without["arms"]["network"], without["arms"]["network-shielded"]
    arms = {"network": arm(*[1.0] * SEEDS), "network-shielded": arm(*[1.0] * SEEDS)}
    told = written(gateway_shift=without, gateway_light=without, network_gateway_light={"arms": arms})
    assert "The network was not run yet on gateway-shift." in told


def test_without_a_cell_of_the_network_the_page_does_not_speak_of_its_gains(written: Any) -> None:
    without = cell()
    del without["arms"]["network"], without["arms"]["network-shielded"]
    assert "network under the shield" not in written(gateway_shift=without)


def test_a_seed_far_below_keeps_n_star_however_good_the_mean_is(written: Any) -> None:
    told = written(gateway_shift=with_shielded(1.5, 1.5, 1.5, 1.5, 1.5, 0.9))
    assert "| -10.0 % | met | missed | n* |" in told


def test_what_was_not_run_is_named(written: Any) -> None:
    told = written(gateway_shift=cell())
    assert (
        "Not run yet: gateway-day-night, gateway-light, autoscaled-day-night, autoscaled-shift, knative-paper." in told
    )


def test_points_lost_are_those_against_n_star_on_the_same_seeds(written: Any) -> None:
    harmed = {"fleet-rule": arm(1.0, 1.0), "random": arm(1.0, 1.0, attainment=0.885)}
    told = written(**{"hostile-gateway-day-night": {"arms": harmed}})
    assert "| random | 88.5 % | 1.50 | 1.50 | missed | 2 | 4 | 6 |" in told


def test_rollbacks_are_counted(written: Any) -> None:
    told = written(**{"rollback-gateway-day-night": {"notch": 6, "windows": [1, 1, 2, None]}})
    assert "1.77 times n* adopted by force, n* is back after one window in 2 of 4 seeds, after 2 in the others" in told
    assert "in 1 it was not within 40 windows" in told


def test_without_a_cell_there_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no cell is there"):
        page.write_page(tmp_path)
