"""Series become engine counters per pod; what is missing stays missing."""

import re

import numpy as np
import pytest
from given import history
from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.engines.preset import FURTHER, NEEDED, QUEUE
from foretide.operator.seams import Scrape, Series
from foretide.operator.signals import backlog, escaped_regex, pod_series, selector, settled
from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Trust, frozen

NOW = 1000.0


def series(name: str, *values: float, pod: str = "a", end: float = NOW, **labels: str) -> Series:
    at = end - 15.0 * np.arange(len(values))[::-1]
    return Series({"__name__": name, "namespace": "prod", "pod": pod, **labels}, frozen(at), frozen(np.array(values)))


def queue(running: float = 1.0, waiting: float = 2.0, **labels: object) -> tuple[Series, ...]:
    return (
        series("vllm:num_requests_running", running, **labels),  # type: ignore[arg-type]
        series("vllm:num_requests_waiting", waiting, **labels),  # type: ignore[arg-type]
    )


def whole(pod: str = "a") -> tuple[Series, ...]:
    return (
        *(series(name, 1.0, 1.0, pod=pod) for name in ("vllm:num_requests_running", "vllm:num_requests_waiting")),
        series("vllm:request_success_total", 10.0, 20.0, pod=pod, finished_reason="stop"),
        series("vllm:request_success_total", 1.0, 3.0, pod=pod, finished_reason="length"),
        series("vllm:request_prompt_tokens_sum", 100.0, 300.0, pod=pod),
        series("vllm:request_generation_tokens_sum", 10.0, 30.0, pod=pod),
    )


def fresh(*found: Series) -> Scrape:
    return Scrape(found, Trust.FRESH)


def test_the_parts_of_one_metric_are_summed_per_scrape() -> None:
    engines = pod_series(fresh(*whole())).of("prod", {"a"})
    np.testing.assert_allclose(engines["a"].finished, [11.0, 23.0])
    np.testing.assert_allclose(engines["a"].at, [985.0, 1000.0])


def test_names_with_underscores_are_the_same_metrics() -> None:
    renamed = [
        Series(dict(one.labels) | {"__name__": one.metric.replace(":", "_")}, one.at, one.values) for one in whole()
    ]
    assert len(pod_series(fresh(*renamed)).of("prod", {"a"})["a"].at) == 2


def test_of_two_names_for_one_thing_only_the_preferred_counts() -> None:
    both = (*queue(waiting=5.0), series("vllm:num_requests_waiting_by_reason", 5.0, reason="capacity"))
    samples = pod_series(fresh(*both), needed=QUEUE).of("prod", {"a"})["a"]
    np.testing.assert_allclose(samples.waiting, [5.0])


def test_the_old_name_serves_where_the_new_one_is_missing() -> None:
    by_reason = (
        series("vllm:num_requests_running", 1.0),
        series("vllm:num_requests_waiting_by_reason", 3.0, reason="capacity"),
        series("vllm:num_requests_waiting_by_reason", 4.0, reason="deferred"),
    )
    samples = pod_series(fresh(*by_reason), needed=QUEUE).of("prod", {"a"})["a"]
    np.testing.assert_allclose(samples.waiting, [7.0])


def test_a_pod_that_lacks_a_metric_is_not_there_rather_than_zero() -> None:
    without_tokens = [one for one in whole() if "prompt" not in one.metric]
    assert pod_series(fresh(*without_tokens)).pods == {}


def test_a_bad_sample_in_between_is_a_gap_and_a_bad_newest_one_stays_to_be_judged() -> None:
    between = list(whole())
    between[0] = series("vllm:num_requests_running", np.nan, 1.0)
    newest = list(whole())
    newest[0] = series("vllm:num_requests_running", 1.0, np.nan)
    assert len(pod_series(fresh(*between)).of("prod", {"a"})["a"].at) == 1
    assert np.isnan(pod_series(fresh(*newest)).of("prod", {"a"})["a"].running[-1])


def test_another_namespace_with_the_same_pod_name_is_another_pod() -> None:
    assert pod_series(fresh(*whole())).of("dev", {"a"}) == {}


def test_the_backlog_sums_what_waits_in_the_ready_pods_only() -> None:
    found = pod_series(fresh(*queue(waiting=2.0), *queue(waiting=40.0, pod="starting")), needed=QUEUE)
    seen = backlog(found, namespace="prod", ready={"a"}, now=NOW, scrape_s=15.0)
    assert (seen.waiting, seen.running, seen.trust) == (2.0, 1.0, Trust.FRESH)


def test_a_backlog_of_some_of_the_ready_pods_is_partial() -> None:
    found = pod_series(fresh(*queue()), needed=QUEUE)
    assert backlog(found, namespace="prod", ready={"a", "b"}, now=NOW, scrape_s=15.0).trust is Trust.PARTIAL


