"""trtllm-serve of TensorRT-LLM, at /prometheus/metrics."""

from foretide.operator.engines.preset import Preset, signal

TRTLLM = Preset(
    engine="trtllm",
    signals=(
        signal("running", "trtllm_num_requests_running"),
        signal("waiting", "trtllm_num_requests_waiting"),
        signal("finished", "trtllm_request_success_total", "trtllm_e2e_request_latency_seconds_count"),
        signal("prompt_tokens", "trtllm_prompt_tokens_total"),
        signal("output_tokens", "trtllm_generation_tokens_total"),
        signal("kv_use", "trtllm_kv_cache_utilization"),
        signal("ttft_s", "trtllm_time_to_first_token_seconds_sum"),
    ),
    absent=(
        ("gap_s", "its time per token is one mean a request, not one a token: speed is not learned"),
        ("rejected", "while queues stand, more may be asked for than is seen, and replicas only rise"),
        ("aborted", "requests whose client went away are not told apart"),
    ),
    hint="scrape /prometheus/metrics of trtllm-serve, with return_perf_metrics and enable_iter_perf_stats true",
    appears_with_use=True,
)
