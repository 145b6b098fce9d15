"""vLLM, old names and new."""

from foretide.operator.engines.preset import Metric, Preset, histogram, signal

FINISHED = "vllm:request_success_total"

VLLM = Preset(
    engine="vllm",
    signals=(
        signal("running", "vllm:num_requests_running"),
        signal("waiting", "vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason"),
        signal("finished", FINISHED, "vllm:e2e_request_latency_seconds_count"),
        signal("prompt_tokens", "vllm:request_prompt_tokens_sum"),
        signal("output_tokens", "vllm:request_generation_tokens_sum"),
        *histogram("gap_s", "gaps", "vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
        # What its API server counts: the one place where it shows what it turned away. It groups all of its 500s.
        signal(
            "rejected",
            Metric("http_requests_total", only=(("handler", "/v1/.*"),), counts=(("status", "429|503|5xx"),)),
        ),
        signal("aborted", Metric(FINISHED, only=(("finished_reason", ".+"),), counts=(("finished_reason", "abort"),))),
        signal("kv_use", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        signal("ttft_s", "vllm:time_to_first_token_seconds_sum"),
    ),
    # Its own metrics have no label `method`, and match as well.
    asked=(("method", "|POST"),),
)
