"""What a metric source shows of replicas that come, go and fall silent."""

import numpy as np
import pytest
from hurt import fleet, requests
from seen import pod

from foretide.simulator.conditions import QUIET
from foretide.simulator.scrapes import HistogramScrapes, Newest, Scrapes


def test_a_series_that_no_longer_comes_vanishes_at_once_where_it_is_marked() -> None:
    newest = Newest[int](lookback_s=0.0)
    newest.take(0.0, {"a": 1, "b": 2})
    newest.take(15.0, {"b": 3})
    assert newest.samples == {"b": 3}
    newest.take(30.0, {})
    assert newest.samples == {}


def test_without_a_mark_its_last_sample_stays_for_the_lookback() -> None:
    newest = Newest[int](lookback_s=300.0)
    newest.take(0.0, {"a": 1, "b": 2})
    newest.take(15.0, {"b": 3})
    assert newest.samples == {"a": 1, "b": 3}
    newest.take(285.0, {"b": 4})
    assert newest.samples == {"a": 1, "b": 4}
    newest.take(300.0, {})
    assert newest.samples == {"b": 4}
    newest.take(330.0, {"a": 9})
    assert newest.samples == {"a": 9, "b": 4}


def test_a_scrape_that_everybody_missed_is_no_scrape() -> None:
    scrapes = Scrapes(keep_s=900.0)
    scrapes.take(at=0.0, counters={"a": pod(running=3)})
    scrapes.take(at=15.0, counters={}, missed=True)
    assert (scrapes.scraped_at, scrapes.newest) == (0.0, {})
    np.testing.assert_array_equal(scrapes.samples()["a"].at, [0.0])


def test_what_is_older_than_is_kept_is_forgotten() -> None:
    scrapes = Scrapes(keep_s=60.0)
    for at in range(0, 150, 15):
        scrapes.take(at=float(at), counters={"a": pod(running=at)})
    assert scrapes.samples()["a"].at.tolist() == [75.0, 90.0, 105.0, 120.0, 135.0]


def test_histograms_are_counted_once_somebody_asked_and_shown_from_the_next_scrape_on() -> None:
    made = fleet(requests(*((float(at), 100, 11) for at in range(60))), QUIET)
    scrapes = HistogramScrapes(made)
    made.advance(10.5)
    scrapes.take(at=10.5, answering=made.counters())
    assert made.members[0].observed is None, "nobody asked, nothing is kept"
    assert scrapes.newest() == {}
    made.advance(30.5)
    scrapes.take(at=30.5, answering=made.counters())
    shown = scrapes.newest()["replica-0"]
    assert shown.ttft.count == shown.e2e.count == 20
    assert shown.gaps.count == 200
    made.advance(55.5)
    assert scrapes.newest()["replica-0"].ttft.count == 20, "until the next scrape"


def test_a_replica_that_does_not_answer_loses_nothing_of_what_it_counts() -> None:
    made = fleet(requests(*((float(at), 100, 11) for at in range(60))), QUIET)
    scrapes = HistogramScrapes(made)
    scrapes.newest()
    for at, answers in ((15.5, True), (30.5, False), (45.5, True)):
        made.advance(at)
        scrapes.take(at=at, answering=made.counters() if answers else {})
    assert scrapes.newest()["replica-0"].ttft.count == 46


def test_a_replica_that_joins_later_is_counted_from_its_first_request_on() -> None:
    made = fleet(requests((35.0, 100, 5), (36.0, 100, 5)), QUIET, replicas=0)
    scrapes = HistogramScrapes(made)
    scrapes.newest()
    made.scale(1)
    made.advance(40.0)
    scrapes.take(at=40.0, answering=made.counters())
    assert scrapes.newest()["replica-0"].ttft.count == 2


def test_an_engine_knows_nothing_of_the_time_at_the_door() -> None:
    """What waited 29 s for a replica has a short TTFT in the engine, and a long one for its user."""
    made = fleet(requests((1.0, 100, 5)), QUIET, replicas=0)
    made.watch()
    made.scale(1)
    made.advance(60.0)
    (seen,) = made.observations("replica-0")
    assert made.outcome().ttft_s[0] == pytest.approx(seen.ttft_s + 29.0)
