"""What engines and gateways of every preset say on their metrics page, for a real Prometheus. The numbers are ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

PROMPT, OUTPUT = 1000.0, 200.0
"""Tokens of every request."""
GAP_S = 0.02
"""Between two tokens."""


@dataclass(frozen=True)
class Told:
    """What one pod knows: counts since its start, and its queue now."""

    done: float
    refused: float = 0.0
    running: int = 6
    waiting: int = 2


def family(name: str, kind: str, *samples: tuple[Mapping[str, object], float], suffix: str = "") -> str:
    """One metric with its HELP and TYPE lines."""
    lines = [f"{name}{suffix}{_labels(labels)} {value:.12g}" for labels, value in samples]
    return "\n".join((f"# HELP {name} About {name}.", f"# TYPE {name} {kind}", *lines)) + "\n"


def buckets(name: str, labels: Mapping[str, object], *, mean: float, count: float, bounds: tuple[float, ...]) -> str:
    """A histogram whose observations are all alike."""
    below = [({**labels, "le": f"{bound:g}"}, count if mean <= bound else 0.0) for bound in bounds]
    lines = [
        f"{name}_bucket{_labels(where)} {value:.12g}" for where, value in (*below, ({**labels, "le": "+Inf"}, count))
    ]
    lines += [f"{name}_sum{_labels(labels)} {mean * count:.12g}", f"{name}_count{_labels(labels)} {count:.12g}"]
    return "\n".join((f"# HELP {name} About {name}.", f"# TYPE {name} histogram", *lines)) + "\n"


def _labels(labels: Mapping[str, object]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def sglang(told: Told) -> str:
    """Two tensor-parallel ranks that both report, and the tokenizer manager."""
    model = {"model_name": "llama"}
    ranks = [{**model, "engine_type": "unified", "tp_rank": rank, "pp_rank": 0, "moe_ep_rank": 0} for rank in (0, 1)]
    return (
        family("sglang:num_running_reqs", "gauge", *((rank, told.running) for rank in ranks))
        + family("sglang:num_queue_reqs", "gauge", *((rank, told.waiting) for rank in ranks))
        + family("sglang:token_usage", "gauge", *((rank, 0.31) for rank in ranks))
        + family("sglang:num_requests_total", "counter", (model, told.done))
        + family("sglang:prompt_tokens_total", "counter", (model, PROMPT * told.done))
        + family("sglang:generation_tokens_total", "counter", (model, OUTPUT * told.done))
        + buckets(
            "sglang:inter_token_latency_seconds", model, mean=GAP_S, count=OUTPUT * told.done, bounds=(0.01, 0.025, 0.1)
        )
        + buckets("sglang:time_to_first_token_seconds", model, mean=0.3, count=told.done, bounds=(0.1, 0.5, 2.0))
    )


def tgi(told: Told) -> str:
    """No label at all but the error's; histograms in its own steps."""
    failed = [({"err": "overloaded"}, told.refused), ({"err": "validation"}, 3 * told.done)]
    return (
        family("tgi_batch_current_size", "gauge", ({}, told.running))
        + family("tgi_queue_size", "gauge", ({}, told.waiting))
        + family("tgi_request_count", "counter", ({}, told.done + told.running + told.waiting))
        + family("tgi_request_success", "counter", ({}, told.done))
        + family("tgi_request_failure", "counter", *failed)
        + buckets("tgi_request_input_length", {}, mean=PROMPT, count=told.done, bounds=(512.0, 1024.0, 4096.0))
        + buckets("tgi_request_generated_tokens", {}, mean=OUTPUT, count=told.done, bounds=(64.0, 256.0, 1024.0))
        + buckets("tgi_request_queue_duration", {}, mean=0.1, count=told.done, bounds=(0.00015, 0.1, 1.2))
    )


def trtllm(told: Told) -> str:
    labels = {"engine_type": "undefined", "model_name": "llama"}
    return (
        family("trtllm_num_requests_running", "gauge", (labels, told.running))
        + family("trtllm_num_requests_waiting", "gauge", (labels, told.waiting))
        + family("trtllm_kv_cache_utilization", "gauge", (labels, 0.4))
        + family("trtllm_request_success_total", "counter", ({**labels, "finished_reason": "stop"}, told.done))
        + family("trtllm_prompt_tokens_total", "counter", (labels, PROMPT * told.done))
        + family("trtllm_generation_tokens_total", "counter", (labels, OUTPUT * told.done))
        + buckets("trtllm_time_per_output_token_seconds", labels, mean=GAP_S, count=told.done, bounds=(0.01, 0.05, 1.0))
        + buckets("trtllm_time_to_first_token_seconds", labels, mean=0.3, count=told.done, bounds=(0.1, 0.5, 2.0))
    )


