import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from foretide.cli import chart, view
from foretide.policies.flow import Floats

GLANCES = (
    view.Glance("foretide", 9, 7, 2, 0, 0.998, 1.0, 12.3, "chat: 7 -> 9 replicas (DemandRises): " + "long words " * 40),
    view.Glance("hpa", 5, 5, 0, 132, 0.9312, None, 9.9, "queue is short"),
)


def frame(*, now: float = 4000.0, ahead: Floats | None = None) -> view.Frame:
    past = np.full(240, np.nan)
    past[100:] = 40.0
    quantiles = np.tile([30.0, 40.0, 50.0], (20, 1)) if ahead is None else ahead
    return view.Frame("demo", now, 10_800.0, past, 3600.0, past * 1.2, quantiles, 240.0, 0.99, GLANCES)


def drawn(columns: int, **kwargs: Floats) -> list[str]:
    console = Console(file=io.StringIO(), width=columns, color_system=None)
    console.print(view.picture(frame(**kwargs), columns=columns))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [80, 100, 118, 200])
def test_the_picture_fits_the_terminal(columns: int) -> None:
    lines = drawn(columns)
    assert len(lines) <= 29
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("columns", [80, 100])
def test_no_figure_is_cut_off(columns: int) -> None:
    text = "\n".join(drawn(columns))
    for figure in ("foretide", "99.80 %", "93.12 %", "132", "12.3", "9.9", "1:06:40 of 3:00:00"):
        assert figure in text


def test_long_words_do_not_change_the_height() -> None:
    heights = []
    for one in (replace(frame(), glances=(glance,)) for glance in GLANCES):
        console = Console(file=io.StringIO(), width=80, color_system=None)
        console.print(view.picture(one, columns=80))
        assert isinstance(console.file, io.StringIO)
        heights.append(console.file.getvalue().count("\n"))
    assert heights[0] == heights[1]


def test_a_missing_forecast_leaves_the_right_side_empty() -> None:
    assert any(line.count("━") == 6 for line in drawn(100)[2:9])
    assert not any("━" in line for line in drawn(100, ahead=np.empty((0, 3)))[2:9])


def test_a_gap_is_drawn_as_nothing_not_as_zero() -> None:
    assert chart.block(float("nan"), 0) == " "
    assert chart.block(0.01, 0) == "▁"


def test_shade_stands_above_demand_up_to_what_was_expected() -> None:
    assert [chart.column(1.5, 3.0, row) for row in range(4)] == ["█", "▄", "░", " "]
    assert [chart.column(1.5, float("nan"), row) for row in range(3)] == ["█", "▄", " "]


def test_columns_are_means_of_the_steps_that_fall_into_them() -> None:
    assert chart.resampled(np.array([1.0, 3.0, 5.0, 7.0]), 2).tolist() == [2.0, 6.0]
    assert chart.resampled(np.array([1.0, 2.0]), 4).tolist() == [1.0, 1.0, 2.0, 2.0]
    assert chart.resampled(np.array([np.nan, 3.0]), 1).tolist() == [3.0]


def test_an_empty_first_hour_can_be_drawn() -> None:
    nothing = np.full(10, np.nan)
    text = chart.chart(past=nothing, expected=nothing, ahead=np.empty((0, 3)), ahead_share=0.1, columns=60).plain
    assert text.count("\n") == chart.ROWS


def test_the_plain_view_writes_one_line_per_stretch_of_virtual_time() -> None:
    console = Console(file=io.StringIO(), width=80)
    with view.PlainView(console, every_s=100.0) as shown:
        for now in range(0, 501, 10):
            shown.show(now=float(now), frame=lambda now=now: frame(now=float(now)))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 5
    assert "foretide: 7 ready of 9, 99.80 % kept, 12.3 GPU-h" in lines[0]


def test_the_live_view_gives_the_terminal_back_after_an_error() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)

    def fail() -> view.Frame:
        raise RuntimeError

    with pytest.raises(RuntimeError), view.LiveView(console) as shown:
        shown.show(now=0.0, frame=fail)
    assert isinstance(console.file, io.StringIO)
    hidden, shown_again = "\x1b[?25l", "\x1b[?25h"
    assert console.file.getvalue().index(hidden) < console.file.getvalue().rindex(shown_again)


def test_the_live_view_asks_for_no_frame_that_is_not_due() -> None:
    asked = []
    moments = iter([0.0, 0.01, 0.12, 0.13, 0.14])
    console = Console(file=io.StringIO(), width=100, force_terminal=True)

    def ask() -> view.Frame:
        asked.append(1)
        return frame()

    with view.LiveView(console, clock_s=lambda: next(moments)) as shown:
        for _ in range(5):
            shown.show(now=0.0, frame=ask)
    assert len(asked) == 2
