"""A number within a text: found by the words around it, once or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.tuner.knob import Refusal, patch, read
from foretide.operator.tuner.path import field_path
from foretide.operator.tuner.pattern import Pattern

YAML = "model: llama\nmax_num_seqs: 256\nmax_model_len: 8192\n"
SHELL = "exec vllm serve llama --max-num-seqs 256 --port 8000"
PATH = field_path("data['config.yaml']")


def body(text: object) -> dict[str, object]:
    return {"metadata": {"uid": "m"}, "data": {"config.yaml": text}}


@pytest.mark.parametrize(
    ("pattern", "text", "number"),
    [
        ("max_num_seqs: {}", YAML, 256),
        ("--max-num-seqs {}", SHELL, 256),
        ("--max-num-seqs {} --port", SHELL, 256),
        ('"limit":{},', '{"limit":64,"rate":5}', 64),
        ("-c{}", "serve -c64", 64),
        ("{} requests", "at most 64 requests", 64),
    ],
)
def test_a_number_is_found_by_the_words_around_it_and_changed_alone(pattern: str, text: str, number: int) -> None:
    assert read(body(text), PATH, Pattern(pattern)) == number
    made = patch(body(text), PATH, 48, Pattern(pattern))
    assert not isinstance(made, Refusal)
    assert [one["op"] for one in made] == ["test", "test", "replace"]
    assert made[-2] == {"op": "test", "path": "/data/config.yaml", "value": text}
    assert made[-1]["value"] == text.replace(str(number), "48", 1)


@pytest.mark.parametrize(
    ("pattern", "text", "why"),
    [
        ("max_num_seqs: {}", "max_model_len: 8192", "fits 0 times in its text; write it as it stands there"),
        ("max_num_seqs: {}", "my_max_num_seqs: 256", "fits 0 times"),
        ("max_num_seqs: {}", "max_num_seqs: 256k", "fits 0 times"),
        ("max_num_seqs: {}", "max_num_seqs: 2.5", "fits 0 times"),
        ("max_num_seqs: {}", "max_num_seqs: 123456789", "fits 0 times"),
        ("max_num_seqs: {}", "max_num_seqs: -4", "fits 0 times"),
        ("max_num_seqs: {}", YAML + YAML, "fits 2 times in its text; write more of the text around the number"),
        ("max_num_seqs: {}", "max_num_seqs: 0", "holds 0, which is no limit to tune"),
        ("max_num_seqs: {}", "max_num_seqs: 007", "holds '007', not a whole number"),
        ("max_num_seqs: {}", 256, "holds no text; leave the pattern out"),
    ],
)
def test_what_does_not_fit_once_is_refused(pattern: str, text: object, why: str) -> None:
    found = read(body(text), PATH, Pattern(pattern))
    assert isinstance(found, Refusal)
    assert why in found.text
    assert patch(body(text), PATH, 48, Pattern(pattern)) == found


@pytest.mark.parametrize("text", ["", "max_num_seqs: 8", "{}", " {} ", "a {} b {}", "x" * 130 + "{}"])
def test_a_pattern_without_words_around_one_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="shows no number; write the words around the number"):
        Pattern(text)


@given(st.text(max_size=40), st.text(max_size=40), st.integers(1, 999_999), st.integers(1, 999_999))
def test_whatever_stands_around_it_stays(before: str, after: str, now: int, then: int) -> None:
    text = f"{before}\nlimit = {now}\n{after}"
    found = read(body(text), PATH, Pattern("limit = {}"))
    if found != now:
        assert isinstance(found, Refusal)
        return
    made = patch(body(text), PATH, then, Pattern("limit = {}"))
    assert not isinstance(made, Refusal)
    assert made[-1]["value"] == f"{before}\nlimit = {then}\n{after}"
