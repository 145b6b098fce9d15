"""Every preset against a real Prometheus that scrapes pages of its engine: the demand read is the demand made."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exposed import GAP_S, OUTPUT, PAGES, PROMPT, Told
from pages import pages
from shell import LastValue
from twins import resource

from foretide.cli.bed.binaries import programs
from foretide.cli.bed.prometheus import Prometheus as Scraper
from foretide.cli.main import run
from foretide.operator.look import Look
from foretide.operator.pods import Replica, Starts
from foretide.operator.prometheus import Prometheus
from foretide.operator.reading import Reading
from foretide.operator.resource import API_VERSION, KIND, parse
from foretide.operator.seams import Scale
from foretide.operator.settings import Settings, SourceSettings
from foretide.operator.signals import PodSeries
from foretide.operator.target import Target
from foretide.policies.flow import (
    OUTPUT_TOKENS,
    PROMPT_TOKENS,
    REQUESTS,
    Backlog,
    ColdStart,
    DemandHistory,
    Memory,
    Trust,
)

pytestmark = pytest.mark.bed
RATE, REFUSED, SCRAPE_S = 3.0, 0.5, 1.0
"""Requests/s that each pod finishes, and turns away where its engine says so."""
WATCHED_S = 12.0
GATEWAYS = {"dynamo": "frontend", "epp": "llama-epp", "epp-old": "llama-epp"}
REPLICAS = ("llama-0", "llama-1")


@dataclass
class Pages:
    """All engines at one address: /targets lists them, /PAGE/POD is one pod. The pods of a page are its namespace's."""

    began: float

    def pods(self, page: str) -> tuple[str, ...]:
        return (f"{GATEWAYS[page]}-0",) if page in GATEWAYS else REPLICAS

    def targets(self, port: int) -> str:
        return json.dumps(
            [
                {
                    "targets": [f"127.0.0.1:{port}"],
                    "labels": {"__metrics_path__": f"/{page}", "namespace": page, "pod": pod},
                }
                for page in PAGES
                for pod in self.pods(page)
            ]
        )

    def page(self, name: str) -> str:
        age = time.time() - self.began
        return PAGES[name](Told(done=RATE * age, refused=REFUSED * age))


@pytest.fixture(scope="module")
def scraper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraper]:
    """A Prometheus that has watched all engines for a while."""
    engines = Pages(time.time() - 1000.0)
    program = programs(("prometheus",), build=True)["prometheus"]
    running = Scraper(program, tmp_path_factory.mktemp("prometheus"), scrape_s=SCRAPE_S)
    with pages(targets=engines.targets, page=engines.page) as listed:
        running.start()
        running.discover("engines", listed)
        try:
            _until_all_are_scraped(running)
            time.sleep(WATCHED_S)
            yield running
        finally:
            running.stop()


def _until_all_are_scraped(scraper: Scraper) -> None:
    end = time.monotonic() + 60.0
    expected = sum(1 if page in GATEWAYS else len(REPLICAS) for page in PAGES)
    while len(scraper.query("up == 1")) < expected:
        assert time.monotonic() < end, scraper.query("up")
        time.sleep(0.3)


@dataclass
class Seen:
    history: DemandHistory
    past: DemandHistory | None
    backlog: Backlog
    series: PodSeries


async def seen(scraper: Scraper, page: str, **spec: Any) -> Seen:
    """What the operator reads of the resource whose engines say `page`."""
    metrics = {"gateway": GATEWAYS[page]} if page in GATEWAYS else {}
    usual = {"engine": page.removesuffix("-old"), "model": "org/llama-3.1-8b", "metrics": metrics}
    body = resource(**usual | spec)
    body["metadata"]["namespace"] = page
    target = parse(body, strict=True).resource
    assert target is not None, parse(body, strict=True).problems
    source = SourceSettings("default", scraper.url, scrape_s=SCRAPE_S)
    settings = Settings(
        {"default": source}, "test", plan_s=3.0, relief_s=1.0, step_s=2.0, first_life_s=8.0, backfill_s=12
    )
    async with Prometheus(source) as prometheus:
        reading, now = Reading(settings, {"default": prometheus}), time.time()
        ((_, series),) = (await reading.plan([target], now=now)).items()
        ((_, queues),) = (await reading.queues([target], now=now)).items()
        past = await reading.past(target, now=now)
    known = Target("uid", Memory(now), LastValue(), Starts(ColdStart(60.0, 0.6)), pods=dict.fromkeys(REPLICAS, now))
    look = Look(Scale(2, "1", "app=llama"), tuple(_ready(name) for name in REPLICAS), "")
    return Seen(
        reading.history(series, resource=target, target=known, look=look, now=now),
        past,
        reading.backlog(queues, resource=target, look=look, now=now),
        series,
    )


