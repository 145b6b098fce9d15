"""The scorecard in the status, over restarts, beside another autoscaler, and without a write of its own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from living import Life
from shell import LLAMA, World, world
from twins import resource

from foretide.operator.scorecards import published, remembered, told
from foretide.policies.flow import Trust
from foretide.policies.scorecard import Scorecard
from foretide.policies.tally import Account, Day, Tally

HPA = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "llama", "namespace": "prod"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}},
}


def watched(rate: float = 25.0, *, replicas: int = 6, mode: str = "Recommend", minutes: float = 600.0) -> World:
    found = world()
    found.deploy(replicas=replicas, mode=mode)
    found.serve(rate, pods=replicas, minutes=minutes)
    return found


async def test_in_mode_recommend_both_counts_are_told_and_nothing_is_written() -> None:
    found = watched()
    await found.live(60)
    card = found.status()["scorecard"]
    assert found.cluster.writes == []
    assert 0.8 < float(card["hours"]) <= 1.0
    assert float(card["present"]["gpuHours"]) == pytest.approx(6 * float(card["hours"]), abs=0.01)
    assert float(card["foretide"]["gpuHours"]) < 0.8 * float(card["present"]["gpuHours"])
    assert card["present"]["promiseKept"] == card["foretide"]["promiseKept"] == "1.00000"
    assert (card["present"]["replicas"], card["foretide"]["replicas"]) == (6, 3)
    assert card["leftOut"]["share"] == "0.0000"


async def test_an_hpa_that_scales_the_target_is_what_it_is_compared_with() -> None:
    found = watched()
    found.cluster.other_scalers = [HPA]
    await found.live(60)
    assert found.condition("Conflict")["status"] == "True"
    assert found.status()["scorecard"]["foretide"]["replicas"] == 3


async def test_it_causes_no_write_of_its_own() -> None:
    shadow, auto = watched(replicas=3), watched(replicas=3, mode="Auto")
    await shadow.live(60)
    await auto.live(60)
    assert "scorecard" in shadow.status()
    assert shadow.cluster.status_writes == auto.cluster.status_writes
    assert "scorecard" not in auto.status()


async def test_a_new_life_goes_on_where_the_status_stood() -> None:
    found = watched()
    await found.live(60)
    before = found.status()["scorecard"]
    found.cluster.resources[LLAMA] |= {"status": found.status()}
    found.registry.see(found.cluster.resources[LLAMA])
    found.begin_a_life()
    await found.live(30)
    after = found.status()["scorecard"]
    assert after["since"] == before["since"]
    assert after["foretide"]["replicas"] == 3
    assert float(after["hours"]) == pytest.approx(float(before["hours"]) + 0.4, abs=0.11)
    assert 0 < float(after["leftOut"]["unwatched"]) < 0.2


async def test_metrics_that_stop_are_left_out_and_told() -> None:
    found = watched()
    await found.live(30)
    found.metrics.trust = Trust.ABSENT
    await found.live(30)
    card = found.status()["scorecard"]
    assert 0.35 < float(card["hours"]) < 0.55
    assert float(card["leftOut"]["missing"]) > 0.3


async def test_its_own_metrics_tell_it_by_who_and_go_with_the_resource() -> None:
    found = watched()
    await found.live(30)
    page = found.telemetry.page().decode()
    target = 'name="llama",namespace="prod"'
    assert f'foretide_scorecard_gpu_hours{{{target},who="foretide"}}' in page
    assert f'foretide_scorecard_promise_kept_ratio{{{target},who="present"}} 1.0' in page
    assert f'foretide_scorecard_left_out_ratio{{{target},why="missing"}} 0.0' in page
    found.telemetry.forget(LLAMA)
    assert "scorecard_gpu_hours{" not in found.telemetry.page().decode()


async def test_in_mode_auto_it_stands_as_it_was_last() -> None:
    found = watched(replicas=3)
    await found.live(30)
    before = found.status()["scorecard"]
    body = found.cluster.resources[LLAMA]
    body["spec"]["mode"] = "Auto"
    body["metadata"]["generation"] = 2
    found.registry.see(body)
    await found.live(30)
    assert found.status()["scorecard"] == before


async def test_a_scorecard_that_fails_costs_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault in the scorecard")

    monkeypatch.setattr("foretide.operator.turns.kept_up", broken)
    found = watched(45.0, replicas=3)
    turn = await found.plan()
    assert turn.decision is not None
    assert turn.decision.desired == 5


hours = st.floats(0, 1e6).map(lambda each: round(each, 3) * 3600)
shares = st.floats(0, 1)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    judged = draw(hours)
    accounts = [Account(draw(hours), judged * draw(shares)) for _ in range(2)]
    return Tally(judged, draw(hours), draw(hours), draw(hours), *accounts)


@st.composite
def cards(draw: st.DrawFn) -> Scorecard:
    since, first = draw(st.integers(1, 2**31)), draw(st.integers(0, 30000))
    days = tuple(Day(first + i, draw(tallies())) for i in range(draw(st.integers(0, 14))))
    return Scorecard(since, since + draw(st.integers(0, 10**8)), draw(st.integers(0, 2**32 - 1)), draw(tallies()), days)


def near(one: Tally, other: Tally) -> bool:
    pairs = zip(told_numbers(one), told_numbers(other), strict=True)
    return all(each == pytest.approx(again, rel=1e-4, abs=2e-5 * one.judged_s + 2.0) for each, again in pairs)


def told_numbers(tally: Tally) -> list[float]:
    accounts = (tally.present, tally.foretide)
    return [
        tally.judged_s, tally.missing_s, tally.censored_s, tally.unwatched_s,
        *(number for account in accounts for number in (account.gpu_s, account.kept_s)),
    ]  # fmt: skip


@given(cards())
def test_what_is_told_is_found_again(card: Scorecard) -> None:
    found = remembered({"scorecard": told(card)})
    assert found is not None
    assert (found.since, found.until, found.terms) == (card.since, card.until, card.terms)
    assert near(card.total, found.total)
    assert [day.number for day in found.days] == [day.number for day in card.days]
    assert all(near(day.tally, again.tally) for day, again in zip(card.days, found.days, strict=True))


SANE = told(Scorecard(0.0, 3600.0, 7, Tally(3600.0, present=Account(1.0, 1.0), foretide=Account(1.0, 1.0))))


@pytest.mark.parametrize(
    "change",
    [
        {"since": None},
        {"since": "2030-01-01T00:00:00Z"},
        {"terms": "no checksum"},
        {"hours": "-1"},
        {"hours": "NaN"},
        {"present": {"gpuHours": "inf"}},
        {"present": {"gpuHours": "1", "promiseKept": "1.5"}},
        {"foretide": None},
        {"foretide": {"gpuHours": "1", "replicas": "many"}},
        {"days": [{"date": "yesterday"}]},
        {"days": 3},
        {"leftOut": {}},
    ],
)
def test_a_scorecard_that_makes_no_sense_counts_as_none(change: dict[str, Any]) -> None:
    assert remembered({"scorecard": SANE}) is not None
    assert remembered({"scorecard": SANE | change}) is None
    assert remembered({}) is None


def test_a_newer_one_is_told_after_five_minutes_and_at_once_under_other_terms() -> None:
    def ended(until: float, terms: int = 7) -> Scorecard:
        return Scorecard(0.0, until, terms, Tally(until))

    first = published(ended(60.0), None)
    assert published(Scorecard(0.0, 0.0, 7), None) is None
    assert published(None, first) is first
    assert published(ended(300.0), first) is first
    assert published(ended(360.0), first) == told(ended(360.0))
    assert published(ended(120.0, terms=8), first) == told(ended(120.0, terms=8))


def test_the_first_judged_window_is_told_at_once() -> None:
    blind = Scorecard(0.0, 60.0, 7, Tally(missing_s=60.0))
    judged = Scorecard(0.0, 120.0, 7, Tally(judged_s=60.0, missing_s=60.0, present=Account(1.0), foretide=Account(1.0)))
    assert published(judged, told(blind)) == told(judged)


async def test_every_field_is_in_the_schema(schema_of_status: dict[str, Any]) -> None:
    found = watched()
    await found.live(30)
    assert unknown(found.status()["scorecard"], schema_of_status["properties"]["scorecard"]) == []


@pytest.fixture
def schema_of_status() -> dict[str, Any]:
    import yaml

    from foretide.operator.schema import crd_path

    crd = yaml.safe_load(crd_path().read_text(encoding="utf-8"))
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    return schema


def unknown(value: Any, schema: dict[str, Any]) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in unknown(item, schema["items"])]
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    inner = [name for key in value if key in known for name in unknown(value[key], known[key])]
    return [name for name in value if name not in known] + inner


async def test_what_it_would_have_run_is_what_mode_auto_runs_on_the_same_demand() -> None:
    shadow, auto = Life(12.0, 8), Life(12.0, 8)
    body = resource(mode="Recommend")
    body["metadata"]["generation"] = 2
    shadow.world.registry.see(body)
    shadow.world.cluster.other_scalers = [HPA]
    counts: list[tuple[int, int]] = []
    for rate in (12.0, 45.0, 70.0, 28.0, 3.0, 60.0):
        for _ in range(20):
            for life in (shadow, auto):
                life.rate = rate
                life.pass_time(60.0)
            turn = (await shadow.world.loop.plan_pass())[0]
            await auto.world.loop.plan_pass()
            assert turn.scorecard is not None
            counts.append((turn.scorecard.track[-1].foretide.replicas, auto.desired))
    assert shadow.desired == 8
    assert [would for would, _ in counts] == [does for _, does in counts]
    assert {1, 5, 7} <= {would for would, _ in counts}
