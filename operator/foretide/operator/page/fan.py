"""A fan chart as inline SVG: measured demand, then the quantiles of what is foreseen. Gaps stay gaps.

Colours come from the style sheet by class; the same figures stand in a table beside the chart.
"""

from itertools import groupby

from foretide.operator.page.markup import Markup, joined, tag
from foretide.operator.page.view import LEVELS, Fan

WIDTH, HEIGHT = 720.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 8.0, 24.0, 28.0
STEPS = (1.0, 1.5, 2.0, 2.5, 5.0, 10.0)
Point = tuple[float, float]


class Frame:
    """From times and requests/s to the places of the picture."""

    def __init__(self, fan: Fan) -> None:
        self.start = fan.past_start
        self.now = fan.past_start + len(fan.past) * fan.step_s
        foreseen = len(fan.levels[0]) * fan.step_s if fan.levels else 0.0
        self.end = max((fan.made_at or self.now) + foreseen, self.now, self.start + fan.step_s)
        known = [value for value in fan.past if value is not None]
        self.tick = _tick(max((*known, *(fan.levels[-1] if fan.levels else ())), default=0.0))
        self.top = 4 * self.tick

    def at(self, time: float, value: float) -> Point:
        x = LEFT + (time - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - min(value, self.top) / self.top * (HEIGHT - TOP - BOTTOM)


def fan_chart(fan: Fan, *, name: str, lead_s: float | None) -> Markup:
    """The chart; `lead_s` marks when a replica that is ordered now would be ready."""
    frame = Frame(fan)
    return tag(
        "svg",
        tag("title", f"Demand of {name}, requests per second"),
        tag("desc", described(fan)),
        *_grid(frame),
        *_bands(fan, frame),
        *(tag("path", class_="past", d=_line(points)) for points in _pieces(fan, frame)),
        *_marks(fan, frame, lead_s),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        class_="fan",
    )


def described(fan: Fan) -> str:
    """The chart in a sentence."""
    known = [value for value in fan.past if value is not None]
    past = f"Newest measured demand {known[-1]:.3g} requests/s" if known else "No demand was measured"
    if not fan.levels:
        return f"{past}; no forecast yet."
    low, middle, high = fan.levels[0][-1], fan.levels[2][-1], fan.levels[-1][-1]
    minutes = len(fan.levels[0]) * fan.step_s / 60
    return f"{past}; in {minutes:.3g} minutes {middle:.3g} is the median and {low:.3g} to {high:.3g} the 90 % interval."


def fan_table(fan: Fan) -> Markup:
    """Every step of the forecast in figures."""
    if not fan.levels:
        return joined()
    head = tag("tr", tag("th", "in", scope="col"), *(tag("th", f"{level:.0%}", scope="col") for level in LEVELS))
    rows = (
        tag(
            "tr",
            tag("th", f"{(step + 1) * fan.step_s / 60:.3g} min", scope="row"),
            *(tag("td", f"{value:.3g}") for value in values),
        )
        for step, values in enumerate(zip(*fan.levels, strict=True))
    )
    caption = tag("caption", "Quantiles of requests per second, by how far ahead a step ends")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="figures")


def _tick(highest: float) -> float:
    """A round quarter of the axis."""
    wanted = max(highest, 1e-6) / 4
    power = 10.0 ** len(f"{int(wanted)}") / 10 if wanted >= 1 else 1.0
    while power > wanted:
        power /= 10
    return next(power * step for step in STEPS if power * step >= wanted)


def _grid(frame: Frame) -> list[Markup]:
    found = []
    for i in range(5):
        x, y = frame.at(frame.start, i * frame.tick)
        found.append(tag("path", class_="grid", d=f"M{x:.1f} {y:.1f}H{WIDTH - RIGHT:g}"))
        found.append(tag("text", f"{i * frame.tick:g}", x=x - 6, y=y + 4, text_anchor="end"))
    return [*found, tag("text", "req/s", x=LEFT - 6, y=TOP - 8, text_anchor="end")]


def _bands(fan: Fan, frame: Frame) -> list[Markup]:
    if not fan.levels or fan.made_at is None:
        return []
    made = fan.made_at
    lines = [
        [frame.at(made + (step + 0.5) * fan.step_s, value) for step, value in enumerate(level)] for level in fan.levels
    ]
    wide, narrow = [*lines[0], *reversed(lines[4])], [*lines[1], *reversed(lines[3])]
    return [
        tag("path", class_="wide", d=_line(wide) + "Z"),
        tag("path", class_="narrow", d=_line(narrow) + "Z"),
        tag("path", class_="median", d=_line(lines[2])),
    ]


def _pieces(fan: Fan, frame: Frame) -> list[list[Point]]:
    """The measured rows, cut where nothing was measured; a row alone is a short stroke."""
    pieces = []
    for known, group in groupby(enumerate(fan.past), key=lambda row: row[1] is not None):
        if known:
            middles = [(frame.start + (i + 0.5) * fan.step_s, value or 0.0) for i, value in group]
            alone = [(middles[0][0] - fan.step_s / 4, middles[0][1])] if len(middles) == 1 else []
            pieces.append([frame.at(time, value) for time, value in (*alone, *middles)])
    return pieces


def _marks(fan: Fan, frame: Frame, lead_s: float | None) -> list[Markup]:
    now, base = frame.now, HEIGHT - 8
    times = [(frame.start, f"{(frame.start - now) / 60:.0f} min", "start"), (now, "now", "middle")]
    if frame.end - now > 60:
        times.append((frame.end, f"+{(frame.end - now) / 60:.0f} min", "end"))
    labels = [tag("text", told, x=frame.at(at, 0)[0], y=base, text_anchor=where) for at, told, where in times]
    x = frame.at(now, 0)[0]
    lines = [tag("path", class_="now", d=f"M{x:.1f} {TOP:g}V{HEIGHT - BOTTOM:g}")]
    if lead_s is not None and fan.levels and now + lead_s < frame.end:
        x = frame.at(now + lead_s, 0)[0]
        lines.append(tag("path", class_="lead", d=f"M{x:.1f} {TOP:g}V{HEIGHT - BOTTOM:g}"))
        lines.append(tag("text", "ready if ordered now", x=x + 4, y=TOP + 10))
    return [*lines, *labels]


def _line(points: list[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
