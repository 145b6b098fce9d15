"""The live picture of a comparison in a terminal, and plain lines where there is none.

Promised: never wider than the terminal, readable from 80 columns on; nothing is measured here. NOT promised: that every
moment is drawn. The picture follows the run at eight frames per second and skips what it has no time for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import wrap
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from foretide.cli.chart import chart
from foretide.cli.style import BROKEN, KEPT, MUTED, Tone, clock, percent, tone_of
from foretide.policies.flow import Floats

FRAMES_PER_S = 8.0
WIDEST = 118
ROOMY = 90
FIGURES = ("ready", "starting", "desired", "waiting", "kept", "last 5 min", "GPU-h")
FIGURES_WIDTH = 53
MOST_PIPS = 24
WORDS_LINES = 2


@dataclass(frozen=True, slots=True)
class Glance:
    """One policy at one moment; shares in [0, 1], None while no request has arrived."""

    policy: str
    desired: int
    ready: int
    starting: int
    waiting: int
    kept_so_far: float | None
    kept_lately: float | None
    gpu_hours: float
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One moment of the comparison."""

    title: str
    now: float
    end: float
    past: Floats
    """(P,) requests/s of the latest even steps, oldest first; NaN where there is nothing yet."""
    past_s: float
    expected: Floats
    """(P,) the 95 % quantile of demand that had been forecast for then; NaN where none was."""
    ahead: Floats
    """(H, 3) forecast from now on: 5 %, 50 %, 95 % quantiles of requests/s; (0, 3) without a forecast."""
    ahead_s: float
    promised: float
    """The share of requests that the strictest percentile asks for."""
    glances: tuple[Glance, ...]

    @property
    def demand(self) -> float:
        return float(self.past[-1])


class View(Protocol):
    """Where frames go. A context manager, so that a terminal is always given back as it was."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, *, now: float, frame: Callable[[], Frame]) -> None:
        """Draws the frame of virtual time `now` if one is due; otherwise does not even ask for it."""
        ...


class LiveView:
    """Redraws one picture in place."""

    def __init__(self, console: Console, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._console = console
        self._clock_s = clock_s
        self._due = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, *, now: float, frame: Callable[[], Frame]) -> None:  # noqa: ARG002 (real time rules here)
        moment = self._clock_s()
        if moment >= self._due:
            self._live.update(picture(frame(), columns=self._console.width), refresh=True)
            self._due = moment + 1 / FRAMES_PER_S


class PlainView:
    """One line whenever another `every_s` of virtual time has passed: for logs, pipes and CI."""

    def __init__(self, console: Console, *, every_s: float) -> None:
        self._console = console
        self._every_s = every_s
        self._due = every_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, *, now: float, frame: Callable[[], Frame]) -> None:
        if now >= self._due - 1e-3:
            self._console.print(line(frame()), highlight=False, markup=False, soft_wrap=True)
            self._due += self._every_s


def line(frame: Frame) -> str:
    """The moment on one line."""
    parts = [
        f"{one.policy}: {one.ready} ready of {one.desired}, {_share(one.kept_so_far)} kept, {one.gpu_hours:.1f} GPU-h"
        for one in frame.glances
    ]
    return f"{clock(frame.now)} of {clock(frame.end)} | {frame.demand:.0f} requests/s | {' | '.join(parts)}"


def picture(frame: Frame, *, columns: int) -> RenderableType:
    """The whole moment, at most WIDEST columns wide."""
    width = min(columns, WIDEST)
    inner = width - 4
    body = Group(
        Text(_caption(frame), style=MUTED.terminal, no_wrap=True),
        chart(
            past=frame.past,
            expected=frame.expected,
            ahead=frame.ahead,
            ahead_share=frame.ahead_s / (frame.past_s + frame.ahead_s),
            columns=inner,
        ),
        Text(),
        _fleets(frame, columns=inner),
        Text(),
        *(_words(one, frame, columns=inner) for one in frame.glances),
        Text(),
        _progress(frame, columns=inner),
    )
    return Panel(body, title=frame.title, title_align="left", width=width, border_style=MUTED.terminal)


def _caption(frame: Frame) -> str:
    past, ahead = frame.past_s / 60, frame.ahead_s / 60
    return f"requests/s, last {past:.0f} min │ forecast {ahead:.0f} min; shade: up to its 95 % quantile"


def _tone(one: Glance, frame: Frame) -> Tone:
    return tone_of(one.policy, tuple(glance.policy for glance in frame.glances))


def _fleets(frame: Frame, *, columns: int) -> Table:
    gap = 2 if columns >= ROOMY else 1
    room = columns - FIGURES_WIDTH - max(len(one.policy) for one in frame.glances) - gap * (len(FIGURES) + 1)
    pips = min(room, MOST_PIPS) if room >= len("replicas") else 0
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style=MUTED.terminal)
    table.add_column("policy", no_wrap=True)
    if pips:
        table.add_column("replicas", no_wrap=True, min_width=pips)
    for head in FIGURES:
        table.add_column(head, justify="right", no_wrap=True)
    most = max(1, *(one.ready + one.starting for one in frame.glances))
    per_pip = max(1.0, most / max(pips, 1))
    for one in frame.glances:
        tone = _tone(one, frame).terminal
        table.add_row(
            Text(one.policy, style=f"bold {tone}"),
            *([_pips(one, tone=tone, per_pip=per_pip)] if pips else []),
            *(str(count) for count in (one.ready, one.starting, one.desired, one.waiting)),
            _coloured(one.kept_so_far, frame.promised),
            _coloured(one.kept_lately, frame.promised),
            f"{one.gpu_hours:.1f}",
        )
    return table


def _pips(one: Glance, *, tone: str, per_pip: float) -> Text:
    """One mark per replica while they fit, else each stands for several."""
    ready = round(one.ready / per_pip)
    starting = round((one.ready + one.starting) / per_pip) - ready
    return Text.assemble(("■" * ready, tone), ("□" * starting, tone))


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def _coloured(value: float | None, promised: float) -> Text:
    if value is None:
        return Text("-", style=MUTED.terminal)
    return Text(percent(value), style=(KEPT if value >= promised else BROKEN).terminal)


def _words(one: Glance, frame: Frame, *, columns: int) -> Text:
    """The last decision, always WORDS_LINES lines, so that the picture keeps its height."""
    lines = wrap(f"{one.policy}  {one.words}", columns, max_lines=WORDS_LINES, placeholder=" …")
    lines += [""] * (WORDS_LINES - len(lines))
    text = Text("\n".join(lines))
    text.stylize(f"bold {_tone(one, frame).terminal}", 0, len(one.policy))
    return text


def _progress(frame: Frame, *, columns: int) -> Table:
    times = f"{clock(frame.now)} of {clock(frame.end)} (virtual time)"
    row = Table.grid(padding=(0, 1))
    row.add_row(ProgressBar(total=frame.end, completed=frame.now, width=max(10, columns - len(times) - 2)), times)
    return row
