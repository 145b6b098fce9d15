"""The scorecard of a target in its status, and back: what one life counted, the next goes on with.

It is told with whatever status is written anyway, a new one at most every five minutes; it causes no write of its own.

What is NOT promised: the windows between the last telling and a restart. Those were watched in vain and are left out.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from foretide.operator.times import timestamp, written_time
from foretide.policies.flow import Evidence
from foretide.policies.scorecard import DAY_S, DAYS, Scorecard, advanced, interrupted
from foretide.policies.tally import Account, Day, Tally

PUBLISH_S = 300.0
HOUR_S = 3600.0
LEFT_OUT = ("missing", "censored", "unwatched")


def kept_up(card: Scorecard | None, evidence: Evidence) -> Scorecard | None:
    """The scorecard after a plan: one window further in a mode that compares, and otherwise as it was."""
    if evidence.mode.compares:
        return advanced(card, evidence)
    return interrupted(card, evidence) if card is not None else None


def published(card: Scorecard | None, before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What `status.scorecard` is to be after `before`; None for none."""
    if card is None or card.total.all_s <= 0:
        return before
    until = timestamp((before or {}).get("until"))
    same = before is not None and before.get("terms") == _terms(card)
    news = card.total.judged_s > 0 and not _hours_in(before)
    return before if same and not news and until is not None and card.until - until < PUBLISH_S else told(card)


def _hours_in(before: Mapping[str, Any] | None) -> float:
    """Judged hours that are told already: the first ones are not made to wait."""
    try:
        return float((before or {}).get("hours") or 0.0)
    except (TypeError, ValueError):
        return 0.0


def told(card: Scorecard) -> dict[str, Any]:
    """As it stands in the status."""
    fleet = card.track[-1] if card.track else None
    counts = {"present": fleet.present, "foretide": fleet.foretide} if fleet else {}
    figures = _tally_told(card.total)
    for who, stood in counts.items():
        figures[who]["replicas"] = stood.replicas
    days = [{"date": _date(day.number), **_tally_told(day.tally)} for day in card.days]
    return {
        "since": written_time(card.since),
        "until": written_time(card.until),
        "terms": _terms(card),
        **figures,
        "days": days,
    }


def remembered(status: Mapping[str, Any]) -> Scorecard | None:
    """The scorecard of an earlier life; None where the status holds none that makes sense."""
    found = status.get("scorecard") or {}
    try:
        since, until = timestamp(found["since"]), timestamp(found["until"])
        days = tuple(Day(_number(day["date"]), _tally(day)) for day in found.get("days") or ())
        resumed = int(found["foretide"].get("replicas") or 0)
        card = Scorecard(since or 0.0, until or 0.0, int(found["terms"], 16), _tally(found), days[-DAYS:])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None
    if since is None or until is None or since > until or resumed < 0:
        return None
    return Scorecard(card.since, card.until, card.terms, card.total, card.days, resumed=resumed)


def left_out(tally: Tally) -> dict[str, float]:
    """Shares of all windows that could not be judged, by cause; empty before the first window."""
    return {why: each / tally.all_s for why, each in tally.left_out_s.items()} if tally.all_s > 0 else {}


def _tally_told(tally: Tally) -> dict[str, Any]:
    hours = {why: _hours(each) for why, each in tally.left_out_s.items()}
    share = f"{sum(left_out(tally).values()):.4f}"
    return {
        "hours": _hours(tally.judged_s),
        "present": _account_told(tally, tally.present),
        "foretide": _account_told(tally, tally.foretide),
        "leftOut": {"share": share, **hours},
    }


def _account_told(tally: Tally, account: Account) -> dict[str, Any]:
    kept = tally.kept(account)
    figures = {"gpuHours": _hours(account.gpu_s)}
    return figures if kept is None else figures | {"promiseKept": f"{kept:.5f}"}


def _tally(written: Mapping[str, Any]) -> Tally:
    judged = _seconds(written["hours"])
    missing, censored, unwatched = (_seconds(written["leftOut"][why]) for why in LEFT_OUT)
    present, foretide = (_account(written[who], judged) for who in ("present", "foretide"))
    return Tally(judged, missing, censored, unwatched, present, foretide)


def _account(written: Mapping[str, Any], judged_s: float) -> Account:
    kept = float(written.get("promiseKept", "0"))
    if not 0 <= kept <= 1:
        raise ValueError(f"promiseKept: {kept}: not a share")
    return Account(gpu_s=_seconds(written["gpuHours"]), kept_s=kept * judged_s)


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR_S:.3f}"


def _seconds(hours: str) -> float:
    found = float(hours) * HOUR_S
    if not isfinite(found) or found < 0:
        raise ValueError(f"{hours}: not a number of hours")
    return found


def _terms(card: Scorecard) -> str:
    return f"{card.terms:08x}"


def _date(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_S, UTC).date().isoformat()


def _number(written: str) -> int:
    return (date.fromisoformat(written) - date(1970, 1, 1)).days
