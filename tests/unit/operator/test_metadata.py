"""Metadata that no API server has seen: what is wrong with it, in one line."""

import pytest

from foretide.operator.metadata import misshapen


@pytest.mark.parametrize("metadata", [{}, {"name": "llama", "generation": 3, "annotations": {"a": "b"}}])
def test_what_an_api_server_gives_is_sound(metadata: object) -> None:
    assert misshapen(metadata) == ""


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        (True, "metadata: True: write fields, like {name: llama}"),
        ({"namespace": ["prod"]}, "metadata.namespace: ['prod']: is no text; write it in quotes"),
        ({"generation": [3]}, "metadata.generation: [3]: is no whole number; leave it out"),
        ({"annotations": "x"}, "metadata.annotations: 'x': write fields, like {team: search}"),
        ({"annotations": {"a": 7}}, "metadata.annotations: 7 of 'a': is no text; write it in quotes"),
    ],
)
def test_what_has_another_shape_is_one_line(metadata: object, problem: str) -> None:
    assert misshapen(metadata) == problem
