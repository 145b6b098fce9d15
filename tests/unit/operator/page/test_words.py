"""Numbers as people read them."""

import pytest

from foretide.operator.page.words import age, ago, moment, rate, risk


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (119.0, "119 s"), (125.0, "2 min"), (7300.0, "2 h"), (200_000.0, "2 d"), (None, "–")],
)
def test_ages_have_a_unit(seconds: float | None, told: str) -> None:
    assert age(seconds) == told


@pytest.mark.parametrize(
    ("chance", "told"),
    [(0.0, "0 %"), (0.00001, "< 0.01 %"), (0.0123, "1.23 %"), (1.0, "100 %"), (None, "–")],
)
def test_a_risk_is_never_rounded_to_nothing(chance: float | None, told: str) -> None:
    assert risk(chance) == told


def test_what_is_not_known_is_a_dash_and_what_goes_on_carries_its_age() -> None:
    assert rate(None) == "–"
    assert rate(12.34) == "12.3 req/s"
    assert ago(12.0) == '<span data-age="12">12 s ago</span>'
    assert ago(None) == "<span>–</span>"
    assert 'datetime="1970-01-01T00:01:00+00:00"' in moment(60.0)
