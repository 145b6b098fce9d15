"""How long a request's KV cache takes from one replica to another: its tokens x bytes per token / the link's rate.

A link has a rate and belongs to the replica that fetches. Serial, it carries one cache at a time and each has the whole
rate, as one network card does; concurrent, each cache has the whole rate whatever else is under way, which is right
where links are many or never busy.

What is NOT promised: overlap of layers with prefill, which hides most of a transfer (papers.md 3.1 gives the sizes:
5 ms for 2,000 tokens of an 8B model over 50 GB/s), or contention inside a network.
"""

from dataclasses import dataclass

from foretide.simulator.profiles import short_name

SHAPES: dict[str, tuple[int, int, int]] = {
    "llama-3.1-8b": (32, 8, 128),
    "llama-3.1-70b": (80, 8, 128),
    "qwen3-8b": (36, 8, 128),
    "qwen3-32b": (64, 8, 128),
    "qwen3-30b-a3b": (48, 4, 128),
    "gpt-oss-120b": (36, 8, 64),
    "opt-13b": (40, 40, 128),
    "opt-66b": (64, 72, 128),
}
"""Layers, KV heads, and dimensions of a head, from each model's published configuration."""
TWO_BYTES, ONE_BYTE = 2, 1


class NoShape(LookupError):
    """The model's cache is not known; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a cache travels over."""

    gigabytes_per_s: float
    kv_bytes: int
    """Of one token, keys and values of all layers."""
    serial: bool = True

    def seconds(self, tokens: int) -> float:
        """One cache alone."""
        return tokens * self.kv_bytes / (self.gigabytes_per_s * 1e9)


def kv_bytes(model: str) -> int:
    """Bytes of one token in the cache: 2 x layers x KV heads x head dimensions x bytes each; an FP8 model's is FP8.

    Raises NoShape.
    """
    name = short_name(model)
    plain = name.removesuffix("-fp8")
    if plain not in SHAPES:
        raise NoShape(f"no KV cache size for this model; give bytes per token, or one of {', '.join(SHAPES)}")
    layers, heads, dimensions = SHAPES[plain]
    return 2 * layers * heads * dimensions * (ONE_BYTE if plain != name else TWO_BYTES)
