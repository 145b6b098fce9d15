import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from foretide.cli.report import MOST_MOVES, Story, carried, page, ran, rows, write_report
from foretide.simulator.autoscaler import Choice
from foretide.simulator.conditions import Conditions
from foretide.simulator.faults import Crash, Slowdown
from foretide.simulator.run import Asked

VOID = {"meta", "br", "img", "link", "input"}


class Tags(HTMLParser):
    """Fails where a tag is closed that was not opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(story: Story) -> str:
    return page(story)


def with_moves(story: Story, *moves: Asked) -> Story:
    first, *others = story.runs
    return replace(story, runs=(replace(first, asked=moves), *others))


def moved(at: float, text: str) -> Asked:
    return Asked(at, 2, 3, 2, 0, Choice(3, "Backlog", text))


def test_the_page_is_well_formed_and_complete(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert html.count("<svg role") == 4
    assert not re.search(r"\$[a-z{]", html)


def test_the_page_loads_nothing(html: str) -> None:
    assert not re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", html)
    assert not re.findall(r"url\((?!#)", html)
    assert "@import" not in html
    assert "<script" not in html


def test_the_headline_says_what_was_compared_and_that_it_is_simulated(html: str, story: Story) -> None:
    title = html.split("<h1>")[1].split("</h1>", maxsplit=1)[0]
    assert "simulated" in title
    assert all(run.policy in title for run in story.runs)
    assert f"{len(story.bench.trace):,} requests" in title


def test_every_figure_of_the_table_comes_from_the_summary(story: Story, html: str) -> None:
    for one in story.summary["policies"]:
        for figure in (f"{one['gpu_hours']:.2f}", f"{one['scale_actions']}", f"{one['ttft_s']['p99'] * 1000:,.0f} ms"):
            assert f"<td>{figure}</td>" in html


def test_the_same_story_gives_the_same_bytes(story: Story, html: str) -> None:
    assert page(story) == html


def test_wall_time_changes_only_the_footer(story: Story, html: str) -> None:
    later = page(replace(story, summary={**story.summary, "wall_seconds": 99.0}))
    assert later != html
    assert later.split("<footer>", maxsplit=1)[0] == html.split("<footer>", maxsplit=1)[0]


def test_what_others_wrote_is_escaped(story: Story) -> None:
    strange = with_moves(story, moved(1.0, "<script>alert(1)</script>"))
    html = page(replace(strange, title="</title>", lead="<i>", again="<b>"))
    assert "<script" not in html
    assert "<i>" not in html
    assert "<b>" not in html
    assert html.count("</title>") == 1


def test_many_moves_are_cut_and_said_to_be(story: Story) -> None:
    html = page(with_moves(story, *(moved(float(i), "more") for i in range(MOST_MOVES + 7))))
    assert f"{MOST_MOVES + 7} changes" in html
    assert "The first 7 are left out" in html


def test_what_was_not_measured_is_not_shown_as_zero(story: Story) -> None:
    nothing = {"p50": None, "p90": None, "p99": None}
    policies = [{**one, "ttft_s": nothing, "window_attainment": None} for one in story.summary["policies"]]
    told = dict(rows(replace(story, summary={**story.summary, "policies": policies})))
    assert set(told["windows in which the promise held"]) == {"-"}
    assert next(set(cells) for label, cells in told.items() if label.startswith("TTFT p99")) == {"-"}


def test_harm_and_energy_are_told_where_there_are_any(story: Story) -> None:
    quiet = dict(rows(story))
    assert "replicas that crashed" not in quiet
    harm = {"crashes": 2, "retried_requests": 1234, "unschedulable_pod_hours": 0.5, "energy_kwh": None}
    policies = [one | harm for one in story.summary["policies"]]
    told = dict(rows(replace(story, summary={**story.summary, "policies": policies})))
    assert set(told["replicas that crashed"]) == {"2"}
    assert set(told["requests sent again after a crash"]) == {"1,234"}
    assert set(told["pod-hours without a node"]) == {"0.50"}
    assert "requests lost with a replica" not in told
    assert set(told["energy"]) == {"-"}


def test_scripted_faults_are_told_with_what_was_run(story: Story) -> None:
    conditions = Conditions(faults=(Slowdown(at=600.0, duration_s=300.0), Crash(at=60.0)))
    scenario = replace(story.bench.scenario, conditions=conditions)
    told = ran(replace(story.bench, scenario=scenario))["faults"]
    assert told == "slowdown at 0:10:00 h for 0:05:00 h; crash at 0:01:00 h"
    assert "faults" not in ran(story.bench)


def test_more_replicas_carry_more_requests(story: Story) -> None:
    counts = carried(story.bench, np.array([0.0, 1.0, 8.0]))
    assert counts[0] == 0
    assert counts[2] > 8 * counts[1] > 0


def test_the_page_fits_a_mail(story: Story, tmp_path: Path) -> None:
    write_report(path=tmp_path / "report.html", story=story)
    assert (tmp_path / "report.html").stat().st_size < 1_500_000
