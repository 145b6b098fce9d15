"""Whether the number in force is our own, or somebody else has written it. Pure.

Before the first change of ours the number is its owner's, and may be anything.
"""

from dataclasses import replace

from foretide.operator.tuner.memory import Memory
from foretide.operator.tuner.told import STOPPED, Still
from foretide.policies.concurrency.in_time import Past


def whose(memory: Memory, *, now: int, writing: int | None, generation: int) -> Memory | Still:
    """The memory to go on with. `writing` is what a life before was about to write; `generation` the resource's."""
    if memory.ours is None and writing is None:
        return memory
    if writing is not None and now == writing:
        return replace(memory, ours=writing, conflict=None)
    if now == memory.ours or memory.ours is None:
        # What was about to be written was not, and so nothing is on trial.
        known = memory if writing is None else replace(memory, past=Past(strikes=memory.past.strikes))
        return replace(known, conflict=None)
    if memory.conflict is not None and generation > memory.conflict:
        return Memory(lengths=memory.lengths, learnt=memory.learnt, knob=memory.knob)
    return Still(
        STOPPED,
        "Conflict",
        f"somebody else set the limit to {now}, we had set {memory.ours}; set it to {memory.ours} again, stop the "
        "other writer, or edit this resource to begin anew from what is there",
    )


def foreign(now: int, memory: Memory) -> Still:
    """Of the canary's number: it is neither of the two that we set last."""
    ours = " or ".join(map(str, memory.canary_ours))
    return Still(
        STOPPED,
        "Conflict",
        f"somebody else set the canary's limit to {now}, we had set {ours}; set it to that again, or stop that writer",
    )
