"""Turns of a target under `actuation: keda`, as a loop would have finished them."""

from typing import Any

from given import NOW, evidence, history, pool
from twins import resource

from foretide.operator.registry import Entry, Registry
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.policies.flow import Act, Decision, Hold, Mode, Order, Proposal, Reason, ReasonCode, Risk, Trust

LLAMA = Key("prod", "llama")
BECAUSE = (Reason(ReasonCode.STEADY, "a test"),)


def entry(**spec: Any) -> Entry:
    registry = Registry()
    registry.see(resource(**{"actuation": "keda"} | spec))
    found = registry.get(LLAMA)
    assert found is not None
    return found


def proposal(replicas: int) -> Proposal:
    return Proposal(replicas, (Risk(replicas, 0.0),), "nothing", 60.0, (0.0, 0.0), BECAUSE[0])


def turn(
    *, live: int, ordered: int | None, proposed: int | None, least: int = 0, trust: Trust = Trust.FRESH, **changes: Any
) -> Turn:
    """A turn that found `live` replicas, and ordered others or held them."""
    found = pool(live, min_replicas=least)
    seen = evidence(pool=found, history=history(*[0.0] * 20, trust=trust), mode=Mode.AUTO)
    verdict = Hold(live, BECAUSE) if ordered is None else Act(Order("main", live, ordered, "7"), BECAUSE)
    desired = live if ordered is None else ordered
    told = None if proposed is None else proposal(proposed)
    return Turn(entry(), NOW, None, seen, Decision(NOW, verdict, told, desired, seen.memory), **changes)
