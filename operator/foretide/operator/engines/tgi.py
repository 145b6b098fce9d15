"""Text Generation Inference. Its prompt lengths are counted when a request has been checked, not when it ends."""

from foretide.operator.engines.preset import Metric, Preset, signal

TGI = Preset(
    engine="tgi",
    signals=(
        signal("running", "tgi_batch_current_size"),
        signal("waiting", "tgi_queue_size"),
        signal("finished", "tgi_request_success", "tgi_request_generated_tokens_count"),
        signal("prompt_tokens", "tgi_request_input_length_sum"),
        signal("output_tokens", "tgi_request_generated_tokens_sum"),
        signal("rejected", Metric("tgi_request_failure", counts=(("err", "overloaded"),))),
    ),
    absent=(
        ("gap_s", "its time per token is a mean over requests that has the prompt in it: speed is not learned"),
        ("aborted", "requests whose client went away are not told apart"),
        ("kv_use", "decides nothing"),
        ("ttft_s", "decides nothing; the objective is judged by the simulated engine"),
    ),
    appears_with_use=True,
)