def triton(told: Told) -> str:
    """An ensemble of three models; only the TensorRT-LLM one knows of tokens."""
    model = {"model": "tensorrt_llm", "version": "1"}
    kinds = {"active": told.running + told.waiting, "scheduled": told.running, "waiting": told.waiting, "max": 64}
    used = {"fraction": 0.4, "tokens_per": 64, "max": 1000}
    kinds_of = [({**model, "request_type": kind}, value) for kind, value in kinds.items()]
    models = [({"model": name, "version": "1"}, told.done) for name in ("ensemble", "preprocessing", "tensorrt_llm")]
    tokens = (("input", PROMPT), ("output", OUTPUT))
    return (
        family("nv_inference_request_success", "counter", *models)
        + family("nv_trt_llm_request_metrics", "gauge", *kinds_of)
        + family(
            "nv_trt_llm_kv_cache_block_metrics",
            "gauge",
            *(({**model, "kv_cache_block_type": kind}, value) for kind, value in used.items()),
        )
        + "".join(
            buckets(
                f"nv_llm_{way}_token_len",
                {**model, "response_metric_type": f"total_{way}_tokens"},
                mean=mean,
                count=told.done,
                bounds=(10.0, 100.0, 1000.0),
            )
            for way, mean in tokens
        )
    )


def dynamo(told: Told) -> str:
    """A frontend that serves another model as well."""
    return _frontend("Org/Llama-3.1-8B", told) + _frontend("other", Told(done=50 * told.done, running=90))


def _frontend(model: str, told: Told) -> str:
    labels = {"model": model}
    how = {**labels, "endpoint": "chat_completions", "request_type": "stream"}
    ended = [({**how, "status": "success", "error_type": ""}, told.done)]
    ended += [({**how, "status": "error", "error_type": "overload"}, told.refused)]
    ended += [({**how, "status": "error", "error_type": "validation"}, 3 * told.done)]
    name = "dynamo_frontend"
    return (
        family(f"{name}_inflight_requests", "gauge", (labels, told.running + told.waiting))
        + family(f"{name}_queued_requests", "gauge", (labels, told.waiting))
        + family(f"{name}_requests_total", "counter", *ended)
        + buckets(f"{name}_input_sequence_tokens", labels, mean=PROMPT, count=told.done, bounds=(50.0, 2000.0))
        + buckets(f"{name}_output_sequence_tokens", labels, mean=OUTPUT, count=told.done, bounds=(50.0, 2000.0))
        + buckets(f"{name}_time_to_first_token_seconds", labels, mean=0.3, count=told.done, bounds=(0.1, 0.5))
    )


def epp_new(told: Told) -> str:
    """llm-d's router, with flow control: one request more waits at the gateway."""
    pool = {"inference_pool": "llama", "model_name": "llama", "fairness_id": "default-flow", "priority": "0"}
    held = family("llm_d_epp_flow_control_queue_size", "gauge", (pool, 1))
    more = {"fairness_id": "default-flow", "priority": "0"}
    queue = "llm_d_epp_per_endpoint_queue_size", "model_server_endpoint"
    names = "llm_d_epp_request", "llm_d_epp_request_running", "llm_d_epp_request_"
    return held + _picker(names, queue, told, more)


def epp_old(told: Told) -> str:
    """The Gateway API inference extension's own names."""
    name, queue = "inference_objective", ("inference_pool_per_pod_queue_size", "model_server_pod")
    return _picker((f"{name}_request", f"{name}_running_requests", f"{name}_"), queue, told, {})


def _picker(names: tuple[str, str, str], queue: tuple[str, str], told: Told, more: Mapping[str, object]) -> str:
    """A base model and an adapter share the pool."""
    request, running, tokens = names
    models = [{"model_name": name, "target_model_name": name, **more} for name in ("llama", "llama-support")]
    errors = [({**models[0], "error_code": "InferencePoolResourceExhausted"}, told.refused)]
    errors += [({**models[0], "error_code": "BadRequest"}, 3 * told.done)]
    half, flying = told.done / 2, (told.running + told.waiting) / 2
    shares = [
        buckets(f"{request}_duration_seconds", one, mean=4.0, count=half, bounds=(1.0, 10.0))
        + buckets(f"{tokens}input_tokens", one, mean=PROMPT, count=half, bounds=(512.0, 1024.0))
        + buckets(f"{tokens}output_tokens", one, mean=OUTPUT, count=half, bounds=(128.0, 256.0))
        for one in models
    ]
    endpoints = [({"name": "llama", queue[1]: f"llama-{i}-rank-0"}, told.waiting / 2) for i in (0, 1)]
    return (
        # One family is told once on a page: the models' lines of it are put together.
        _together(shares)
        + family(running, "gauge", *((one, flying) for one in models))
        + family(f"{request}_error_total", "counter", *errors)
        + family(queue[0], "gauge", *endpoints)
    )


def _together(pages: list[str]) -> str:
    first, *others = (page.splitlines() for page in pages)
    samples = [line for page in others for line in page if not line.startswith("#")]
    return "\n".join((*first, *samples)) + "\n"


PAGES: Mapping[str, Callable[[Told], str]] = {
    "sglang": sglang,
    "tgi": tgi,
    "trtllm": trtllm,
    "triton": triton,
    "dynamo": dynamo,
    "epp": epp_new,
    "epp-old": epp_old,
}
