"""One run of one fault, and what came of it."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.cases import Fault, Wish
from chaos.oracle import Write, blind, wrong
from chaos.rig import FIRST_LIFE_S, LEASE_S, PLAN_S, Rig, rig

from foretide.cli.bed.bed import Bed

MANY, SOME, LOW, HIGH, MINIMUM = 12, 6, 1.0, 4.0, 14
"""Replicas to begin with, requests/s, and the minimum that an owner asks for."""
BOUND_S = 2 * PLAN_S + LEASE_S


@dataclass(frozen=True)
class Outcome:
    fault: str
    numbers: str
    expected: str
    writes: int
    """Changes of the count in the whole run."""
    wrong_downs: int
    blind_downs: int
    acted_s: float
    """From the end of the fault to the move that was due; below 0 where it was made while the fault lasted."""
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


def run(bed: Bed, namespace: str, folder: Path, fault: Fault) -> Outcome:
    """Takes about a minute. Raises AssertionError where the operator never acts."""
    with rig(bed, namespace, folder, replicas=MANY if fault.wish is Wish.LOWER else SOME, rate=LOW) as made:
        made.add_operator()
        made.until(made.has_forecast)
        while len(made.operators) < fault.operators:
            made.add_operator()
        if fault.operators > 1:
            made.passes(8)
        return _under(fault, made)


def _under(fault: Fault, made: Rig) -> Outcome:
    began = time.monotonic()
    fault.begin(made)
    if fault.wish is Wish.RAISE:
        made.ask(HIGH)
    if fault.wish is Wish.OBEY:
        made.patch(
            pools=[{"targetRef": {"name": "llama"}, "accelerator": "H100", "maxReplicas": 24, "minReplicas": MINIMUM}]
        )
    made.passes(fault.lasts_s)
    said = _said(made)
    ended = time.monotonic()
    fault.end(made)
    if fault.blind:
        made.ask(HIGH)
    due = _due(fault, made, since=ended if fault.blind else began)
    made.until(lambda: bool(due()))
    acted = due()[0].at
    made.passes(2 * PLAN_S)
    writes = made.watch.writes()
    return Outcome(
        fault=fault.name,
        numbers=fault.numbers,
        expected=fault.expected,
        writes=len(writes),
        wrong_downs=len(wrong(writes, made.demand)),
        blind_downs=len(blind(writes, since=began, until=ended)) if fault.blind else 0,
        acted_s=round(acted - ended, 1),
        restarts=sum(operator.restarts for operator in made.operators),
        said=said,
        **_sleeper(made, since=ended),
    )


def _due(fault: Fault, made: Rig, *, since: float) -> Callable[[], list[Write]]:
    """The writes that are the move the operator was to make."""

    def moves() -> list[Write]:
        writes = made.watch.writes(since)
        if fault.wish is Wish.LOWER and not fault.blind:
            return [write for write in writes if write.lowers]
        if fault.wish is Wish.OBEY:
            return [write for write in writes if write.after >= MINIMUM]
        return [write for write in writes if write.after > write.before]

    return moves


def _said(made: Rig) -> str:
    try:
        return made.said()
    except Exception:  # noqa: BLE001 (the API server itself may be what is broken)
        return "-"


def _sleeper(made: Rig, *, since: float) -> dict[str, int | bool]:
    """What an operator that is not brought back did after the fault."""
    sleeper = next((operator for operator in made.operators if not operator.kept_alive), None)
    if sleeper is None:
        return {}
    wrote = sleeper.api.asked("PATCH", "/scale", since=since)
    return {"sleeper_wrote": len(wrote), "sleeper_ended": not sleeper.lives}


__all__ = ["BOUND_S", "FIRST_LIFE_S", "Outcome", "run"]
