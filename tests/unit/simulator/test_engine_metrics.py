import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulator.engine_metrics import TTFT_S, EngineMetrics, Finished, Histogram
from foretide.simulator.member import Observation


def counted(*values: float, bounds: tuple[float, ...] = (1.0, 2.0, 4.0)) -> Histogram:
    histogram = Histogram(bounds)
    histogram.add(np.array(values))
    return histogram


def test_a_value_on_a_bound_lies_below_it() -> None:
    histogram = counted(1.0, 1.5, 7.0, bounds=(1.0, 2.0))
    assert histogram.buckets == [("1.0", 1.0), ("2.0", 2.0), ("+Inf", 3.0)]
    assert histogram.sum == 9.5


def test_a_quantile_is_what_prometheus_documents() -> None:
    """Linear within a bucket, the first from 0 on, the last finite bound for what lies beyond."""
    sample = counted(0.5, 0.5, 3.0, 3.0).sample()
    assert sample.quantile(0.25) == pytest.approx(0.5)
    assert sample.quantile(0.5) == pytest.approx(1.0)
    assert sample.quantile(0.75) == pytest.approx(3.0)
    assert counted(9.0).sample().quantile(0.5) == 4.0
    assert counted().sample().quantile(0.5) is None


@given(values=st.lists(st.floats(0.001, 2000.0), min_size=1, max_size=60), share=st.floats(0.01, 1.0))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    found = counted(*values, bounds=TTFT_S).sample().quantile(share)
    true = float(np.quantile(values, share, method="inverted_cdf"))
    bounds = np.array((0.0, *TTFT_S))
    index = int(np.searchsorted(bounds, true, side="left"))
    assert found is not None
    assert bounds[index - 1] <= found <= bounds[min(index, len(TTFT_S))] + 1e-9


def test_a_sample_stays_as_it_was_scraped() -> None:
    engine = EngineMetrics()
    engine.add(Finished.of([Observation(0.05, 0.012, 0.3, 100, 21)]))
    before = engine.sample()
    engine.add(Finished.of([Observation(0.3, float("nan"), 0.3, 100, 1), Observation(0.4, 0.02, 0.8, 100, 21)]))
    after = engine.sample()
    assert (before.ttft.count, after.ttft.count) == (1, 3)
    assert after.ttft.since(before.ttft).count == 2
    assert after.ttft.since(before.ttft).sum == pytest.approx(0.7)
    assert (after.tpot.count, after.gaps.count) == (2, 40)


def test_an_engine_that_started_anew_counts_from_nothing() -> None:
    before, after = counted(0.5, 0.5, 0.5).sample(), counted(3.0).sample()
    assert after.since(before) is after
    assert after.since(None) is after


def test_nothing_finished_changes_nothing() -> None:
    engine = EngineMetrics()
    engine.add(Finished.of([]))
    assert engine.sample().e2e.count == 0
    assert engine.finished == 0
