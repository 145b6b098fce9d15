"""Windows of a made-up replica, as the concurrency tuner sees them."""

from foretide.policies.concurrency.limit_rule import StepModel
from foretide.policies.concurrency.window import Window

LINEAR = StepModel(
    decode=lambda decodes, context: 0.01 + 0.0001 * decodes + 1e-7 * context,
    per_context_s=1e-7,
    prefill_a_s=0.008,
    prefill_b_s=0.0,
    prefill_c_s=0.0,
    kv_tokens=1_000_000.0,
    chunk=100_000,
    most=512,
)
"""A step of n decodes over C tokens takes 10 ms + 0.1 ms n + 0.1 us C, whatever is prefilled beside it."""


def shown(
    *,
    limit: int = 100,
    good: int = 200,
    ended: int = 200,
    refused: int = 0,
    prompt: float = 1000.0,
    output: float = 200.0,
    kv_share: float = 0.2,
) -> Window:
    """A window of 30 s on one GPU, with the limit fully in use."""
    return Window(
        limit=limit,
        seconds=30.0,
        gpus=1,
        admitted=ended,
        refused=refused,
        ended=ended,
        good=good,
        prompt_tokens=prompt,
        output_tokens=output,
        busy=float(limit),
        kv_share=kv_share,
    )
