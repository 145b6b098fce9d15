"""A number in an object: read where it is, changed alone, and refused where it is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patching import applied

from foretide.operator.tuner.knob import Refusal, patch, read
from foretide.operator.tuner.path import field_path, told

CONTAINER = {
    "name": "engine",
    "args": ["serve", "--max-num-seqs=256", "--seed", "7"],
    "env": [{"name": "OTHER", "value": "1"}, {"name": "MAX", "value": "64"}],
}
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"uid": "u1", "annotations": {"autoscaling.knative.dev/target": "100"}},
    "spec": {"template": {"spec": {"containers": [{"name": "proxy"}, CONTAINER]}}},
}
INSIDE = "spec.template.spec.containers[engine]"
KNOBS = [
    (f"{INSIDE}.args[--max-num-seqs]", 256, "--max-num-seqs=80"),
    (f"{INSIDE}.args[--seed]", 7, "80"),
    (f"{INSIDE}.env[MAX].value", 64, "80"),
    ("metadata.annotations['autoscaling.knative.dev/target']", 100, "80"),
]


@pytest.mark.parametrize(("path", "value", "written"), KNOBS)
def test_a_number_is_read_and_its_patch_changes_it_alone(path: str, value: int, written: str) -> None:
    steps = field_path(path)
    assert read(DEPLOYMENT, steps) == value
    found = patch(DEPLOYMENT, steps, 80)
    assert isinstance(found, list)
    assert found[-1] == {"op": "replace", "path": found[-2]["path"], "value": written}
    after = applied(DEPLOYMENT, found)
    assert read(after, steps) == 80
    back = patch(after, steps, value)
    assert isinstance(back, list)
    assert applied(after, back) == DEPLOYMENT


def test_a_number_stays_a_number_and_a_text_a_text() -> None:
    body = {"spec": {"containerConcurrency": 100}, "data": {"limit": "100"}}
    numbers = [patch(body, field_path(path), 90) for path in ("spec.containerConcurrency", "data.limit")]
    assert [found[-1]["value"] for found in numbers if isinstance(found, list)] == [90, "90"]


def test_the_last_of_two_arguments_counts_as_it_does_for_the_engine() -> None:
    body = {"spec": {"args": ["--n=1", "--n", "2"]}}
    assert read(body, field_path("spec.args[--n]")) == 2


def test_the_patch_fails_where_anything_it_relies_on_has_changed() -> None:
    steps = field_path(f"{INSIDE}.env[MAX].value")
    found = patch(DEPLOYMENT, steps, 80)
    assert isinstance(found, list)
    for old, new in (('"64"', '"65"'), ('"MAX"', '"MIN"'), ('"engine"', '"motor"'), ('"u1"', '"u2"')):
        with pytest.raises(AssertionError):
            applied(json.loads(json.dumps(DEPLOYMENT).replace(old, new)), found)


@pytest.mark.parametrize(
    ("body", "path", "why"),
    [
        ({"data": {"a": "1"}}, "data.b", "data.b: there is no b; there are a; correct the path"),
        ({"data": {}}, "data.b", "data.b: there is no b; correct the path"),
        (DEPLOYMENT, "spec.template.spec.containers[x].args[--n]", "there is no [x]; there are proxy, engine"),
        (DEPLOYMENT, f"{INSIDE}.args[--gpu]", "there is no [--gpu]; correct the path"),
        (DEPLOYMENT, f"{INSIDE}.args[9]", "there is no [9]"),
        ({"data": {"a": "12.5"}}, "data.a", "data.a holds '12.5', not a whole number; name a field that does"),
        ({"data": {"a": "many"}}, "data.a", "holds 'many', not a whole number"),
        ({"data": {"a": "007"}}, "data.a", "holds '007', not a whole number"),
        ({"data": {"a": ""}}, "data.a", "holds '', not a whole number"),
        ({"data": {"a": True}}, "data.a", "data.a holds no whole number"),
        ({"data": {"a": {"b": 1}}}, "data.a", "data.a holds no whole number"),
        ({"data": {"a": None}}, "data.a", "data.a holds no whole number"),
        ({"data": {"a": 0}}, "data.a", "data.a holds 0, which is no limit to tune"),
        ({"data": {"a": "٣"}}, "data.a", "data.a holds no whole number"),
    ],
)
def test_a_field_that_is_no_knob_says_why_and_what_to_do(body: Any, path: str, why: str) -> None:
    for found in (read(body, field_path(path)), patch(body, field_path(path), 5)):
        assert isinstance(found, Refusal)
        assert why in found.text


WORDS = st.text(st.sampled_from("abz09-_./"), min_size=1, max_size=12).filter(
    lambda text: text not in ("status", "kind")
)


@given(
    key=WORDS,
    now=st.integers(1, 10**6),
    then=st.integers(1, 10**6),
    as_text=st.booleans(),
    others=st.dictionaries(WORDS, st.integers() | st.text(max_size=5), max_size=4),
)
def test_whatever_the_key_what_is_written_is_read_again_and_nothing_else_moves(
    key: str, now: int, then: int, as_text: bool, others: dict[str, Any]
) -> None:
    body = {"data": {**others, key: str(now) if as_text else now}}
    steps = field_path(f"data['{key}']")
    found = patch(body, steps, then)
    assert isinstance(found, list)
    after = applied(body, found)
    assert read(after, steps) == then
    assert {name: value for name, value in after["data"].items() if name != key} == {
        name: value for name, value in others.items() if name != key
    }
    assert field_path(told(steps)) == steps
