"""The size of a cache and the time that it takes, against published figures."""

import pytest

from foretide.simulator.transfer import Link, NoShape, kv_bytes


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 131_072),
        ("Llama-3.1-70B", 327_680),
        ("Llama-3.1-70B-FP8", 163_840),
        ("Qwen3-32B", 262_144),
    ],
)
def test_a_token_takes_the_published_bytes(model: str, published: int) -> None:
    """papers.md 3.1."""
    assert kv_bytes(model) == published


def test_two_thousand_tokens_of_an_8b_model_take_the_published_time() -> None:
    """268 MB over 50 GB/s: 5.4 ms (papers.md 3.1)."""
    assert Link(50.0, kv_bytes("Llama-3.1-8B")).seconds(2048) == pytest.approx(5.4e-3, rel=0.01)


def test_an_unknown_model_is_refused_with_what_to_give() -> None:
    with pytest.raises(NoShape, match=r"give bytes per token, or one of llama-3\.1-8b"):
        kv_bytes("a-model")
