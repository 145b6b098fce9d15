"""Announced events become typed values, or one clear line per mistake."""

from typing import Any

import pytest
from twins import resource

from foretide.operator.resource import parse
from foretide.policies.declared import ScheduledEvent

EVENT = {"start": "2027-03-01T09:00:00Z", "end": "2027-03-01T10:30:00Z", "expectedDemand": "3x"}


def parsed(*events: dict[str, Any]) -> tuple[tuple[ScheduledEvent, ...], tuple[str, ...]]:
    found = parse(resource(schedule=list(events)))
    return (found.resource.spec.schedule if found.resource else ()), found.problems


def test_an_event_has_its_times_its_size_and_how_sure_it_is() -> None:
    launch = EVENT | {"name": "launch", "confidence": "0.5", "expectedDemand": "250/s"}
    events, problems = parsed(EVENT, launch)
    assert problems == ()
    start = 1803891600.0
    assert events[0] == ScheduledEvent(start, start + 5400, 3.0, relative=True, confidence=0.9)
    assert events[1] == ScheduledEvent(start, start + 5400, 250.0, relative=False, confidence=0.5, name="launch")


def test_no_schedule_is_no_events() -> None:
    found = parse(resource())
    assert found.resource is not None
    assert found.resource.spec.schedule == ()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"expectedDemand": "3"}, "spec.schedule[0].expectedDemand: '3' has no unit; write a multiple like 3x, or"),
        ({"expectedDemand": 3}, "spec.schedule[0].expectedDemand: 3 has no unit"),
        ({"expectedDemand": "1000x"}, "spec.schedule[0].expectedDemand: '1000x' must be between 0.01 and 100x"),
        ({"start": "2027-03-01T09:00:00"}, "spec.schedule[0].start: '2027-03-01T09:00:00' is no time with a zone"),
        ({"start": "soon"}, "spec.schedule[0].start: 'soon' is no time with a zone; write it like 2027-03-01T09:0"),
        ({"end": "2027-03-01T08:00:00Z"}, "spec.schedule[0]: end must come after start, by at most seven days"),
        ({"end": "2027-03-10T08:00:00Z"}, "spec.schedule[0]: end must come after start, by at most seven days"),
        ({"confidence": "2"}, "spec.schedule[0].confidence: 2 must be above 0 and at most 1, like '0.9'"),
        ({"confidence": "likely"}, "spec.schedule[0].confidence: 'likely' is not a probability"),
        ({"confidence": True}, "spec.schedule[0].confidence: True must be above 0"),
    ],
    ids=str,
)
def test_a_mistake_names_field_value_and_fix(changes: dict[str, Any], line: str) -> None:
    _, problems = parsed(EVENT | changes)
    assert len(problems) == 1
    assert problems[0].startswith(line)


def test_a_missing_size_is_missing() -> None:
    _, problems = parsed({name: value for name, value in EVENT.items() if name != "expectedDemand"})
    assert problems == ("spec.schedule[0].expectedDemand: missing; it is required",)
