"""SGLang: its scheduler tells the queue, its tokenizer manager what was finished."""

from foretide.operator.engines.preset import Preset, histogram, signal

SGLANG = Preset(
    engine="sglang",
    signals=(
        signal("running", "sglang:num_running_reqs"),
        signal("waiting", "sglang:num_queue_reqs"),
        signal("finished", "sglang:num_requests_total", "sglang:e2e_request_latency_seconds_count"),
        signal("prompt_tokens", "sglang:prompt_tokens_total"),
        signal("output_tokens", "sglang:generation_tokens_total"),
        *histogram("gap_s", "gaps", "sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
        signal("aborted", "sglang:num_aborted_requests_total"),
        signal("kv_use", "sglang:token_usage"),
        signal("ttft_s", "sglang:time_to_first_token_seconds_sum"),
    ),
    absent=(("rejected", "while queues stand, more may be asked for than is seen, and replicas only rise"),),
    hint="start SGLang with --enable-metrics",
    # Ranks of one tensor- or pipeline-parallel group run the same requests; ranks of data parallelism do not, and have
    # a label dp_rank of their own.
    copies=("tp_rank", "pp_rank"),
    appears_with_use=True,
)
