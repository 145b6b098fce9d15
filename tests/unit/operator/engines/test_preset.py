"""Presets: what is asked for each engine is bounded and well formed, and what its pages say is read rightly."""

import re

import numpy as np
import pytest
from exposed import PAGES, Told
from prometheus_client.parser import text_string_to_metric_families

from foretide.operator.engines import ENGINES
from foretide.operator.engines.preset import FURTHER, NEEDED, QUEUE, Metric, Preset, matches
from foretide.operator.seams import Scrape, Series
from foretide.operator.signals import PodSeries, pod_series, selector
from foretide.policies.flow import Trust, frozen

READY = [preset for preset in ENGINES.values() if preset.signals]
SHAPE = re.compile(r'\{__name__=~"(?P<names>[^"]+)",namespace=~"prod",pod(!=""|=~"llama-\.\+")(,[a-z]+=~"[^"]*")*\}')
WORDS = {*NEEDED, *FURTHER, "held", "rejected", "aborted", "kv_use", "ttft_s"}


def scraped(page: str, *told: Told, pod: str = "llama-0", without: str = "^$") -> list[Series]:
    """A pod's pages, one each 15 s, as Prometheus would give them for the model that is meant."""
    found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for i, one in enumerate(told):
        for name, labels, value in re.findall(r"(?m)^([a-z:_]+)(?:\{(.*)\})? (\S+)$", PAGES[page](one)):
            own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            if not re.search(without, name) and own.get("model") != "other":
                key = tuple(sorted({"__name__": name, "namespace": "prod", "pod": pod, **own}.items()))
                found.setdefault(key, []).append((1000.0 + 15.0 * i, float(value)))
    return [
        Series(dict(labels), frozen(np.array(values)[:, 0]), frozen(np.array(values)[:, 1]))
        for labels, values in found.items()
    ]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_that_the_tests_make_are_in_prometheus_format(page: str) -> None:
    families = [family.name for family in text_string_to_metric_families(PAGES[page](Told(10.0)))]
    assert len(families) >= 5


def read(page: str, *series: Series) -> PodSeries:
    return pod_series(Scrape(series, Trust.FRESH), preset=ENGINES[page.removesuffix("-old")])


@pytest.mark.parametrize("preset", READY, ids=lambda preset: preset.engine)
@pytest.mark.parametrize("words", [QUEUE, NEEDED, (*NEEDED, *FURTHER)])
@pytest.mark.parametrize("pods_of", ["", "llama"])
def test_what_is_asked_is_one_bounded_selector_of_known_names(
    preset: Preset, words: tuple[str, ...], pods_of: str
) -> None:
    promql = selector({"prod"}, words=words, pods_of=pods_of, preset=preset, model="org/llama")
    shape = SHAPE.fullmatch(promql)
    assert shape, promql
    names = shape["names"].split("|")
    assert all(re.fullmatch(r"[a-z](\w|\[:_\])*", name) for name in names), "nothing that matches more than itself"
    assert len(names) == len(set(names)) <= 30
    assert len(promql) < 2000


@pytest.mark.parametrize("preset", READY, ids=lambda preset: preset.engine)
def test_a_preset_has_what_demand_needs_and_says_of_every_other_word_why_it_has_it_not(preset: Preset) -> None:
    told = [signal.word for signal in preset.signals]
    absent = [word for word, _ in preset.absent]
    assert len(told) == len(set(told))
    assert set(NEEDED) <= set(told) <= WORDS
    assert not set(told) & set(absent)
    assert {"gap_s", "rejected", "aborted", "kv_use", "ttft_s"} <= {*told, *absent}
    assert all(why for _, why in preset.absent)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_read_as_what_it_says(page: str) -> None:
    samples = read(page, *scraped(page, Told(100.0, 5.0), Told(130.0, 7.0))).of("prod", {"llama-0"})["llama-0"]
    np.testing.assert_allclose(samples.at, [1000.0, 1015.0])
    np.testing.assert_allclose(samples.finished, [100.0, 130.0])
    np.testing.assert_allclose(samples.prompt_tokens, [100e3, 130e3])
    np.testing.assert_allclose(samples.output_tokens, [20e3, 26e3])
    np.testing.assert_allclose(samples.running, [6.0, 6.0])
    np.testing.assert_allclose(samples.waiting, [3.0, 3.0] if page == "epp" else [2.0, 2.0])


@pytest.mark.parametrize(("page", "refused"), [("tgi", True), ("epp", True), ("epp-old", True), ("sglang", False)])
def test_what_was_turned_away_is_counted_where_it_is_told_and_else_not_known(page: str, refused: bool) -> None:
    samples = read(page, *scraped(page, Told(100.0, 5.0), Told(130.0, 7.0))).of("prod", {"llama-0"})["llama-0"]
    assert (samples.rejected is not None) == refused
    if samples.rejected is not None:
        np.testing.assert_allclose(samples.rejected, [5.0, 7.0])


