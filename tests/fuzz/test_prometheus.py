"""Any answer of a Prometheus: series or a reason, and behind it no demand that is not a finite number."""

import json
from typing import Any

import numpy as np
from fuzz.damage import JSON, damaged, torn
from hypothesis import given
from hypothesis import strategies as st

from foretide.operator.prometheus import Prometheus
from foretide.operator.settings import SourceSettings
from foretide.operator.signals import backlog, pod_series
from foretide.policies.demand import demand_history
from foretide.policies.flow import Trust

NOW = 1000.0
NAMES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:request_success_total",
    "vllm:request_prompt_tokens_sum",
    "vllm:request_generation_tokens_sum",
    "http_requests_total",
)
SOURCE = Prometheus(SourceSettings("default", "http://prometheus"))


def series(name: str, pod: str) -> dict[str, Any]:
    labels = {"__name__": name, "namespace": "prod", "pod": pod, "status": "4xx", "handler": "/v1/completions"}
    return {"metric": labels, "values": [[NOW - 15.0 * age, str(100 - age)] for age in range(8, -1, -1)]}


SOUND = {
    "status": "success",
    "data": {"resultType": "matrix", "result": [series(name, pod) for name in NAMES for pod in "ab"]},
}
BODIES = st.one_of(
    damaged(SOUND, most=6).map(lambda body: json.dumps(body).encode(errors="surrogatepass")),
    JSON.map(lambda result: json.dumps({**SOUND, "data": {"resultType": "matrix", "result": result}}).encode()),
    torn(json.dumps(SOUND).encode()),
    st.binary(max_size=60),
)


@given(st.sampled_from((200, 200, 200, 204, 302, 422, 503)), BODIES)
def test_any_answer_is_finite_demand_a_gap_or_no_answer(status: int, body: bytes) -> None:
    scrape = SOURCE._read(status, body)
    assert scrape.series == () or scrape.trust in (Trust.FRESH, Trust.PARTIAL)
    assert "\n" not in scrape.why
    found = pod_series(scrape)
    pods = found.of("prod", {"a", "b"})
    told = demand_history(pods=pods, start=NOW - 120.0, end=NOW, step=30.0, scrape_s=15.0, expected_pods=2)
    known = np.isfinite(told.values).all(axis=1)
    assert np.isnan(told.values[~known]).all(), "a row is known or it is not"
    assert (told.values[known] >= 0).all()
    assert np.isfinite(told.flags).all()
    waits = backlog(found, namespace="prod", ready={"a", "b"}, now=NOW, scrape_s=15.0)
    for number in (waits.waiting, waits.running):
        assert number is None or (np.isfinite(number) and number >= 0)
    assert waits.waiting is not None or waits.trust is not Trust.FRESH


def test_the_sound_one_is_sound() -> None:
    scrape = SOURCE._read(200, json.dumps(SOUND).encode())
    assert set(pod_series(scrape).of("prod", {"a", "b"})) == {"a", "b"}
