import xml.etree.ElementTree as ET

import numpy as np
import pytest
from staged import scenario

from foretide.cli.curves import HIGHEST, LOWEST, draw, log_odds
from foretide.cli.style import INK
from foretide.simulator.curve import Trials
from foretide.simulator.frontier import Curve, Frontier
from foretide.simulator.knobs import Knob
from foretide.simulator.question import Question
from foretide.simulator.trial import Setting

PNG = b"\x89PNG\r\n"


def curve(policy: str, *points: tuple[float, float]) -> Curve:
    """Settings of (GPU-hours, joint attainment)."""
    hours, joint = np.array(points).T[:, :, None, None]
    knob = Knob("target", 1.0, 9.0)
    settings = tuple(Setting(policy, knob, float(value)) for value in range(1, len(points) + 1))
    return Curve(policy, settings, Trials(hours, np.ones_like(joint), joint), trained={})


def frontier(*curves: Curve) -> Frontier:
    question = Question(tuple(one.policy for one in curves), seeds=1)
    return Frontier(scenario(), question, curves, "another trace", 1.0)


@pytest.fixture(scope="module")
def found() -> Frontier:
    return frontier(
        curve("foretide", (3.0, 0.9), (3.5, 0.97), (4.2, 0.999), (6.0, 1.0)),
        curve("hpa", (4.0, 0.6), (5.0, 0.93), (7.0, 0.996)),
        curve("static", (2.0, 0.2), (12.0, 0.5)),
    )


def test_the_figure_is_a_well_formed_svg_of_its_own_with_a_name(found: Frontier) -> None:
    svg = draw(found).svg
    root = ET.fromstring(svg)
    assert "simulated" in root.attrib["aria-label"]
    assert "prefers-color-scheme: dark" in svg
    assert "var(--ink)" in svg
    assert INK.light not in svg.split("</style>", 1)[1]


def test_every_policy_is_named(found: Frontier) -> None:
    svg = draw(found).svg
    assert all(f">{name}" in svg for name in found.question.policies)


def test_the_same_frontier_gives_the_same_bytes(found: Frontier) -> None:
    assert draw(found) == draw(found)


def test_the_png_is_one(found: Frontier) -> None:
    assert draw(found).png.startswith(PNG)


def test_a_frontier_on_which_nothing_is_reached_can_still_be_drawn() -> None:
    assert draw(frontier(curve("static", (2.0, 0.2)))).png.startswith(PNG)
    assert draw(frontier(curve("static", (2.0, float("nan"))))).png.startswith(PNG)


def test_the_axis_spreads_the_tail_and_holds_every_share() -> None:
    nine = log_odds(np.array([0.9, 0.99, 0.999]))
    assert np.diff(nine) == pytest.approx([2.4, 2.3], abs=0.05)
    assert log_odds(np.array([0.0, 1.0])) == pytest.approx(log_odds(np.array([LOWEST, HIGHEST])))
