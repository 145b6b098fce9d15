"""What a source has of an engine's signals: found, missing, old or unknown, and what follows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from exposed import PAGES, Told
from twins import resource

from foretide.operator.found import NO_DEMAND, Found, Verdict, found_signals
from foretide.operator.resource import parse
from foretide.operator.seams import Scrape, Series
from foretide.policies.flow import Trust, frozen

NOW = 1000.0


@dataclass
class Source:
    """Answers every question with the same pages."""

    series: tuple[Series, ...]
    trust: Trust = Trust.FRESH
    asked: str = ""

    async def query(self, promql: str, *, at: float) -> Scrape:
        self.asked = promql
        return Scrape(self.series, self.trust, "" if self.trust is Trust.FRESH else "source default: unreachable")

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        raise AssertionError("only the present is asked for")


def pages(page: str, *, age: float = 3.0, pod: str = "llama-0", without: str = "~") -> tuple[Series, ...]:
    """A pod's page as scraped twice, the second time `age` seconds ago; without metrics that begin so."""
    lines = [line for line in PAGES[page](Told(100.0, 5.0)).splitlines() if not line.startswith(("#", without))]
    at = frozen(np.array([NOW - age - 15.0, NOW - age]))
    return tuple(Series(_labels(line, pod), at, frozen(np.full(2, float(line.rpartition(" ")[2])))) for line in lines)


def _labels(line: str, pod: str) -> dict[str, str]:
    name, _, rest = line.rpartition(" ")[0].partition("{")
    pairs = (pair.split('="') for pair in rest.rstrip("}").split('",') if pair)
    return {"__name__": name, "namespace": "prod", "pod": pod} | {key: value.rstrip('"') for key, value in pairs}


async def look(source: Source, engine: str = "sglang", **metrics: Any) -> Verdict:
    target = parse(resource(engine=engine, metrics=metrics)).resource
    assert target is not None
    return await found_signals(source, target, now=NOW, scrape_s=15.0)


def one(verdict: Verdict, word: str) -> Found:
    return next(found for found in verdict.signals if found.word == word)


async def test_a_signal_that_is_there_comes_with_its_name_its_series_and_its_age() -> None:
    source = Source(pages("sglang"))
    verdict = await look(source)
    assert (verdict.decides, verdict.message) == (True, "demand can be read: 1 of 1 pods, newest sample 3 s old")
    assert one(verdict, "running") == Found("running", "sglang:num_running_reqs", 2, 3.0, "")
    assert 'pod=~"llama-.+"' in source.asked
    assert source.asked.endswith("[300000ms]")


async def test_what_an_engine_does_not_have_is_told_with_what_is_done_without() -> None:
    verdict = await look(Source(pages("sglang")))
    rejected = one(verdict, "rejected")
    assert (rejected.metric, rejected.series, rejected.age_s) == ("", 0, None)
    assert "while queues stand" in rejected.without
    aborted = one(verdict, "aborted")
    assert aborted.metric == "sglang:num_aborted_requests_total"
    assert "not told apart" in aborted.without


async def test_without_a_signal_that_demand_needs_nothing_is_decided_and_it_is_said_which() -> None:
    verdict = await look(Source(pages("sglang", without="sglang:num_queue_reqs")))
    assert not verdict.decides
    assert "without sglang:num_queue_reqs" in verdict.message
    assert "metrics.queries" in verdict.message
    assert one(verdict, "waiting").without == NO_DEMAND


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source(()), "no engine of prod/llama reports; start SGLang with --enable-metrics; check that the source"),
        (Source((), Trust.ABSENT), "source default: unreachable"),
        (Source(pages("sglang", age=200.0)), "the newest sample is 200 s old, scrapes come every 15 s"),
        (Source(pages("sglang", age=-60.0)), "samples are 60 s ahead of this clock"),
    ],
)
async def test_why_nothing_can_be_decided_is_one_line(source: Source, words: str) -> None:
    verdict = await look(source)
    assert not verdict.decides
    assert words in verdict.message
    assert len(verdict.message.splitlines()) == 1


async def test_an_old_signal_is_found_and_its_age_is_told() -> None:
    verdict = await look(Source(pages("sglang", age=200.0)))
    assert one(verdict, "finished").age_s == 200.0


async def test_a_gateway_is_looked_for_under_its_own_name() -> None:
    source = Source(pages("epp", pod="llama-epp-0"))
    verdict = await look(source, "epp", gateway="llama-epp")
    assert verdict.decides, verdict.message
    assert 'pod=~"llama-epp-.+"' in source.asked
    assert one(verdict, "held").series == 1
    assert one(verdict, "running") == Found("running", "llm_d_epp_request_running", 2, 3.0, "")
    assert "no gateway of prod/llama-epp reports" in (await look(Source(()), "epp", gateway="llama-epp")).message


async def test_of_old_and_new_names_the_one_that_is_there_is_told() -> None:
    verdict = await look(Source(pages("epp-old", pod="llama-epp-0")), "epp", gateway="llama-epp")
    assert one(verdict, "finished").metric == "inference_objective_request_duration_seconds_count"
    assert one(verdict, "held").without == "nothing is taken to wait at the gateway, as without flow control"
