"""Two writers of one replica count: we are the one that steps back, says whom it met, and comes back after a while.

A foreign write is a count that is no longer the one we wrote. Three of them within the window are a contest: nothing is
written until nobody has moved the count for the quiet time, or until its owner asks us to resume. A count that was
taken to zero by hand is a wish to stop, as it is for HPA: one is enough, until the count is raised, or on request.

What is NOT promised: that a lone change by hand is respected. The next plan decides on the count that it finds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

WINDOW_S = 600.0
FOREIGN_WRITES = 3
QUIET_S = 1800.0
UNKNOWN = "somebody"


class Held(StrEnum):
    """Why we step back, as a condition's reason."""

    NOT = ""
    FOREIGN_WRITES = "ForeignWrites"
    ZERO_BY_HAND = "ZeroByHand"


@dataclass(frozen=True, slots=True)
class Foreign:
    """One write by somebody else."""

    at: float
    count: int
    manager: str
    """The API server's name for who wrote; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What is remembered of one target. Times are seconds of the caller's clock."""

    written: int | None = None
    """The count that we wrote last; None once somebody has changed it."""
    seen: int | None = None
    writes: tuple[Foreign, ...] = ()
    held: Held = Held.NOT
    moved_at: float = float("-inf")
    """When the count was last moved by somebody else."""
    why: str = ""
    """Why it is held, in words."""
    resume: str = ""
    """The owner's newest request to resume that has been seen."""


def wrote(contest: Contest, count: int) -> Contest:
    """After a write of ours that went through."""
    return replace(contest, written=count, seen=count)


def is_foreign(contest: Contest, count: int) -> bool:
    """Whether somebody else moved the count since we last wrote or looked, so that it is worth asking who."""
    return contest.seen is not None and count != contest.seen


def looked(contest: Contest, *, at: float, count: int, manager: str = "", resume: str = "", may_rest: bool) -> Contest:
    """After a look at the target: `count` as found, `manager` of a foreign write, `resume` as its owner wrote it.

    `may_rest`: zero is one of the counts that we may choose ourselves.
    """
    asked = bool(resume) and resume != contest.resume and contest.held is not Held.NOT
    contest = replace(_moved(contest, at, count, manager, may_rest=may_rest), seen=count, resume=resume)
    return _resumed(contest) if asked or _is_over(contest, at, count) else contest


def restarted(contest: Contest, *, at: float) -> Contest:
    """After a jump of the clock: what is held stays so for a whole quiet time of the new clock."""
    return replace(contest, writes=(), moved_at=at if contest.held is not Held.NOT else float("-inf"))


def _moved(contest: Contest, at: float, count: int, manager: str, *, may_rest: bool) -> Contest:
    if not is_foreign(contest, count):
        return contest
    contest = replace(contest, moved_at=at)
    if count == 0 and not may_rest:
        return replace(contest, written=None, held=Held.ZERO_BY_HAND, why=_stopped(manager))
    if contest.written is None:
        return contest
    writes = (*(one for one in contest.writes if 0 <= at - one.at < WINDOW_S), Foreign(at, count, manager))
    contest = replace(contest, written=None, writes=writes)
    if len(writes) < FOREIGN_WRITES or contest.held is not Held.NOT:
        return contest
    return replace(contest, held=Held.FOREIGN_WRITES, why=_contested(writes))


def _is_over(contest: Contest, at: float, count: int) -> bool:
    if contest.held is Held.ZERO_BY_HAND:
        return count > 0
    return contest.held is Held.FOREIGN_WRITES and at - contest.moved_at >= QUIET_S


def _resumed(contest: Contest) -> Contest:
    return replace(contest, written=None, writes=(), held=Held.NOT, why="", moved_at=float("-inf"))


def _contested(writes: tuple[Foreign, ...]) -> str:
    names = ", ".join(sorted({one.manager or UNKNOWN for one in writes}))
    return (
        f"{names} changed the replicas that we wrote {len(writes)} times within {WINDOW_S / 60:.0f} minutes, "
        f"last to {writes[-1].count}; let one of the two write them (under GitOps, leave out `replicas`). "
        f"Held until nobody moves them for {QUIET_S / 60:.0f} minutes"
    )


def _stopped(manager: str) -> str:
    return f"{manager or UNKNOWN} set the replicas to 0, which is taken as a wish to stop. Held until they are raised"
