"""Users' own profiles: found before the shipped ones, written as they are read, and refused in one line."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.profile_file import (
    PROFILES,
    BadProfile,
    checked,
    own_profiles,
    placed,
    read_profiles,
    written,
)
from foretide.simulator.profiles import FitErrors, FitRanges, Profile, StepTimes, find_profile, profiles

STEPS = {
    "decode_a_ms": 6.0,
    "decode_b_ms": 0.01,
    "decode_c_ms": 4e-5,
    "prefill_a_ms": 5.0,
    "prefill_b_ms": 0.015,
    "prefill_c_ms": 1e-6,
}


def row(**changes: Any) -> dict[str, Any]:
    usual = {"model": "Llama-3.1-8B", "gpu": "H100", "tp": 1, "steps": STEPS, "kv_tokens": 400_000, "source": "a test"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def saved(path: Path, *rows: dict[str, Any], **more: Any) -> Path:
    path.write_text(yaml.safe_dump({"profiles": list(rows)} | more))
    return path


def told(path: Path) -> str:
    with pytest.raises(BadProfile) as caught:
        read_profiles(path)
    return str(caught.value)


def test_an_own_profile_stands_before_the_shipped_one_and_the_others_stay(tmp_path: Path) -> None:
    own = read_profiles(saved(tmp_path / "mine.yaml", row(gpu="nvidia-h100-80gb-hbm3")))
    found = find_profile(model="meta-llama/Llama-3.1-8B-Instruct", gpu="H100", tp=1, own=own)
    assert (found.steps, found.origin) == (StepTimes(**STEPS), "mine.yaml")
    assert find_profile(model="Llama-3.1-8B", gpu="H200", tp=1, own=own).origin == "shipped"


def test_models_and_hardware_that_nothing_ships_for_are_found_too(tmp_path: Path) -> None:
    own = read_profiles(saved(tmp_path / "mine.yaml", row(model="acme/Rocket-7B", gpu="MI300X", tp=2)))
    assert find_profile(model="rocket-7b", gpu="AMD MI300X OAM", tp=2, own=own).model == "Rocket-7B"


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    saved(tmp_path / "b.yaml", row(model="B"))
    (tmp_path / "a.json").write_text(json.dumps({"profiles": [row(model="A")]}))
    (tmp_path / "readme.md").write_text("not a profile")
    saved(tmp_path / ".hidden.yaml", row(model="H"))
    assert [found.model for found in read_profiles(tmp_path)] == ["A", "B"]


@pytest.mark.parametrize("document", [[row()], row()], ids=["a list", "one profile"])
def test_short_forms_are_read(tmp_path: Path, document: object) -> None:
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document))
    assert read_profiles(tmp_path / "mine.yaml")[0].kv_tokens == 400_000


def test_source_and_ranges_of_the_file_hold_for_rows_without(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.yaml", row(source=None), row(tp=2), source="ours", ranges={"batch": [1, 64]})
    first, second = read_profiles(path)
    assert (first.source, second.source) == ("ours", "a test")
    assert first.ranges.batch == second.ranges.batch == (1.0, 64.0)


def test_the_shipped_file_has_the_documented_form() -> None:
    found = read_profiles(Path(str(files("foretide.simulator") / "data" / "profiles.json")))
    assert tuple(replace(each, origin="shipped") for each in found) == profiles()


def test_the_environment_names_a_place_where_nothing_else_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROFILES, raising=False)
    assert own_profiles() == ()
    monkeypatch.setenv(PROFILES, str(saved(tmp_path / "a.yaml", row(model="A"))))
    assert own_profiles()[0].model == "A"
    assert own_profiles(saved(tmp_path / "b.yaml", row(model="B")))[0].model == "B"


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.yaml", row(kv_tokens=1000))
    assert read_profiles(path)[0].kv_tokens == 1000
    saved(path, row(kv_tokens=20_000))
    assert read_profiles(path)[0].kv_tokens == 20_000


def test_a_place_is_looked_for_in_the_given_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    (two / "p.yaml").touch()
    assert placed("p.yaml", (one, two)) == two / "p.yaml"
    assert placed("q.yaml", (one, two)) == one / "q.yaml"
    assert placed(None, (one, two)) is None


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"steps": STEPS | {"decode_a_ms": -1}}, "profiles[0].steps.decode_a_ms: -1: should be greater than or equal"),
        ({"steps": STEPS | {"decode_b_ms": float("nan")}}, "profiles[0].steps.decode_b_ms: nan: should be a finite"),
        ({"steps": STEPS | {"prefill_b_ms": "fast"}}, "profiles[0].steps.prefill_b_ms: fast: should be a valid number"),
        ({"steps": STEPS | {"decode_a_ms": 0, "decode_b_ms": 0}}, "a decode step takes 0 ms; give decode_a_ms"),
        ({"steps": STEPS | {"prefill_a_ms": 0, "prefill_b_ms": 0}}, "a prefill takes 0 ms"),
        ({"steps": STEPS | {"prefill_c_ms": -1e-6}}, "prefill gets faster with length before 8192 tokens"),
        ({"steps": {"decode_a_ms": 1}}, "profiles[0].steps.decode_b_ms: missing; it is required"),
        ({"kv_tokens": 0}, "profiles[0].kv_tokens: 0: should be greater than or equal to 1"),
        ({"kv_tokens": 5_000_000}, "kv_tokens: 5,000,000: more than the"),
        ({"tp": 0}, "profiles[0].tp: 0:"),
        ({"sped": 1}, "profiles[0].sped: 1: unknown field"),
        ({"source": None}, "source missing; say how and where"),
        ({"ranges": {"batch": [64, 1]}}, "batch: 64 to 1; write the lower bound first"),
        ({"errors": {"decode": -0.1}}, "profiles[0].errors.decode: -0.1:"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    found = told(saved(tmp_path / "mine.yaml", row(**changes)))
    assert found.startswith("mine.yaml")
    assert line in found
    assert found.count("\n") == 0 or "steps" in changes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", "not YAML"),
        ("just words", "holds no fields"),
        ("profiles: []", "profiles: []: give at least one"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert line in told(tmp_path / "mine.yaml")


def test_places_without_profiles_are_named(tmp_path: Path) -> None:
    assert "no such file or folder" in told(tmp_path / "absent.yaml")
    assert "no .yaml, .yml, .json in this folder" in told(tmp_path)


def test_two_of_the_same_are_refused(tmp_path: Path) -> None:
    assert "is given twice" in told(saved(tmp_path / "a.yaml", row(), row(gpu="nvidia-h100")))
    saved(tmp_path / "a.yaml", row())
    saved(tmp_path / "b.yaml", row(model="meta-llama/Meta-Llama-3.1-8B-Instruct"))
    assert "b.yaml: Meta-Llama-3.1-8B-Instruct H100 tp 1: is given also in a.yaml" in told(tmp_path)


positive = st.floats(1e-7, 1e3)


@given(
    steps=st.builds(
        StepTimes,
        *[positive] * 5,
        st.floats(0, 1e-3),
        crowded=st.none() | st.tuples(st.integers(1, 512), positive, positive, positive),
    ),
    kv=st.integers(1, 10**9),
    error=st.none() | st.floats(0, 2),
    batch=st.none() | st.tuples(st.floats(1, 10), st.floats(10, 1000)),
    date=st.sampled_from(["", "2026-11-01"]),
)
def test_what_is_written_is_read_back(  # noqa: PLR0917
    tmp_path_factory: pytest.TempPathFactory,
    steps: StepTimes,
    kv: int,
    error: float | None,
    batch: tuple[float, float] | None,
    date: str,
) -> None:
    profile = Profile(
        "Rocket-7B",
        "ABACUS",
        2,
        steps,
        kv,
        "a test",
        "measured",
        FitErrors(tpot=error),
        FitRanges(batch),
        date,
        "p.yaml",
    )
    path = tmp_path_factory.mktemp("own") / "p.yaml"
    path.write_text(written([checked(profile)]))
    assert read_profiles(path) == (profile,)


def test_a_profile_that_no_file_could_hold_is_refused_before_it_is_written() -> None:
    shipped = find_profile(model="Llama-3.1-8B", gpu="H100", tp=1)
    with pytest.raises(BadProfile, match="kv_tokens: 9,000,000: more than the"):
        checked(replace(shipped, kv_tokens=9_000_000))
