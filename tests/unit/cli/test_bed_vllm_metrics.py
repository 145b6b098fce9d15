import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from foretide.cli.bed.vllm_metrics import exposition
from foretide.simulator.engine_metrics import EngineMetrics, Finished


def engine() -> EngineMetrics:
    metrics = EngineMetrics(running=3, waiting=2, kv_usage=0.25)
    columns = ([0.05, 0.6], [0.012, np.nan], [1.0, 0.6], [100.0, 250.0], [21.0, 1.0])
    metrics.add(Finished(*(np.array(column) for column in columns)))
    return metrics


def samples(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_scrape_says_what_the_engine_counted() -> None:
    found = samples(exposition(engine(), model="m"))
    assert found["vllm:num_requests_running", ""] == 3
    assert found["vllm:num_requests_waiting", ""] == 2
    assert found["vllm:kv_cache_usage_perc", ""] == 0.25
    assert found["vllm:request_success_total", ""] == found["http_requests_total", ""] == 2
    assert found["vllm:prompt_tokens_total", ""] == found["vllm:request_prompt_tokens_sum", ""] == 350
    assert found["vllm:generation_tokens_total", ""] == found["vllm:request_generation_tokens_sum", ""] == 22
    assert found["vllm:time_to_first_token_seconds_bucket", "0.5"] == 1
    assert found["vllm:time_to_first_token_seconds_bucket", "+Inf"] == 2


def test_a_request_of_one_token_has_no_time_between_tokens() -> None:
    found = samples(exposition(engine(), model="m"))
    assert found["vllm:request_time_per_output_token_seconds_count", ""] == 1
    assert found["vllm:inter_token_latency_seconds_count", ""] == 20


def test_old_names_replace_the_new_ones() -> None:
    found = {name for name, _ in samples(exposition(engine(), model="m", old_names=True))}
    assert {"vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds_count"} <= found
    assert not {"vllm:kv_cache_usage_perc", "vllm:inter_token_latency_seconds_count"} & found
