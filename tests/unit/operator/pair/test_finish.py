"""The two writes of a turn: where both lower, the second waits for the first."""

from dataclasses import replace

import pytest
from paired import serve, two_pools

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.pair.finish import carried_out, changed, decisions_of
from foretide.operator.registry import Entry
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.operator.target import Target, halves_of
from foretide.policies.flow import Act, Decision, Memory, Order, Reason, ReasonCode

FALLS = Reason(ReasonCode.DEMAND_FALLS, "a test")


class Writes:
    """Notes what is carried out, and says how it went."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.pools: list[str] = []

    async def __call__(self, turn: Turn, target: Target) -> Turn:
        assert turn.evidence is not None
        self.pools.append(turn.evidence.pool.name)
        return replace(turn, actuation=Actuation(self.outcome))


async def a_turn(*, by: int) -> tuple[Turn, Target]:
    """Both pools change by so many replicas."""
    made = two_pools(prefill=4, decode=8)
    serve(made, (-60.0, 40.0))
    turn = await made.plan()
    target = Target("uid", Memory(0.0), None, None)  # type: ignore[arg-type]
    halves_of(target, Entry(Key("prod", "llama"), "uid", 1, None), made.settings)
    parts = [replace(part, decision=_moved(part, by), actuation=None) for part in turn.parts]
    return replace(parts[0], partner=parts[1]), target


def _moved(part: Turn, by: int) -> Decision:
    assert part.decision is not None
    assert part.evidence is not None
    pool = part.evidence.pool
    order = Order(pool.name, pool.desired, pool.desired + by, pool.version)
    return replace(part.decision, verdict=Act(order, (FALLS,)), desired=order.after)


@pytest.mark.parametrize("by", [-1, 1])
async def test_both_are_written_prefill_first(by: int) -> None:
    turn, target = await a_turn(by=by)
    writes = Writes(Outcome.DONE)
    done = await carried_out(turn, target, writes)
    assert writes.pools == ["prefill", "decode"]
    assert all(part.actuation is not None for part in done.parts)


@pytest.mark.parametrize("outcome", [Outcome.MOVED, Outcome.FAILED, Outcome.REFUSED])
async def test_where_both_lower_a_first_write_that_failed_keeps_the_second_back(outcome: Outcome) -> None:
    turn, target = await a_turn(by=-1)
    writes = Writes(outcome)
    done = await carried_out(turn, target, writes)
    assert writes.pools == ["prefill"]
    assert done.partner is not None
    assert done.partner.actuation is None


async def test_where_both_rise_each_is_written_whatever_became_of_the_other() -> None:
    turn, target = await a_turn(by=1)
    writes = Writes(Outcome.FAILED)
    await carried_out(turn, target, writes)
    assert writes.pools == ["prefill", "decode"]


async def test_decisions_are_told_and_changed_by_pool() -> None:
    turn, _ = await a_turn(by=-1)
    assert list(decisions_of(turn)) == ["prod/llama/prefill", "prod/llama/decode"]
    held = changed(turn, lambda decision: replace(decision, desired=0))
    assert [part.decision.desired for part in held.parts if part.decision] == [0, 0]
