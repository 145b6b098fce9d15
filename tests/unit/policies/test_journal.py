import json

import pytest
from given import evidence, forecast, pool

from foretide.policies.decide import plan
from foretide.policies.flow import Backlog, Trust
from foretide.policies.journal import BadRecord, decode_evidence, encode


def record() -> dict[str, object]:
    given = evidence(backlog=Backlog(6000.0, None, 3.0, Trust.PARTIAL), pool=pool(unschedulable=1))
    return json.loads(json.dumps(encode(given, plan(given))))


def test_evidence_survives_json_to_the_last_bit() -> None:
    given = evidence(forecast=forecast(0.1 + 0.2, 1 / 3))
    again = decode_evidence(json.loads(json.dumps(encode(given, plan(given)))))
    assert again.forecast is not None
    assert given.forecast is not None
    assert (again.forecast.paths == given.forecast.paths).all()
    assert encode(again, plan(again)) == encode(given, plan(given))


def test_another_version_is_refused_by_number() -> None:
    with pytest.raises(BadRecord, match="version: 99: this build reads version 1"):
        decode_evidence(record() | {"version": 99})


@pytest.mark.parametrize("damage", [{"evidence": {}}, {"evidence": None}])
def test_a_damaged_record_is_refused_in_one_line(damage: dict[str, object]) -> None:
    with pytest.raises(BadRecord, match=r"evidence: .*: the record is damaged") as refused:
        decode_evidence(record() | damage)
    assert "\n" not in str(refused.value)


def test_a_record_from_before_a_forecast_had_reliability_is_read() -> None:
    old = record()
    for name in ("reliability", "stale_s", "capped"):
        del old["evidence"]["forecast"][name]
    read = decode_evidence(old).forecast
    assert read is not None
    assert (read.reliability, read.stale_s, read.capped) == (None, 0.0, 0)
