"""The endpoint picker of the Gateway API inference extension: names of llm-d's router, and both older generations.

All models of a pool, adapters included, are its demand: one picker serves one pool.
"""

from foretide.operator.engines.preset import ELSEWHERE, Metric, Preset, Signal, signal

NEW, OLD, OLDEST = "llm_d_epp", "inference_objective", "inference_model"


def _requests(word: str, new: str, old: str) -> Signal:
    return signal(word, f"{NEW}_{new}", f"{OLD}_{old}", f"{OLDEST}_{old}")


EPP = Preset(
    engine="epp",
    signals=(
        _requests("running", "request_running", "running_requests"),
        signal("waiting", f"{NEW}_per_endpoint_queue_size", "inference_pool_per_pod_queue_size"),
        signal("held", f"{NEW}_flow_control_queue_size", "inference_extension_flow_control_queue_size"),
        _requests("finished", "request_duration_seconds_count", "request_duration_seconds_count"),
        _requests("prompt_tokens", "request_input_tokens_sum", "input_tokens_sum"),
        _requests("output_tokens", "request_output_tokens_sum", "output_tokens_sum"),
        signal(
            "rejected",
            *(
                Metric(f"{era}_request_error_total", counts=(("error_code", "InferencePoolResourceExhausted"),))
                for era in (NEW, OLD, OLDEST)
            ),
        ),
        signal("kv_use", f"{NEW}_average_kv_cache_utilization", "inference_pool_average_kv_cache_utilization"),
        signal("ttft_s", f"{NEW}_request_ttft_seconds_sum", f"{OLD}_request_ttft_seconds_sum"),
    ),
    absent=(("gap_s", ELSEWHERE), ("aborted", "requests whose client went away are not told apart")),
    hint="scrape the picker's port 9090, which asks for a token unless told otherwise",
    gateway=True,
    running_holds_waiting=True,
    appears_with_use=True,
)
