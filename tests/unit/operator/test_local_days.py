"""The calendar of a resource: a clock, and holidays as events of whole local days; one clear line per mistake."""

from datetime import date
from typing import Any

import pytest
from twins import resource

from foretide.operator.resource import Parsed, parse
from foretide.policies.declared import ScheduledEvent

HOLIDAYS = {"dates": ["2027-12-25"], "expectedDemand": "0.5x"}


def parsed(**calendar: Any) -> Parsed:
    return parse(resource(calendar=calendar))


def events(**calendar: Any) -> tuple[ScheduledEvent, ...]:
    found = parsed(**calendar)
    assert found.problems == ()
    assert found.resource is not None
    return found.resource.spec.schedule


def test_without_a_calendar_the_clock_is_utc_and_no_day_is_special() -> None:
    found = parse(resource())
    assert found.resource is not None
    assert found.resource.spec.time_zone == "UTC"
    assert found.resource.spec.schedule == ()


def test_a_holiday_is_an_event_of_the_whole_local_day() -> None:
    start = 1829689200.0  # 2027-12-24T23:00:00Z
    assert events(timeZone="Europe/Berlin", holidays=HOLIDAYS | {"confidence": "0.8"}) == (
        ScheduledEvent(start, start + 86400, 0.5, relative=True, confidence=0.8, name="holiday"),
    )


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-06-01", 24)])
def test_a_day_is_as_long_as_its_clock_says(day: str, hours: int) -> None:
    (event,) = events(timeZone="Europe/Berlin", holidays=HOLIDAYS | {"dates": [day]})
    assert event.end_s - event.start_s == hours * 3600


def test_dates_are_sorted_and_counted_once_and_may_be_yamls_own() -> None:
    found = events(holidays=HOLIDAYS | {"dates": ["2027-12-26", date(2027, 12, 25), "2027-12-26"]})
    assert [event.end_s - event.start_s for event in found] == [86400.0, 86400.0]
    assert found[0].end_s == found[1].start_s


def test_holidays_stand_beside_scheduled_events() -> None:
    launch = {"start": "2027-03-01T09:00:00Z", "end": "2027-03-01T10:30:00Z", "expectedDemand": "3x"}
    found = parse(resource(schedule=[launch], calendar={"holidays": HOLIDAYS}))
    assert found.resource is not None
    assert len(found.resource.spec.schedule) == 2


@pytest.mark.parametrize(
    ("calendar", "line"),
    [
        ({"timeZone": "Europe/Berlln"}, "spec.calendar.timeZone: 'Europe/Berlln' is no IANA time zone; did you mean "),
        ({"timeZone": "../etc/passwd"}, "spec.calendar.timeZone: '../etc/passwd' is no IANA time zone; write"),
        ({"timeZone": "Europe"}, "spec.calendar.timeZone: 'Europe' is no IANA time zone"),
        ({"timeZone": ""}, "spec.calendar.timeZone: '' is no IANA time zone; write one like Europe/Berlin"),
        ({"timeZone": 2}, "spec.calendar.timeZone: 2 is no IANA time zone"),
        ({"holidays": HOLIDAYS | {"dates": ["25.12.2027"]}}, "spec.calendar.holidays.dates[0]: '25.12.2027' is no d"),
        ({"holidays": HOLIDAYS | {"dates": ["2027-02-30"]}}, "spec.calendar.holidays.dates[0]: '2027-02-30' is no d"),
        ({"holidays": HOLIDAYS | {"dates": [20271225]}}, "spec.calendar.holidays.dates[0]: '20271225' is no date"),
        ({"holidays": HOLIDAYS | {"expectedDemand": "half"}}, "spec.calendar.holidays.expectedDemand: 'half' has"),
        ({"holidays": HOLIDAYS | {"confidence": "2"}}, "spec.calendar.holidays.confidence: 2 must be above 0"),
        ({"holidays": {"dates": ["2027-12-25"]}}, "spec.calendar.holidays.expectedDemand: missing; it is required"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_names_field_value_and_fix(calendar: dict[str, Any], line: str) -> None:
    problems = parsed(**calendar).problems
    assert len(problems) == 1
    assert problems[0].startswith(line)
    assert "\n" not in problems[0]


def test_an_unknown_field_is_named() -> None:
    assert parsed(timezone="UTC").warnings == ("spec.calendar.timezone: unknown field; did you mean timeZone?",)
