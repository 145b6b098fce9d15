"""What a policy is shown while things go wrong, and what is told afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from staged import bench

from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.conditions import Conditions
from foretide.simulator.engine_metrics import EngineHistograms
from foretide.simulator.faults import Crash, Dropout, Failures, Fault, Slowdown
from foretide.simulator.mishaps import Harm
from foretide.simulator.power import PowerCap
from foretide.simulator.run import PolicyRun, run_policy
from foretide.simulator.scenario import Pace
from foretide.simulator.stock import Stock
from foretide.simulator.summary import figures


@dataclass(slots=True)
class Watcher:
    """Asks for a count and keeps what it is shown."""

    wants: int = 2
    reads_histograms: bool = False
    name: str = "watcher"
    interval_s: float = 15.0
    begins_with: int = 2
    views: list[View] = field(default_factory=list)
    histograms: list[Mapping[str, EngineHistograms]] = field(default_factory=list)

    def decide(self, view: View) -> Choice:
        self.views.append(view)
        if self.reads_histograms:
            self.histograms.append(view.histograms())
        return Choice(self.wants, "Watching", "keeps the count")


def watched(watcher: Watcher, conditions: Conditions, *, lookback_s: float = 0.0) -> PolicyRun:
    pace = Pace(step_s=60.0, lookback_s=lookback_s)
    return run_policy(bench=bench(4, 4, 4, 4, 4, 4, 4, 4, conditions=conditions, pace=pace), autoscaler=watcher)


def under(*faults: Fault) -> Conditions:
    return Conditions(faults=faults)


def test_a_dropout_leaves_nothing_to_see_and_its_end_brings_everything_back() -> None:
    watcher = Watcher()
    watched(watcher, under(Dropout(at=100.0, duration_s=120.0)))
    seen = {view.now: view for view in watcher.views}
    assert len(seen[95.0].newest) == 2
    for now in (110.0, 155.0, 215.0):
        assert seen[now].total("running") is None
        assert seen[now].scraped_at == 90.0
        assert seen[now].ready == 2
    assert seen[230.0].scraped_at == 225.0
    assert len(seen[230.0].newest) == 2
    gaps = np.diff(next(iter(seen[470.0].samples().values())).at)
    assert gaps.max() == 135.0


def test_where_nobody_marks_series_stale_the_last_values_stay_for_the_lookback() -> None:
    watcher = Watcher()
    watched(watcher, under(Dropout(at=100.0)), lookback_s=300.0)
    seen = {view.now: view for view in watcher.views}
    assert seen[380.0].newest == seen[95.0].newest
    assert seen[395.0].newest == {}


def test_half_a_dropout_hides_some() -> None:
    watcher = Watcher(wants=8, begins_with=8)
    watched(watcher, under(Dropout(at=100.0, share=0.5)))
    assert 0 < len(watcher.views[-1].newest) < 8
    assert watcher.views[-1].ready == 8


def test_pods_without_a_node_are_seen_and_told_apart() -> None:
    watcher = Watcher(wants=5)
    run = watched(watcher, Conditions(stock=Stock(((0.0, 3),))))
    last = watcher.views[-1]
    assert (last.desired, last.ready, last.starting, last.unschedulable) == (5, 3, 2, 2)
    assert run.cost.unschedulable_hours == pytest.approx(2 * (run.outcome.arrival_s[-1] - 5.0) / 3600)
    assert run.series.unschedulable[-1] == 2


def test_a_slowdown_is_silent() -> None:
    """A view has no field that tells of it, only counters that grow more slowly."""
    slow, usual = Watcher(), Watcher()
    watched(slow, under(Slowdown(at=60.0, factor=2.0)))
    watched(usual, Conditions())
    for one, other in zip(slow.views, usual.views, strict=True):
        same = ("now", "desired", "ready", "starting", "scraped_at", "starts", "unschedulable")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]


def test_times_of_faults_are_those_of_the_trace() -> None:
    """A judged part that begins at 300 s meets a fault of 400 s after 100 s of its own."""
    watcher = Watcher()
    shown = bench(4, 4, 4, 4, conditions=under(Dropout(at=400.0, duration_s=60.0)))
    run_policy(bench=replace(shown, begins_s=300.0), autoscaler=watcher)
    blind = [view.now for view in watcher.views if view.total("running") is None]
    assert min(blind) >= 405.0
    assert max(blind) <= 465.0


def test_histograms_grow_with_each_scrape_for_a_policy_that_reads_them() -> None:
    watcher = Watcher(reads_histograms=True)
    run = watched(watcher, Conditions())
    counts = [sum(each.e2e.count for each in shown.values()) for shown in watcher.histograms]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == pytest.approx(np.isfinite(run.outcome.e2e_s).sum(), rel=0.1)
    latest = watcher.histograms[-1]["replica-0"].e2e.quantile(0.5)
    assert latest == pytest.approx(np.nanmedian(run.outcome.e2e_s), rel=0.5)


def test_the_summary_tells_of_crashes_energy_and_scarcity() -> None:
    conditions = Conditions(faults=(Crash(at=200.0, replicas=2),), failures=Failures(retry_s=1.0))
    shown = bench(4, 4, 4, 4, 4, 4, 4, 4, conditions=conditions)
    row = figures(run=run_policy(bench=shown, autoscaler=Watcher()), bench=shown)
    assert row["crashes"] == 2
    assert row["retried_requests"] > 0
    assert row["lost_requests"] == 0
    assert row["unschedulable_pod_hours"] == 0.0
    hours = row["gpu_hours"]
    assert hours * 0.075 < row["energy_kwh"] < hours * 0.7, "between idle and prefill on H100"
    tokens = shown.trace.output_tokens.sum()
    assert row["joules_per_output_token"] == pytest.approx(row["energy_kwh"] * 3.6e6 / tokens, rel=0.05)


def test_energy_of_a_gpu_without_published_watts_is_not_known() -> None:
    usual = bench(4, 4)
    profile = replace(usual.scenario.deployment.profile, gpu="H200")
    deployment = replace(usual.scenario.deployment, profile=profile)
    other = replace(usual, scenario=replace(usual.scenario, deployment=deployment))
    row = figures(run=run_policy(bench=other, autoscaler=Watcher()), bench=other)
    assert row["energy_kwh"] is None
    assert row["joules_per_output_token"] is None


def test_a_cap_lowers_the_energy_of_the_same_work() -> None:
    usual, limited = bench(4, 4, 4), bench(4, 4, 4, power_cap=PowerCap(400.0))
    runs = [run_policy(bench=shown, autoscaler=Watcher()) for shown in (usual, limited)]
    known = [run.cost.energy_kwh for run in runs]
    assert known[0] is not None
    assert known[1] is not None
    assert known[1] < known[0]


def test_what_is_lost_in_the_grace_counts_too() -> None:
    """The meter stops with the trace, requests and their replicas go on for a while."""
    conditions = under(Crash(at=481.0, replicas=2))
    run = run_policy(bench=bench(4, 4, 4, 4, 4, 4, 4, 4, conditions=conditions), autoscaler=Watcher())
    assert run.harm.crashes == 2
    assert run.harm == Harm(crashes=2, lost=int(np.isnan(run.outcome.e2e_s).sum()))
