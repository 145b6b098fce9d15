"""The fan chart: within its frame, whole without a forecast, and told in words."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from given import forecast, history

from foretide.operator.page.fan import HEIGHT, WIDTH, described, fan_chart, fan_table
from foretide.operator.page.view import Fan, fan_of

NAN = float("nan")


def drawn(fan: Fan, lead_s: float | None = None) -> ET.Element:
    return ET.fromstring(fan_chart(fan, name="prod/<llama>", lead_s=lead_s))


def paths(svg: ET.Element, kind: str) -> list[str]:
    return [path.attrib["d"] for path in svg.iter("path") if path.get("class") == kind]


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.001, 0.002), (3.0, 900_000.0), (NAN, NAN), (1.0, NAN, 2.0), (5.0,)])
@pytest.mark.parametrize("foreseen", [(), (0.0,), (1.0, 50.0, 1e6)])
def test_everything_stays_within_the_frame(rates: tuple[float, ...], foreseen: tuple[float, ...]) -> None:
    svg = drawn(fan_of(history(*rates), forecast(*foreseen) if foreseen else None), lead_s=60.0)
    for path in svg.iter("path"):
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
        assert all(0 <= number <= max(WIDTH, HEIGHT) for number in numbers)
        assert not np.isnan(numbers).any()


def test_a_gap_cuts_the_line() -> None:
    assert len(paths(drawn(fan_of(history(1.0, 2.0, NAN, 4.0), None)), "past")) == 2


def test_the_bands_are_there_with_a_forecast_only() -> None:
    with_one, without = (drawn(fan_of(history(1.0, 2.0), each)) for each in (forecast(1.0, 3.0), None))
    assert [len(paths(with_one, kind)) for kind in ("wide", "narrow", "median")] == [1, 1, 1]
    assert not paths(without, "wide")


def test_it_is_named_and_described_for_those_who_do_not_see_it() -> None:
    fan = fan_of(history(1.0, 2.0), forecast(1.0, 3.0, steps=4))
    svg = drawn(fan)
    assert svg.get("role") == "img"
    assert svg.findtext("title") == "Demand of prod/<llama>, requests per second"
    assert svg.findtext("desc") == described(fan)
    assert "in 4 minutes 2 is the median and 1.1 to 2.9 the 90 % interval" in described(fan)


def test_the_table_has_a_row_per_step() -> None:
    fan = fan_of(history(1.0, 2.0), forecast(1.0, 3.0, steps=4))
    assert len(ET.fromstring(fan_table(fan)).findall("tbody/tr")) == 4
    assert fan_table(fan_of(history(1.0), None)) == ""


@pytest.mark.parametrize("lead_s", [10.0, 600.0, None])
def test_a_start_is_marked_while_it_lies_within_the_forecast(lead_s: float | None) -> None:
    svg = drawn(fan_of(history(1.0, 2.0), forecast(1.0, steps=5)), lead_s=lead_s)
    assert bool(paths(svg, "lead")) is (lead_s == 10.0)
