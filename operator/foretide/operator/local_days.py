"""`spec.calendar` as its owner wrote it: the clock that demand follows, and the days that are not like others.

A holiday is a scheduled event of the whole local day, 23 or 25 hours long where the clock changes. All of them are of
one kind, so that each corrects what is expected of the next.

What is NOT promised: knowledge of anybody's holidays. Each date is written out.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field

from foretide.operator.base import Written
from foretide.operator.schedule import Confidence, Size
from foretide.policies.declared import ScheduledEvent
from foretide.simulator.nearest import nearest

HOLIDAY = "holiday"
"""The name of their kind; scheduled events of that name are of the same."""


def _zone(value: Any) -> str:
    """The name of an IANA time zone that this machine knows."""
    try:
        if isinstance(value, str) and value:
            return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        meant = nearest(value, available_timezones())
        guess = f"did you mean {meant}?" if meant else "write one like Europe/Berlin"
        raise ValueError(f"{value!r} is no IANA time zone; {guess}") from None
    raise ValueError(f"{value!r} is no IANA time zone; write one like Europe/Berlin")


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value  # YAML reads dates
    try:
        if isinstance(value, str):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"{str(value)!r} is no date; write it like 2027-12-25")


class WrittenHolidays(Written):
    """Days on which demand is another multiple, or rate, than on others."""

    dates: Annotated[list[Annotated[date, BeforeValidator(_date)]], Field(min_length=1, max_length=64)]
    expected_demand: Size
    confidence: Confidence = 0.9


class WrittenCalendar(Written):
    """`spec.calendar`."""

    time_zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    holidays: WrittenHolidays | None = None


def holidays(written: WrittenCalendar) -> tuple[ScheduledEvent, ...]:
    """One event for each date, from midnight to midnight of the local clock."""
    found = written.holidays
    if found is None:
        return ()
    return tuple(
        ScheduledEvent(
            _midnight(day, written.time_zone),
            _midnight(day + timedelta(days=1), written.time_zone),
            *found.expected_demand,
            found.confidence,
            HOLIDAY,
        )
        for day in sorted(set(found.dates))
    )


def _midnight(day: date, zone: str) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()
