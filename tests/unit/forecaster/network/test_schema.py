from dataclasses import replace

import pytest

from foretide.forecaster.network.schema import (
    HEADS,
    NODE,
    REPLICA,
    SERVICE,
    BadSchema,
    Indicator,
    canonical,
    digest,
    schema_from,
)


def loads(text):
    import json

    return json.loads(text)


def test_the_two_heads_cover_their_lead_times():
    assert {name: (head.horizon, head.step_s) for name, head in HEADS.items()} == {
        "replica": (30, 60.0),
        "node": (36, 600.0),
    }
    assert REPLICA.horizon * REPLICA.step_s == 30 * 60
    assert NODE.horizon * NODE.step_s == 6 * 3600


@pytest.mark.parametrize("schema", [REPLICA, NODE])
def test_what_was_written_is_read_back(schema):
    assert schema_from(loads(canonical(schema))) == schema


def test_order_and_level_of_indicators_change_the_hash():
    swapped = replace(REPLICA, indicators=REPLICA.indicators[::-1])
    raised = replace(REPLICA, indicators=(replace(REPLICA.indicators[0], level=SERVICE), *REPLICA.indicators[1:]))
    assert len({digest(REPLICA), digest(swapped), digest(raised), digest(NODE)}) == 4


def test_the_hash_is_that_of_the_canonical_text():
    assert canonical(REPLICA).startswith('{"head":"replica","horizon":30,"indicators":[{"level":0,"name":"requests",')
    assert len(digest(REPLICA)) == 64


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"horizon": 0}, "horizon is 0"),
        ({"version": 2}, "version is 2"),
        ({"transform": "log"}, "'log' is not a valid"),
        ({"indicators": []}, "no indicator is a target"),
        ({"windows": {"recent": -1}}, "recent is -1"),
        ({"windows": {"newest": 3}}, "newest"),
        ({"step_s": float("nan")}, "step_s is nan"),
    ],
)
def test_a_bad_schema_is_refused_by_the_name_of_its_field(change, says):
    with pytest.raises(BadSchema, match=says):
        schema_from(loads(canonical(REPLICA)) | change)


@pytest.mark.parametrize(
    "change",
    [
        {"windows": {"recent": [5]}},
        {"windows": {"recent": float("inf")}},
        {"windows": 3},
        {"indicators": [{"name": "a", "": 1}]},
        {"indicators": [{"name": "a", "level": []}]},
        {"horizon": float("inf")},
    ],
    ids=str,
)
def test_a_field_of_another_type_is_a_bad_schema_and_nothing_else(change):
    with pytest.raises(BadSchema):
        schema_from({**loads(canonical(REPLICA)), **change})


def test_a_missing_field_is_named():
    fields = loads(canonical(REPLICA))
    del fields["horizon"]
    with pytest.raises(BadSchema, match="horizon"):
        schema_from(fields)


def test_two_indicators_may_not_share_a_name():
    twice = replace(REPLICA, indicators=(Indicator("a"), Indicator("a")))
    with pytest.raises(BadSchema, match="one name"):
        schema_from(loads(canonical(twice)))
