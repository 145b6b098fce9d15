"""Upper bounds of a KV cache: from public sizes, and only where both are known."""

import pytest

from foretide.simulator.hardware import most_kv_tokens
from foretide.simulator.profiles import Profile, profiles, short_name


def test_a_bound_is_the_memory_beside_the_weights_at_one_byte_per_number() -> None:
    """Llama-3.1-8B: 32 layers, 8 KV heads of 128, 8.03 billion parameters of two bytes; an H100 of 96 GiB."""
    bytes_per_token = 2 * 32 * 8 * 128
    room = 96 * 2**30 - 8.03e9 * 2
    assert most_kv_tokens(model="llama-3.1-8b", gpu="H100", tp=1) == pytest.approx(room / bytes_per_token, rel=0.01)


def test_quantised_weights_leave_more_room() -> None:
    whole, eight, four = (most_kv_tokens(model=f"qwen3-32b{end}", gpu="H100", tp=1) for end in ("", "-fp8", "-nvfp4"))
    assert whole is not None
    assert eight is not None
    assert four is not None
    assert whole < eight < four


@pytest.mark.parametrize(("model", "gpu"), [("gpt-2", "H100"), ("llama-3.1-8b", "ABACUS")])
def test_what_is_not_known_bounds_nothing(model: str, gpu: str) -> None:
    assert most_kv_tokens(model=model, gpu=gpu, tp=1) is None


def test_weights_that_do_not_fit_leave_no_room() -> None:
    assert most_kv_tokens(model="llama-3.1-70b", gpu="L4", tp=1) == 0


@pytest.mark.parametrize("profile", profiles(), ids=lambda profile: profile.name)
def test_every_shipped_profile_lies_below_its_bound(profile: Profile) -> None:
    most = most_kv_tokens(model=short_name(profile.model), gpu=profile.gpu, tp=profile.tp)
    assert most is not None
    assert profile.kv_tokens < most
