"""The rule n* on a number that reaches all replicas at once: a change is held against the windows before it.

Five windows at the present limit come first. Then n* is set, where it is a tenth or more away, and stays on trial for
`TRIAL` windows: one that keeps fewer requests than those before it beyond noise, or small losses that add up, put the
old limit back, and n* rests near the limit that failed, longer each time. Where n* falls below both limits of a trial,
it is followed at once. A number whose change restarts pods is changed at most once in `lasts_s`, and only where that
pays (`restart`); its windows count from the end of the rollout.

What is NOT promised: that a loss is the change's. Traffic that turns in the same minutes looks alike, and is answered
alike: the old limit comes back, and n* is tried again later. Only attainment is compared, as goodput follows demand.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from math import sqrt
from typing import Any

from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.notches import RATIO
from foretide.policies.concurrency.restart import Restart, most_gained, pays
from foretide.policies.concurrency.shield import Promise, missed_more
from foretide.policies.concurrency.window import Bounds, State, Window

FIRST, KEPT, TRIAL = 5, 8, 8
"""Windows before a first change; remembered before it; and on trial after it."""
LOOKS, SURE = (4, 8), 2.5
"""After so many windows all of them are held against those before, and how many standard errors are a loss. Without any
loss this takes back one to four changes of a hundred, of 20 to 1000 requests a window and a share kept of 0.7 to 0.99;
it finds a loss of 10 points in 120 requests a window in 86 to 100 of a hundred (made-up counts, 2000 draws each)."""
SETTLING = 1
"""Windows after a change that are not judged: much of what ends in them was admitted before."""
REST_S, NEAR = 3600.0, RATIO**3
"""For which n* rests after its first failure, twice as long each further time, up to 32 times; and the factor around
the limit that failed within which it does."""
STUCK_S = 1800.0
"""After which a rollout that has not ended is taken back."""
Kept = tuple[int, int]
"""(good, asked) of one window."""


class Verdict(StrEnum):
    WATCHING = "Watching"
    STEADY = "Steady"
    RESTING = "Resting"
    TOO_SOON = "TooSoon"
    NOT_WORTH_IT = "NotWorthARestart"
    CHANGE = "Changed"
    ROLLING_OUT = "RollingOut"
    ON_TRIAL = "OnTrial"
    ROLL_BACK = "RolledBack"


@dataclass(frozen=True, slots=True)
class Changed:
    """A change on trial; `at` in seconds of the wall clock."""

    before: int
    after: int
    at: float
    templates: tuple[str, ...] = ()
    """Of the pods that were there before it; empty where none are replaced."""
    rolled: bool = True
    windows: tuple[Kept, ...] = ()
    settling: int = SETTLING


@dataclass(frozen=True, slots=True)
class Past:
    """All that is remembered."""

    windows: tuple[Kept, ...] = ()
    """At the limit in force, or at the one before a change on trial."""
    trial: Changed | None = None
    changed_at: float | None = None
    rests_until: float = 0.0
    strikes: int = 0
    failed: int | None = None
    """The limit that was taken back last."""

    def state(self) -> State:
        return asdict(self)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Past":
        trial = state["trial"]
        return cls(
            **{
                **state,
                "windows": _windows(state["windows"]),
                "trial": trial and _changed(trial),
            }
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one window: what to remember, and the limit to set, if any."""

    past: Past
    verdict: Verdict
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one number."""

    bounds: Bounds
    restart: Restart | None = None
    """None where a change restarts nothing."""
    promise: Promise = field(default_factory=Promise)


def turn(past: Past, seen: Window, *, rule: Rule, terms: Terms, now: float) -> Turn:
    """After one more window of the fleet, at the limit in force. `rule` has taken the window in."""
    if past.trial is not None:
        return _moot(past, past.trial, rule, terms) or _judged(past, past.trial, seen, terms, now)
    if seen.attainment is not None:
        past = replace(past, windows=(*past.windows, _kept(seen))[-KEPT:])
    best = terms.bounds.clip(rule.unbounded)
    if rule.lengths is None or len(past.windows) < FIRST:
        return Turn(past, Verdict.WATCHING)
    if not is_apart(seen.limit, best, terms.bounds):
        return Turn(past, Verdict.STEADY)
    if now < past.rests_until and _is_near(best, past.failed):
        return Turn(past, Verdict.RESTING)
    if against := _against(past, seen, best, rule, terms, now):
        return Turn(past, against)
    return Turn(past, Verdict.CHANGE, best)


def _against(past: Past, seen: Window, best: int, rule: Rule, terms: Terms, now: float) -> Verdict | None:  # noqa: PLR0917
    """What the restart says against a change; None where there is none, or where it pays."""
    restart = terms.restart
    if restart is None or rule.lengths is None:
        return None
    if past.changed_at is not None and now - past.changed_at < restart.lasts_s:
        return Verdict.TOO_SOON
    gain = most_gained(seen, limit=seen.limit, best=best, model=rule.model, lengths=rule.lengths)
    return None if pays(gain, restart) else Verdict.NOT_WORTH_IT


def is_apart(limit: int, best: int, bounds: Bounds) -> bool:
    """Whether two limits differ by a notch, or the first is not allowed at all."""
    outside = bounds.clip(limit) != limit
    return outside or max(limit, best) >= RATIO * min(limit, best)


def _is_near(best: int, failed: int | None) -> bool:
    """What failed says nothing of an n* for quite other lengths."""
    return failed is None or max(best, failed) < NEAR * min(best, failed)


def begun(past: Past, *, before: int, after: int, now: float, templates: tuple[str, ...] = ()) -> Past:
    """A change has been written; pods of these templates are to be replaced."""
    trial = Changed(before, after, now, templates, rolled=not templates)
    return replace(past, trial=trial, changed_at=now)


def taken_back(past: Past, *, now: float) -> Past:
    """The old limit has been written again."""
    rest = REST_S * 2 ** min(past.strikes, 5)
    failed = past.trial.after if past.trial is not None else past.failed
    return replace(past, trial=None, changed_at=now, rests_until=now + rest, strikes=past.strikes + 1, failed=failed)


def seen_pods(past: Past, *, templates: frozenset[str], ready: bool) -> Past:
    """Whether a rollout has ended: no pod of an old template is there, and those of the new one are `ready`."""
    trial = past.trial
    if trial is None or trial.rolled or not ready or not templates or templates & set(trial.templates):
        return past
    return replace(past, trial=replace(trial, rolled=True))


def _moot(past: Past, trial: Changed, rule: Rule, terms: Terms) -> Turn | None:
    """Where n* has fallen below both limits of a trial, neither is right any more: n* is followed at once."""
    best = terms.bounds.clip(rule.unbounded)
    if terms.restart is not None or trial.settling or best * RATIO > min(trial.before, trial.after):
        return None
    return Turn(replace(past, windows=trial.windows or past.windows, trial=None), Verdict.CHANGE, best)


def rollout(past: Past, *, now: float) -> Turn | None:
    """What a rollout that has not ended asks for, with or without a window; None where none is under way."""
    trial = past.trial
    if trial is None or trial.rolled:
        return None
    if now - trial.at > STUCK_S:
        return Turn(past, Verdict.ROLL_BACK, trial.before)
    return Turn(past, Verdict.ROLLING_OUT)


def _judged(past: Past, trial: Changed, seen: Window, terms: Terms, now: float) -> Turn:
    if (waiting := rollout(past, now=now)) is not None:
        return waiting
    if seen.attainment is None and seen.busy < 1.0:
        return Turn(past, Verdict.ON_TRIAL)
    if trial.settling:
        trial = replace(trial, settling=trial.settling - 1)
        return Turn(replace(past, trial=trial), Verdict.ON_TRIAL)
    trial = replace(trial, windows=(*trial.windows, _ended(seen, past.windows)))
    if is_worse(trial.windows, past.windows, terms.promise):
        return Turn(replace(past, trial=trial), Verdict.ROLL_BACK, trial.before)
    if len(trial.windows) < TRIAL:
        return Turn(replace(past, trial=trial), Verdict.ON_TRIAL)
    return Turn(replace(past, windows=trial.windows, trial=None, strikes=0), Verdict.STEADY)


def is_worse(after: tuple[Kept, ...], before: tuple[Kept, ...], promise: Promise) -> bool:
    """Whether the newest window, or all of them together, keep fewer requests than those before the change."""
    basis, whole = _sum(before), _sum(after)
    usual = _deviation(before) * sqrt(1.0 + 1.0 / len(before)) if before else 0.0
    if missed_more(after[-1], basis, promise=promise, usual=usual):
        return True
    if len(after) not in LOOKS or not basis[1] or not whole[1]:
        return False
    share = (basis[0] + whole[0]) / (basis[1] + whole[1])
    counts = share * (1.0 - share) * (1.0 / basis[1] + 1.0 / whole[1])
    windows = _deviation(before) ** 2 / len(before) + _deviation(after) ** 2 / len(after)
    lost = basis[0] / basis[1] - whole[0] / whole[1]
    return lost > promise.slack + SURE * sqrt(max(counts, windows))


def _kept(seen: Window) -> Kept:
    return seen.good, seen.ended + seen.refused


def _ended(seen: Window, before: tuple[Kept, ...]) -> Kept:
    """A window in which requests are there and none ends has failed as many as usually end."""
    return _kept(seen) if seen.attainment is not None else (0, max(1, _sum(before)[1] // max(1, len(before))))


def _sum(windows: tuple[Kept, ...]) -> Kept:
    return sum(good for good, _ in windows), sum(asked for _, asked in windows)


def _deviation(windows: tuple[Kept, ...]) -> float:
    """Of attainment from window to window; 0 for fewer than two with requests."""
    shares = [good / asked for good, asked in windows if asked]
    if len(shares) < 2:
        return 0.0
    mean = sum(shares) / len(shares)
    return sqrt(sum((share - mean) ** 2 for share in shares) / (len(shares) - 1))


def _changed(row: Mapping[str, Any]) -> Changed:
    return Changed(**{**row, "windows": _windows(row["windows"]), "templates": tuple(row["templates"])})


def _windows(rows: Any) -> tuple[Kept, ...]:
    return tuple((int(good), int(asked)) for good, asked in rows)
