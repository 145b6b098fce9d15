"""A point in time without a zone, or none at all, is no time."""

import pytest

from foretide.operator.times import timestamp


@pytest.mark.parametrize(("text", "at"), [("1970-01-02T00:00:00Z", 86400.0), ("1970-01-01T01:00:00+01:00", 0.0)])
def test_kubernetes_times_are_seconds_since_1970(text: str, at: float) -> None:
    assert timestamp(text) == at


@pytest.mark.parametrize("text", [None, 5, "", "yesterday"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert timestamp(text) is None
