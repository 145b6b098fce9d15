"""How much memory GPUs have and how much of it a token of a model's KV cache takes: enough to refuse what cannot be.

Sizes are the vendors' (of a family's largest member) and the models' published configurations.

What is NOT promised: a capacity. What an engine leaves for its cache is its own figure; these are upper bounds.
"""

from collections.abc import Mapping

GPU_GB: Mapping[str, float] = {
    "A10": 24, "A30": 24, "A40": 48, "A100": 85.9, "B200": 206.2, "B300": 309.3, "GB200": 206.2, "GB300": 309.3,
    "GH200": 154.7, "H100": 103.1, "H200": 151.4, "L4": 25.8, "L40": 51.6, "L40S": 51.6, "MI300X": 206.2,
    "MI325X": 274.9, "RTX-4090": 25.8, "RTX-PRO-6000": 103.1, "T4": 17.2, "V100": 34.4,
}  # fmt: skip
"""Family -> gigabytes (10^9 bytes) of one GPU: GiB as sold x 1.074."""
MODELS: Mapping[str, tuple[float, int]] = {
    "llama-3.1-8b": (8.03, 65_536),
    "llama-3.1-70b": (70.6, 163_840),
    "qwen3-8b": (8.19, 73_728),
    "qwen3-32b": (32.8, 131_072),
    "qwen3-30b-a3b": (30.5, 49_152),
    "gpt-oss-120b": (117.0, 18_432),
}
"""Model -> billions of parameters, and the fewest bytes that a token's keys and values take: 2 x layers x KV heads x
head size, one byte each (FP8); gpt-oss keeps half of its layers' keys only for a window."""
BYTES = {"-fp4": 0.5, "-nvfp4": 0.5, "-fp8": 1.0}
"""Bytes of a weight by the name's ending; gpt-oss ships in four bits, the others in sixteen."""


def most_kv_tokens(*, model: str, gpu: str, tp: int) -> int | None:
    """More tokens than this fit into no cache: all memory less the weights; None where a size is not known.

    `model` by its short name in small letters, `gpu` by its family.
    """
    ending = next((ending for ending in BYTES if model.endswith(ending)), "")
    known, memory = MODELS.get(model.removesuffix(ending)), GPU_GB.get(gpu)
    if known is None or memory is None:
        return None
    weight = BYTES.get(ending, 0.5 if model.startswith("gpt-oss") else 2.0)
    return int(max(0.0, 1e9 * (memory * tp - known[0] * weight)) / known[1])
