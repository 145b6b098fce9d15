"""The two writes of a turn with two pools, and what the loop asks of such a turn.

The orders are safe in any order. Only where both lower, to keep their ratio, the second waits for the first: if the
first was not written, neither is the second. Nothing is lost with a write that fails; the next turn decides anew on the
counts that it finds.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from foretide.operator.actuate import Outcome
from foretide.operator.status import Turn
from foretide.operator.target import Target
from foretide.policies.flow import Decision
from foretide.policies.guardrails import is_lowering

CarryOut = Callable[[Turn, Target], Awaitable[Turn]]


async def carried_out(turn: Turn, target: Target, carry_out: CarryOut) -> Turn:
    """The turn with what became of its order, or of both."""
    if turn.partner is None or target.halves is None:
        return await carry_out(turn, target)
    prefill, decode = target.halves
    done, partner = await carry_out(turn, prefill), turn.partner
    if _failed(done) and _lowers(done) and _lowers(partner) and partner.decision is not None:
        decode.memory = partner.decision.memory
        return done
    return replace(done, partner=await carry_out(partner, decode))


def decisions_of(turn: Turn) -> Mapping[str, Decision]:
    """What was decided, by a name for each pool."""
    return {
        f"{part.entry.key}/{part.evidence.pool.name}": part.decision
        for part in turn.parts
        if part.decision is not None and part.evidence is not None
    }


def changed(turn: Turn, change: Callable[[Decision], Decision]) -> Turn:
    """The turn with its decisions changed."""
    partner = changed(turn.partner, change) if turn.partner is not None else None
    return replace(turn, decision=change(turn.decision) if turn.decision else None, partner=partner)


def _failed(turn: Turn) -> bool:
    return turn.actuation is not None and turn.actuation.outcome is not Outcome.DONE


def _lowers(turn: Turn) -> bool:
    return turn.decision is not None and is_lowering(turn.decision.verdict)
