"""The frontend of Dynamo: it sees every request of a model, and not on which replica it runs."""

from foretide.operator.engines.preset import ELSEWHERE, Metric, Preset, signal

FINISHED = "dynamo_frontend_requests_total"
NOT_TAKEN_IN = "overload|validation|not_found|not_implemented"

DYNAMO = Preset(
    engine="dynamo",
    signals=(
        signal("running", "dynamo_frontend_inflight_requests"),
        signal("waiting", "dynamo_frontend_queued_requests"),
        signal("finished", Metric(FINISHED, never=(("error_type", NOT_TAKEN_IN),))),
        signal("prompt_tokens", "dynamo_frontend_input_sequence_tokens_sum"),
        signal("output_tokens", "dynamo_frontend_output_sequence_tokens_sum"),
        signal("rejected", Metric(FINISHED, counts=(("error_type", "overload"),))),
        signal("aborted", Metric(FINISHED, counts=(("error_type", "cancelled"),))),
        signal("ttft_s", "dynamo_frontend_time_to_first_token_seconds_sum"),
    ),
    absent=(("gap_s", ELSEWHERE), ("kv_use", "decides nothing")),
    gateway=True,
    model_label="model",
    running_holds_waiting=True,
    appears_with_use=True,
)