def _ready(name: str) -> Replica:
    return Replica(name, "abc", True, False, False, 0.0, "", None)


EXPECTED = {
    # page: demand in requests/s, waiting, running
    "sglang": (2 * RATE, 4, 12),
    "tgi": (2 * (RATE + REFUSED), 4, 12),
    "trtllm": (2 * RATE, 4, 12),
    "triton": (2 * RATE, 4, 12),
    "dynamo": (RATE + REFUSED, 2, 6),
    "epp": (RATE + REFUSED, 3, 6),
    "epp-old": (RATE + REFUSED, 2, 6),
}


@pytest.mark.parametrize("page", PAGES)
async def test_the_demand_read_is_the_demand_made(scraper: Scraper, page: str) -> None:
    told, (rate, waiting, running) = await seen(scraper, page), EXPECTED[page]
    assert told.history.trust is Trust.FRESH, told.history.why
    known = told.history.values[np.isfinite(told.history.values).all(axis=1)][1:]
    assert len(known) >= 2, "the first bin was half over when watching began"
    np.testing.assert_allclose(known[:, REQUESTS], rate, rtol=0.1)
    np.testing.assert_allclose(known[:, PROMPT_TOKENS] / known[:, REQUESTS], PROMPT, rtol=0.02)
    np.testing.assert_allclose(known[:, OUTPUT_TOKENS] / known[:, REQUESTS], OUTPUT, rtol=0.02)
    assert (told.backlog.waiting, told.backlog.running, told.backlog.trust) == (waiting, running, Trust.FRESH)


@pytest.mark.parametrize("page", PAGES)
async def test_the_past_is_read_by_the_same_names(scraper: Scraper, page: str) -> None:
    past = (await seen(scraper, page)).past
    assert past is not None
    known = past.values[np.isfinite(past.values).all(axis=1), REQUESTS]
    assert len(known) >= 2
    np.testing.assert_allclose(known[-2:], EXPECTED[page][0], rtol=0.25)


async def test_only_an_engine_that_tells_the_time_of_each_token_teaches_its_speed(scraper: Scraper) -> None:
    pods = (await seen(scraper, "sglang")).series.replicas("sglang", REPLICAS)
    assert set(pods) == set(REPLICAS)
    for samples in pods.values():
        assert samples.gap_s is not None
        assert samples.gaps is not None
        np.testing.assert_allclose(samples.gap_s / samples.gaps, GAP_S, rtol=1e-3)
    slow = (await seen(scraper, "trtllm")).series.replicas("trtllm", REPLICAS)
    assert [samples.gap_s for samples in slow.values()] == [None, None]


async def test_a_gateway_says_nothing_about_single_replicas(scraper: Scraper) -> None:
    series = (await seen(scraper, "dynamo")).series
    assert series.replicas("dynamo", ("frontend-0",)) == {}
    assert series.in_flight("dynamo", ("frontend-0",)) == {}


async def test_metrics_that_the_owner_names_are_read_instead(scraper: Scraper) -> None:
    queries = {
        "running": "tgi_batch_current_size",
        "waiting": "tgi_queue_size",
        "finished": "tgi_request_success",
        "promptTokens": "tgi_request_input_length_sum",
        "outputTokens": "tgi_request_generated_tokens_sum",
        "rejected": 'tgi_request_failure{err="overloaded"}',
    }
    told = await seen(scraper, "tgi", engine="custom", metrics={"queries": queries})
    known = told.history.values[np.isfinite(told.history.values).all(axis=1)][1:]
    np.testing.assert_allclose(known[:, REQUESTS], 2 * (RATE + REFUSED), rtol=0.1)


async def test_the_wrong_engine_reads_nothing_and_says_what_lacks(scraper: Scraper) -> None:
    told = await seen(scraper, "tgi", engine="sglang")
    assert told.history.trust is Trust.ABSENT
    assert "start SGLang with --enable-metrics" in told.history.why


@pytest.mark.parametrize("page", PAGES)
def test_validate_live_finds_every_signal_that_demand_needs(
    scraper: Scraper, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = {"gateway": GATEWAYS[page]} if page in GATEWAYS else {}
    body = resource(engine=page.removesuffix("-old"), model="org/llama-3.1-8b", metrics=metrics)
    file = tmp_path / "llama.json"
    file.write_text(json.dumps({**body, "apiVersion": API_VERSION, "kind": KIND}), encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run(["validate", "--live", str(file), "--prometheus", scraper.url, "-n", page, "-o", "json"])
    (told,) = json.loads(capsys.readouterr().out)
    assert not ended.value.code, told["message"]
    needed = {one["signal"]: one for one in told["signals"][:5]}
    assert set(needed) == {"running", "waiting", "finished", "promptTokens", "outputTokens"}
    assert all(one["series"] >= 1 and one["newestAgeSeconds"] < 15 for one in needed.values())
