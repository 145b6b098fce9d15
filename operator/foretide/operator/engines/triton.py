"""Triton Inference Server with the TensorRT-LLM backend. Its vLLM backend has vLLM's names: `engine: vllm`."""

from foretide.operator.engines.preset import Metric, Preset, signal

REQUESTS = "nv_trt_llm_request_metrics"

TRITON = Preset(
    engine="triton",
    signals=(
        signal("running", Metric(REQUESTS, only=(("request_type", "active"),))),
        signal("waiting", Metric(REQUESTS, only=(("request_type", "waiting"),))),
        # nv_inference_request_success counts a request once for every model of an ensemble.
        signal("finished", "nv_llm_output_token_len_count"),
        signal("prompt_tokens", "nv_llm_input_token_len_sum"),
        signal("output_tokens", "nv_llm_output_token_len_sum"),
        signal("kv_use", Metric("nv_trt_llm_kv_cache_block_metrics", only=(("kv_cache_block_type", "fraction"),))),
        signal("ttft_s", "nv_inference_first_response_histogram_ms_sum"),
    ),
    absent=(
        ("gap_s", "speed is not learned"),
        ("rejected", "while queues stand, more may be asked for than is seen, and replicas only rise"),
        ("aborted", "requests whose client went away are not told apart"),
    ),
    hint="serve with Triton's TensorRT-LLM backend, which exposes nv_llm_* and nv_trt_llm_*",
    # What waits is computed there as active less scheduled.
    running_holds_waiting=True,
)