@pytest.mark.parametrize(
    ("found", "trust"),
    [
        ((), Trust.ABSENT),
        (queue(end=NOW - 31.0), Trust.STALE),
        (queue(end=NOW + 16.0), Trust.STALE),
        (queue(waiting=np.nan), Trust.INVALID),
        (queue(running=np.inf), Trust.INVALID),
    ],
)
def test_a_backlog_that_cannot_be_read_is_none_and_never_zero(found: tuple[Series, ...], trust: Trust) -> None:
    seen = backlog(pod_series(fresh(*found), needed=QUEUE), namespace="prod", ready={"a"}, now=NOW, scrape_s=15.0)
    assert seen.waiting is None
    assert seen.trust is trust


def test_an_answer_with_warnings_makes_a_backlog_partial() -> None:
    found = pod_series(Scrape(queue(), Trust.PARTIAL, "warned"), needed=QUEUE)
    assert backlog(found, namespace="prod", ready={"a"}, now=NOW, scrape_s=15.0).trust is Trust.PARTIAL


def test_a_bin_that_cannot_be_known_yet_is_no_gap_and_one_that_should_be_known_is() -> None:
    unknown = history(5.0, np.nan, 5.0, np.nan, now=NOW)
    assert len(settled(unknown, until=NOW - 15.0).values) == 3
    assert len(settled(unknown, until=NOW).values) == 4
    assert np.isnan(settled(unknown, until=NOW - 15.0).values[1, 0])
    assert len(settled(history(np.nan, now=NOW), until=0.0).values) == 0


def test_the_selector_names_our_namespaces_and_nothing_else_varies() -> None:
    promql = selector({"prod", "dev"}, words=QUEUE)
    assert 'namespace=~"dev|prod"' in promql
    assert "vllm[:_]num_requests_waiting" in promql


@given(st.text(max_size=40))
def test_whatever_a_label_value_holds_it_stays_within_its_quotes_and_matches_only_itself(text: str) -> None:
    quoted = escaped_regex(text)
    assert not re.search(r'(?<!\\)(?:\\\\)*"', quoted)
    unquoted = quoted.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    assert re.fullmatch(unquoted, text)


def served(status: str, *values: float, handler: str = "/v1/completions", pod: str = "a") -> Series:
    return series("http_requests_total", *values, pod=pod, handler=handler, method="POST", status=status)


def read(*found: Series) -> EngineSamples:
    return pod_series(fresh(*whole(), *found)).of("prod", {"a"})["a"]


def test_what_an_engine_turned_away_is_read_off_its_api_server() -> None:
    samples = read(served("2xx", 50.0, 60.0), served("5xx", 1.0, 4.0), served("429", 0.0, 2.0))
    assert samples.rejected is not None
    np.testing.assert_allclose(samples.rejected, [1.0, 6.0])


def test_answers_alone_show_that_rejections_would_be_told() -> None:
    samples = read(served("2xx", 50.0, 60.0))
    assert samples.rejected is not None
    np.testing.assert_allclose(samples.rejected, [0.0, 0.0])


def test_a_status_that_appears_later_counts_from_nought() -> None:
    samples = read(served("2xx", 50.0, 60.0), served("503", 3.0))
    assert samples.rejected is not None
    np.testing.assert_allclose(samples.rejected, [0.0, 3.0])


def test_without_the_api_servers_counter_rejections_are_not_exposed() -> None:
    assert read().rejected is None
    assert read(served("5xx", 1.0, 4.0, handler="/health")).rejected is None


def test_aborted_requests_are_a_part_of_the_finished_ones() -> None:
    samples = read(series("vllm:request_success_total", 2.0, 5.0, finished_reason="abort"))
    assert samples.aborted is not None
    np.testing.assert_allclose(samples.aborted, [2.0, 5.0])
    np.testing.assert_allclose(samples.finished, [13.0, 28.0])


def test_engines_that_do_not_show_their_queue_are_not_read_by_throughput_and_it_is_said_which_metric_lacks() -> None:
    blind = [one for one in whole() if "waiting" not in one.metric]
    found = pod_series(fresh(*blind))
    assert found.of("prod", {"a"}) == {}
    assert "vllm:num_requests_waiting" in found.lacks("prod", {"a"})
    assert found.lacks("prod", {"b"}) == ""


def test_only_posts_are_asked_for_and_only_where_completions_are() -> None:
    assert "http_requests_total" in selector({"prod"})
    assert 'method=~"|POST"' in selector({"prod"})
    assert "http_requests_total" not in selector({"prod"}, words=QUEUE)


def gaps_of(name: str) -> tuple[Series, ...]:
    return series(f"{name}_sum", 2.0, 6.0), series(f"{name}_count", 100.0, 300.0)


def test_token_gaps_are_read_under_their_new_and_old_names_and_need_not_be_there() -> None:
    new, old = "vllm:inter_token_latency_seconds", "vllm_time_per_output_token_seconds"
    assert read(*gaps_of(new)).gap_s is not None
    told = read(*gaps_of(old))
    assert told.gap_s is not None
    assert told.gaps is not None
    assert (told.gap_s[-1], told.gaps[-1]) == (6.0, 300.0)
    assert read().gap_s is None
    assert "inter_token_latency_seconds_sum" in selector({"prod"}, words=(*NEEDED, *FURTHER))
    assert "inter_token_latency_seconds_sum" not in selector({"prod"}), "the past asks for demand only"
