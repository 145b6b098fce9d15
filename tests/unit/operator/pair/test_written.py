"""Two pools as their owner writes them: every wrong combination gets one line with field, value and fix."""

from math import inf
from typing import Any

import pytest
from paired import BOTH, paired, pools

from foretide.operator.resource import parse

TWICE = pools(decode={"role": "prefill"})
SAME = pools(decode={"targetRef": {"name": "llama-prefill"}})
NAMELESS = [{key: value for key, value in pool.items() if key != "name"} for pool in pools()]


def test_a_pair_is_read_prefill_first_whatever_its_order() -> None:
    parsed = parse(paired(pools=pools()[::-1], pair={"ratio": {"min": "0.5"}}), strict=True)
    assert parsed.problems == ()
    assert parsed.resource is not None
    assert [(pool.name, pool.index) for pool in parsed.resource.pools] == [("prefill", 1), ("decode", 0)]
    assert (parsed.resource.ratio.least, parsed.resource.ratio.most) == (0.5, inf)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"pools": pools()[:1]}, "spec.pools[0].role: prefill: is one of two pools; give one pool of role aggregated"),
        ({"pools": TWICE}, "spec.pools[1].role: prefill: both pools have it; give one pool of role aggregated"),
        ({"pools": pools(decode={"role": "aggregated"})}, "spec.pools[1].role: aggregated: is not one of two pools"),
        ({"pools": SAME}, "spec.pools[1].targetRef.name: llama-prefill: both pools scale it; name the other"),
        ({"pools": NAMELESS}, "spec.pools[1].name: main: both pools have it; name them, like prefill and decode"),
        ({"pools": [*pools(), pools()[0]]}, "spec.pools: 3 pools: give one pool of role aggregated, or one of role"),
        ({"pools": pools(decode={"minReplicas": 0})}, "spec.pools[1].minReplicas: 0: one role alone serves nothing"),
        ({"mode": "Approve"}, "spec.mode: Approve: approves one count, not two; use Recommend, RaiseOnly or Auto"),
        ({"actuation": "keda"}, "spec.actuation: keda: is of one count; leave it out with two pools"),
        ({"warm": {"scaleToZero": True}}, "spec.warm.scaleToZero: true: is for one pool; leave it out with two"),
        ({"engine": "tgi"}, "spec.engine: tgi: two pools are read from their own pods; use engine vllm or custom"),
        ({"objective": {"ttft": BOTH["ttft"]}}, "spec.objective: declares ttft: two pools are sized for ttft and tpot"),
        ({"objective": BOTH | {"e2e": {"threshold": "9s"}}}, "spec.objective: declares ttft, tpot, e2e: two pools are"),
        (
            {"objective": BOTH | {"costs": {"gpuHour": "2", "violation": "1"}}},
            "spec.objective.costs: are weighed for one pool; give maxViolationProbability",
        ),
        ({"pair": {"ratio": {"min": "0"}}}, "spec.pair.ratio.min: '0' is no ratio; write prefill replicas per decode"),
        ({"pair": {"ratio": {"min": "2", "max": "1"}}}, "spec.pair.ratio: min 2 is above max 1; change one"),
        (
            {"pair": {"ratio": {"min": "30"}}},
            "spec.pair.ratio: 30 to any: minReplicas and maxReplicas allow 0.05 to 20",
        ),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(spec: dict[str, Any], told: str) -> None:
    problems = parse(paired(**spec), strict=True).problems
    assert len(problems) == 1
    assert problems[0].startswith(told)


def test_a_pair_of_one_pool_is_told() -> None:
    body = paired(pair={}, pools=[{**pools()[0], "role": "aggregated"}])
    assert parse(body).problems == ("spec.pair: is for a prefill and a decode pool; leave it out with one pool",)


def test_a_tuned_concurrency_is_refused() -> None:
    body = paired(concurrency={"knob": {"objectRef": {"name": "llama"}, "fieldPath": "spec.x"}, "min": 1, "max": 4})
    problems = parse(body, strict=True).problems
    assert any("concurrency" in problem for problem in problems)
