import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from foretide.cli import plots
from foretide.cli.style import TONES
from foretide.policies.flow import Floats
from foretide.simulator.faults import Crash, Slowdown
from foretide.simulator.replay import Replay
from foretide.simulator.run import PolicyRun


def tenfold(ready: Floats) -> Floats:
    return 10.0 * ready


@pytest.fixture(scope="module")
def figures(found: Replay) -> dict[str, str]:
    objective = found.bench.scenario.objective
    return {
        "demand": plots.demand_figure(runs=found.runs, carried=tenfold),
        "replicas": plots.replicas_figure(found.runs),
        "attainment": plots.attainment_figure(runs=found.runs, objective=objective),
        "latency": plots.latency_figure(runs=found.runs, objective=objective),
    }


def unserved(run: PolicyRun) -> PolicyRun:
    """The same run, as if no request had ever finished."""
    never = np.full(len(run.outcome.arrival_s), np.nan)
    return replace(run, outcome=replace(run.outcome, ttft_s=never, tpot_s=never, e2e_s=never))


def test_every_figure_is_a_well_formed_svg_with_a_name(figures: dict[str, str]) -> None:
    for name, svg in figures.items():
        root = ET.fromstring(svg)
        assert root.tag.endswith("svg"), name
        assert root.attrib["aria-label"], name


def test_faults_are_shaded_and_named_once_each(found: Replay) -> None:
    faults = (Slowdown(at=60.0, duration_s=60.0), Slowdown(at=300.0, duration_s=60.0), Crash(at=200.0))
    hurt = tuple(replace(run, faults=faults) for run in found.runs)
    svg = plots.demand_figure(runs=hurt, carried=tenfold)
    assert svg.count(">slowdown<") == svg.count(">crash<") == 1
    assert ">slowdown<" not in plots.demand_figure(runs=found.runs, carried=tenfold)
    assert ">slowdown<" in plots.replicas_figure(hurt)


def test_figures_follow_light_and_dark(figures: dict[str, str]) -> None:
    for svg in figures.values():
        assert "var(--ink)" in svg
        assert not [tone.name for tone in TONES if tone.light in svg]


def test_figures_stay_small_and_keep_text_as_text(figures: dict[str, str]) -> None:
    for svg in figures.values():
        assert len(svg) < 200_000
        assert "<text" in svg


def test_every_policy_is_named_in_every_figure(figures: dict[str, str], found: Replay) -> None:
    for svg in figures.values():
        assert all(f">{run.policy}" in svg for run in found.runs)


def test_the_same_run_gives_the_same_bytes(figures: dict[str, str], found: Replay) -> None:
    assert plots.demand_figure(runs=found.runs, carried=tenfold) == figures["demand"]


def test_drawing_leaves_matplotlibs_settings_alone(found: Replay) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plots.replicas_figure(found.runs[:1])
    assert dict(mpl.rcParams) == before


def test_a_fleet_that_served_nothing_can_still_be_drawn(found: Replay) -> None:
    runs, objective = (unserved(found.runs[0]),), found.bench.scenario.objective
    assert "<svg" in plots.latency_figure(runs=runs, objective=objective)
    assert "<svg" in plots.attainment_figure(runs=runs, objective=objective)


def test_thinning_keeps_spikes_and_ends() -> None:
    x = np.arange(100_000.0)
    y = np.zeros(100_000)
    y[54_321] = 9.0
    kept_x, kept_y = plots.thinned(x=x, y=y)
    assert len(kept_x) <= plots.MOST_POINTS + 2
    assert kept_y.max() == 9.0
    assert (kept_x[0], kept_x[-1]) == (0.0, 99_999.0)


def test_minute_means_do_not_invent_a_minute_without_samples() -> None:
    middles, means = plots.smoothed(x=np.array([0.0, 30.0, 150.0]), y=np.array([1.0, 3.0, 8.0]), width=60.0)
    assert middles.tolist() == [30.0, 150.0]
    assert means.tolist() == [2.0, 8.0]


def test_a_window_without_requests_has_no_share() -> None:
    met = np.array([True, False, True])
    starts, shares = plots.share_per_window(arrival_s=np.array([1.0, 2.0, 25.0]), met=met, window_s=10.0)
    assert starts.tolist() == [0.0, 10.0, 20.0]
    assert shares[[0, 2]].tolist() == [0.5, 1.0]
    assert np.isnan(shares[1])


def test_unfinished_requests_keep_the_curve_below_all() -> None:
    _, shares = plots.slower_curve(np.array([0.1, 0.2, np.nan, np.nan]), of=4)
    assert shares.max() == pytest.approx(0.5)


def test_without_a_finished_request_there_is_no_curve() -> None:
    times, shares = plots.slower_curve(np.full(5, np.nan), of=5)
    assert len(times) == len(shares) == 0


def test_nines_spread_the_tail_evenly() -> None:
    assert plots.nines(np.array([0.0, 0.9, 0.99, 0.999])) == pytest.approx([0.0, 1.0, 2.0, 3.0])