def test_ranks_that_run_the_same_requests_count_once_and_ranks_that_run_others_add_up() -> None:
    def gauge(**ranks: str) -> Series:
        labels = {"__name__": "sglang:num_queue_reqs", "namespace": "prod", "pod": "a", **ranks}
        return Series(labels, frozen(np.array([1000.0])), frozen(np.array([4.0])))

    same = [gauge(tp_rank="0", dp_rank="0"), gauge(tp_rank="1", dp_rank="0")]
    other = [gauge(tp_rank="2", dp_rank="1"), gauge(tp_rank="3", dp_rank="1")]
    running = [
        Series({**one.labels, "__name__": "sglang:num_running_reqs"}, one.at, one.values) for one in same + other
    ]
    found = pod_series(Scrape((*same, *other, *running), Trust.FRESH), needed=QUEUE, preset=ENGINES["sglang"])
    assert found.of("prod", {"a"})["a"].waiting.tolist() == [8.0]


COUNTERS = "requests_total|tokens_total|latency"


def test_a_pod_that_has_finished_nothing_yet_stands_at_nought_if_another_shows_that_it_would_be_told() -> None:
    fresh = scraped("sglang", Told(0.0), Told(0.0), pod="llama-1", without=COUNTERS)
    found = read("sglang", *scraped("sglang", Told(10.0), Told(20.0)), *fresh).of("prod", {"llama-1"})
    np.testing.assert_allclose(found["llama-1"].finished, [0.0, 0.0])


def test_counters_that_nobody_shows_stay_missing_and_it_is_said_when_they_come_and_what_to_do() -> None:
    found = read("sglang", *scraped("sglang", Told(0.0), Told(0.0), without=COUNTERS))
    assert found.of("prod", {"llama-0"}) == {}
    told = found.lacks("prod", {"llama-0"})
    assert "without sglang:generation_tokens_total, sglang:num_requests_total, sglang:prompt_tokens_total" in told
    assert "appear with the first finished request" in told
    assert told.endswith("start SGLang with --enable-metrics, or name others in metrics.queries")


def test_a_counter_that_appears_later_counts_from_nought() -> None:
    early = scraped("trtllm", Told(0.0), without="success|tokens_total")
    late = [Series(one.labels, frozen(one.at + 15.0), one.values) for one in scraped("trtllm", Told(3.0))]
    samples = read("trtllm", *early, *late).of("prod", {"llama-0"})["llama-0"]
    np.testing.assert_allclose(samples.finished, [0.0, 3.0])


def test_an_engine_that_shows_all_counters_from_the_start_is_not_taken_to_stand_at_nought() -> None:
    lacking = scraped("triton", Told(0.0), Told(0.0), pod="llama-1", without="nv_llm")
    found = read("triton", *scraped("triton", Told(10.0), Told(20.0)), *lacking)
    assert set(found.of("prod", {"llama-0", "llama-1"})) == {"llama-0"}


def test_a_gateways_pods_tell_demand_for_all_replicas_and_nothing_of_each() -> None:
    found = read("epp", *scraped("epp", Told(10.0), Told(20.0), pod="llama-epp-0"))
    assert set(found.of("prod", {"llama-0"})) == {"llama-epp-0"}
    assert found.of("dev", {"llama-0"}) == {}
    assert found.replicas("prod", {"llama-epp-0"}) == {}
    assert found.in_flight("prod", {"llama-epp-0"}) == {}


def test_a_model_is_meant_in_any_case_of_letters_and_by_nothing_but_its_name() -> None:
    promql = selector({"prod"}, preset=ENGINES["dynamo"], model='org/Llama-3.1"')
    assert ',model=~"(?i:org/Llama-3\\\\.1\\")"' in promql
    assert "(?i:" not in selector({"prod"}, preset=ENGINES["epp"], model="llama")


def test_labels_must_match_as_a_whole_and_a_missing_one_is_the_empty_text() -> None:
    assert matches((("handler", "/v1/.*"),), {"handler": "/v1/completions"})
    assert not matches((("handler", "/v1/.*"),), {"handler": "/x/v1/completions"})
    assert not matches((("finished_reason", ".+"),), {})


def test_a_metric_is_written_as_prometheus_selects_what_counts() -> None:
    assert str(Metric("a_total")) == "a_total"
    assert str(Metric("a", only=(("kind", r"b\.c-d"),))) == r'a{kind=~"b\.c-d"}'
    assert ENGINES["triton"].preferred("waiting") == 'nv_trt_llm_request_metrics{request_type="waiting"}'
    assert ENGINES["vllm"].preferred("aborted") == 'vllm:request_success_total{finished_reason="abort"}'
    assert ENGINES["dynamo"].preferred("finished").startswith('dynamo_frontend_requests_total{error_type!~"overload|')
