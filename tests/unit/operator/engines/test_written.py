"""`spec.engine` and `spec.metrics`: a preset, or one line that names the field and the way out."""

from typing import Any

import pytest
from twins import resource

from foretide.operator.engines import ENGINES
from foretide.operator.engines.preset import Metric
from foretide.operator.resource import Resource, parse

FIVE = dict.fromkeys(("running", "waiting", "finished", "promptTokens", "outputTokens"), "some_metric")


def parsed(engine: str = "vllm", **metrics: Any) -> Resource:
    found = parse(resource(engine=engine, metrics=metrics), strict=True)
    assert found.resource is not None, found.problems
    return found.resource


def refused(engine: str = "vllm", **metrics: Any) -> str:
    (problem,) = parse(resource(engine=engine, metrics=metrics)).problems
    return problem


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi", "trtllm", "triton", "dynamo"])
def test_an_engine_by_name_is_its_preset(engine: str) -> None:
    assert parsed(engine).lens.preset is ENGINES[engine]


def test_resources_of_one_engine_share_a_question_and_those_of_a_model_that_a_gateway_serves_have_their_own() -> None:
    one, other = (parse(resource(name, model=name, engine=engine)).resource for name, engine in (("a", "sglang"),) * 2)
    assert one is not None
    assert other is not None
    assert one.lens == other.lens
    served = parse(resource(model="org/llama", engine="dynamo")).resource
    assert served is not None
    assert served.lens.model == "org/llama"


def test_a_named_metric_takes_the_place_of_the_presets_and_the_rest_stays() -> None:
    preset = parsed("sglang", queries={"waiting": 'my:queue{kind="llm", zone="a.b"}'}).preset
    assert preset.metrics("waiting") == (Metric("my:queue", only=(("kind", "llm"), ("zone", r"a\.b"))),)
    assert preset.metrics("running") == ENGINES["sglang"].metrics("running")
    assert preset.copies == ("tp_rank", "pp_rank")


def test_with_other_completions_nothing_is_left_of_what_was_told_of_the_old_ones() -> None:
    preset = parsed(queries={"finished": "done_total"}).preset
    assert preset.metrics("rejected") == preset.metrics("aborted") == ()
    assert preset.asked == ()
    own = parsed("tgi", queries={"finished": "done_total", "rejected": "lost_total"}).preset
    assert own.preferred("rejected") == "lost_total"
    assert "rejected" not in dict(own.absent)


def test_the_times_of_tokens_may_be_named_where_an_engine_does_not_tell_them() -> None:
    preset = parsed("tgi", queries={"tokenGapSeconds": "gap_seconds_sum", "tokenGaps": "gap_seconds_count"}).preset
    assert (preset.preferred("gap_s"), preset.preferred("gaps")) == ("gap_seconds_sum", "gap_seconds_count")
    assert "gap_s" not in dict(preset.absent)


def test_a_custom_engine_names_all_five_and_may_stand_behind_a_gateway() -> None:
    custom = parsed("custom", queries=FIVE, gateway="envoy")
    assert custom.lens.gateway == "envoy"
    assert custom.preset.gateway
    assert not parsed("custom", queries=FIVE).preset.gateway


@pytest.mark.parametrize(
    ("engine", "metrics", "problem"),
    [
        (
            "epp",
            {},
            "spec.metrics.gateway: missing; engine epp needs the name of the picker's Deployment, like llama-epp",
        ),
        ("tgi", {"gateway": "x"}, "spec.metrics.gateway: 'x': engine tgi reports from its own pods; leave it out"),
        (
            "custom",
            {"queries": {"running": "a", "waiting": "b", "finished": "c"}},
            "spec.metrics.queries: engine custom needs promptTokens, outputTokens; name a metric for each",
        ),
        (
            "vllm",
            {"queries": {"running": 'a{pod="x"}'}},
            "spec.metrics.queries.running: 'a{pod=\"x\"}' has the label pod, which is set by Foretide; leave it out",
        ),
    ],
)
def test_what_can_never_be_read_is_refused_with_the_fix(engine: str, metrics: dict[str, Any], problem: str) -> None:
    assert refused(engine, **metrics) == problem


@pytest.mark.parametrize(
    "query",
    [
        "sum(a)",
        "a[5m]",
        'a{b=~"c"}',
        'a{b!="c"}',
        "a b",
        "a or b",
        'a{b="c\\"} or up{x="y"}',
        'a{b="\n"}',
        "",
        3,
        "é",
        "a" * 257,
    ],
)
def test_an_expression_is_no_query(query: object) -> None:
    assert "is not one metric with labels; write it like my_requests_total" in refused(queries={"running": query})


def test_an_unknown_query_is_named_with_what_was_meant() -> None:
    (problem,) = parse(resource(metrics={"queries": {"promptToken": "a"}}), strict=True).problems
    assert problem == "spec.metrics.queries.promptToken: unknown field; did you mean promptTokens?"
