"""One run of one fault, and what came of it."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.cases import Fault, Wish
from chaos.oracle import Write, blind, wrong
from chaos.rig import MAXIMUM, PLAN_S, NeverCame, Rig

MANY, ENOUGH, SOME, MINIMUM = 16, 10, 3, MAXIMUM + 4
"""Far too many replicas for the demand, enough, too few, and the minimum of an owner: no demand leads there."""
LASTS_S, SEES_S = 8.0, 3.0
"""How long a fault lasts after the wish stands, and how long before it the operator has met the fault."""


@dataclass(frozen=True)
class Outcome:
    fault: str
    numbers: str
    expected: str
    writes: int
    """Changes of the count in the whole run."""
    wrong_downs: int
    blind_downs: int
    acted_s: float | None
    """From the end of the fault to the move that was due; below 0 where it was made while the fault lasted;
    None where it was never made."""
    restarts: int
    said: str
    """The reason in the status, late in the fault."""
    sleeper_wrote: int = 0
    """Requests that a woken operator sent to write a count."""
    sleeper_ended: bool = True

    def note(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")


def run(made: Rig, fault: Fault) -> Outcome:
    """Half a minute where all is well. Raises NeverCame where the operator does not even begin to see."""
    made.recover()
    if fault.wish is Wish.LOWER or fault.early:
        _wished(made, MANY if fault.wish is Wish.LOWER else SOME)
    if fault.wish is Wish.OBEY:
        # What an earlier run left would keep the new minimum without a move.
        made.scale(ENOUGH)
    while len(made.operators) < fault.operators:
        made.add_operator()
        made.until(lambda: "Initial authentication has finished" in made.operators[-1].log.read_text())
    restarts = sum(operator.restarts for operator in made.operators)
    if fault.early:
        made.patch(mode="Auto")
    began = time.monotonic()
    fault.begin(made)
    since = began if fault.early else _wish(fault, made)
    made.passes(fault.lasts_s or LASTS_S)
    said = made.said()
    ended = time.monotonic()
    fault.end(made)
    due = _due(fault, made, since=since)
    with suppress(NeverCame):
        made.until(lambda: bool(due()))
        made.passes(PLAN_S)
    writes = made.watch.writes(since)
    return Outcome(
        fault=fault.name,
        numbers=fault.numbers,
        expected=fault.expected,
        writes=len(writes),
        wrong_downs=len(wrong(writes, made.demand)),
        blind_downs=len(blind(writes, since=began, until=ended)) if fault.blind else 0,
        acted_s=round(due()[0].at - ended, 1) if due() else None,
        restarts=sum(operator.restarts for operator in made.operators) - restarts,
        said=said,
        **_sleeper(made, since=ended),
    )


def _wished(made: Rig, count: int) -> None:
    """The operator would move, and does not because it is told to recommend only."""
    made.patch(mode="Recommend")
    made.scale(count)

    def wishes() -> bool:
        status = made.status()
        pool = (status.get("pools") or [{}])[0]
        told = (status.get("lastDecision") or {}).get("reason")
        return told == "RecommendOnly" and pool.get("current") == count

    made.until(wishes)


def _wish(fault: Fault, made: Rig) -> float:
    """Lets it want to move while the fault is on; the time from which its moves count."""
    if fault.wish is Wish.RAISE:
        made.scale(SOME)
        return time.monotonic()
    since = time.monotonic()
    if fault.wish is Wish.OBEY:
        made.bound(MINIMUM, maximum=MINIMUM)
    if fault.wish is Wish.LOWER:
        made.passes(SEES_S)
        made.patch(mode="Auto")
    return since


def _due(fault: Fault, made: Rig, *, since: float) -> Callable[[], list[Write]]:
    """The writes that are the move the operator was to make."""

    def moves() -> list[Write]:
        writes = made.watch.writes(since)
        if fault.wish is Wish.LOWER:
            return [write for write in writes if write.lowers]
        if fault.wish is Wish.OBEY:
            return [write for write in writes if write.after >= MINIMUM]
        return [write for write in writes if write.after > write.before]

    return moves


def _sleeper(made: Rig, *, since: float) -> dict[str, int | bool]:
    """What an operator that is not brought back did after the fault."""
    sleeper = next((operator for operator in made.operators if not operator.kept_alive), None)
    if sleeper is None:
        return {}
    wrote = sleeper.api.asked("PATCH", "/scale", since=since)
    return {"sleeper_wrote": len(wrote), "sleeper_ended": not sleeper.lives}
