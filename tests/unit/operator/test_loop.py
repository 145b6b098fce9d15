"""The shipped loop in virtual time: it scales for a promise, and no fault ever makes it take capacity away."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from shell import LLAMA, World, world
from twins import START, engine

from foretide.operator.actuate import CHEAP, Outcome
from foretide.operator.pods import DELETION_COST
from foretide.operator.seams import ClusterError, Key, NotScalable
from foretide.policies.decide import plan
from foretide.policies.flow import Hold, Trust
from foretide.policies.journal import decode_evidence, encode
from foretide.policies.service import StepCost


def busy(rate: float = 45.0, *, replicas: int = 3, **spec: object) -> World:
    """A world in which `rate` requests/s meet `replicas` replicas of ten requests/s each."""
    found = world()
    found.deploy(replicas=replicas, **spec)
    found.serve(rate, pods=replicas)
    return found


async def test_rising_demand_is_met_by_a_conditional_write() -> None:
    found = busy(45.0)
    turn = await found.plan()
    assert turn.actuation is not None
    assert turn.actuation.outcome is Outcome.DONE
    assert found.cluster.writes == [("llama", 5)]
    assert found.status()["pools"][0] | {"ready": 0} == {
        "name": "main",
        "current": 5,
        "desired": 5,
        "ready": 0,
        "starting": 0,
        "unschedulable": 0,
    }


async def test_an_announced_event_is_met_before_demand_moves() -> None:
    soon, later = datetime.fromtimestamp(START + 60, UTC), datetime.fromtimestamp(START + 1860, UTC)
    event = {"start": soon.isoformat(), "end": later.isoformat(), "expectedDemand": "3x", "confidence": "1"}
    quiet, told = busy(18.0, replicas=2), busy(18.0, replicas=2, schedule=[event])
    await quiet.plan()
    await told.plan()
    assert quiet.cluster.writes == []
    assert told.status()["pools"][0]["desired"] >= 6


async def test_falling_demand_lowers_slowly_and_only_after_a_watched_window() -> None:
    found = busy(12.0, replicas=5)
    await found.live(9)
    assert found.cluster.writes == []
    await found.live(20)
    counts = [count for _, count in found.cluster.writes]
    assert counts == [4, 3, 2]


async def test_the_least_busy_pods_are_those_that_go() -> None:
    found = busy(12.0, replicas=5)
    for index, running in enumerate([2.0, 3.0, 1.0, 4.0, 5.0]):
        found.metrics.engines["prod", f"llama-{index}"]["running"][:] = running
    await found.live(30)
    assert found.cluster.writes[0] == ("llama", 4)
    assert found.cluster.annotations["llama-2"] == {DELETION_COST: CHEAP}
    assert DELETION_COST not in found.cluster.annotations.get("llama-4", {})


async def test_pods_whose_owner_says_which_may_go_are_not_marked() -> None:
    found = busy(12.0, replicas=5)
    found.cluster.annotations["llama-0"] = {DELETION_COST: "100"}
    await found.live(30)
    assert found.cluster.writes
    assert found.cluster.annotations == {"llama-0": {DELETION_COST: "100"}}


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
async def test_other_modes_never_write_replicas(mode: str) -> None:
    found = busy(45.0, mode=mode)
    await found.live(30)
    assert found.cluster.writes == []
    assert found.condition("ScalingActive")["status"] == "False"


async def test_recommend_says_what_it_would_do() -> None:
    found = busy(45.0, mode="Recommend")
    await found.plan()
    assert found.status()["pools"][0]["desired"] == 5
    assert found.status()["pools"][0]["current"] == 3


@pytest.mark.parametrize("trust", [Trust.ABSENT, Trust.INVALID, Trust.PARTIAL])
async def test_a_metric_source_that_fails_never_lowers_replicas(trust: Trust) -> None:
    found = busy(12.0, replicas=5)
    await found.live(11)
    before = found.cluster.replicas["llama"]
    found.metrics.trust = trust
    await found.live(30)
    assert found.cluster.replicas["llama"] == before
    assert found.condition("MetricsAvailable")["status"] == "False"
    assert found.condition("Ready")["reason"] == f"Metrics{trust.value}"


async def test_an_empty_answer_is_blindness_and_not_idleness() -> None:
    found = busy(12.0, replicas=5)
    found.metrics.engines.clear()
    await found.live(30)
    assert found.cluster.writes == []
    assert found.condition("MetricsAvailable")["reason"] == "MetricsAbsent"
    assert "no engine reports; check that the source scrapes the pods" in found.condition("Ready")["message"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
async def test_impossible_values_never_lower_replicas(value: float) -> None:
    found = busy(12.0, replicas=5)
    for table in found.metrics.engines.values():
        table["running"] = np.full(len(table["at"]), value)
    await found.live(30)
    assert found.cluster.writes == []
    assert found.condition("MetricsAvailable")["reason"] == "MetricsInvalid"


async def test_stale_series_never_lower_replicas() -> None:
    found = busy(12.0, replicas=5)
    found.serve(12.0, pods=5, minutes=0.0)
    await found.live(3)
    assert found.cluster.writes == []
    assert found.condition("MetricsAvailable")["reason"] in ("MetricsStale", "MetricsAbsent")


async def test_a_pod_that_has_just_become_ready_may_be_silent_for_a_while() -> None:
    found = busy(45.0, replicas=3)
    found.cluster.replicas["llama"] = 4
    found.cluster.ready_at["llama-3"] = START
    await found.plan(after=30.0)
    assert found.condition("MetricsAvailable")["reason"] == "Fresh"
    await found.plan(after=30.0)
    assert found.condition("MetricsAvailable")["reason"] == "MetricsPartial"


async def test_confirmed_idleness_goes_down_to_the_minimum() -> None:
    found = busy(0.0, replicas=3)
    await found.live(40)
    assert found.cluster.replicas["llama"] == 1


async def test_a_restart_makes_no_wrong_move() -> None:
    found = busy(12.0, replicas=5)
    found.begin_a_life()
    await found.live(9)
    assert found.cluster.writes == []
    rising = busy(45.0)
    rising.begin_a_life()
    turn = await rising.plan()
    assert turn.evidence is not None
    assert turn.evidence.history.coverage(1000.0) > 0.9, "the past was read back"
    assert rising.cluster.writes == [("llama", 5)]


async def test_a_target_that_moved_is_decided_again_and_never_sent_the_same() -> None:
    found = busy(45.0)
    found.cluster.meddle = {"llama": 4}
    turn = await found.plan()
    assert turn.actuation is not None
    assert turn.actuation.outcome is Outcome.MOVED
    assert found.cluster.writes == []
    assert found.loop._ripe(found.clock.now() + 60.0) == {LLAMA}
    found.clock.time += 5.0
    again = (await found.loop.plan_pass([LLAMA]))[0]
    assert again.evidence is not None
    assert again.evidence.pool.desired == 4
    assert found.cluster.writes == [("llama", 5)]


async def test_fifty_edits_at_once_are_planned_once() -> None:
    found = busy(25.0)
    await found.plan()
    for _ in range(50):
        found.loop.bring_forward(LLAMA)
    assert found.loop._ripe(found.clock.now() + 1.0) == set()
    assert found.loop._ripe(found.clock.now() + 5.0) == {LLAMA}
    assert found.loop._ripe(found.clock.now() + 5.0) == set()


async def test_nothing_is_written_while_another_leads() -> None:
    found = busy(45.0)
    found.leads = False
    await found.live(5)
    assert (found.cluster.writes, found.cluster.statuses, found.cluster.events) == ([], {}, [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClusterError("gone", status=404), "TargetNotFound"),
        (NotScalable("apps/v1 DaemonSet has no scale subresource", status=404), "TargetNotScalable"),
        (ClusterError("no", status=403), "Forbidden"),
        (ClusterError("timeout"), "ClusterUnreachable"),
    ],
)
async def test_a_target_that_cannot_be_read_says_so_and_is_left_alone(error: ClusterError, reason: str) -> None:
    found = busy(45.0)
    found.cluster.failing["scale"] = error
    await found.plan()
    assert found.cluster.writes == []
    assert found.condition("TargetResolved")["reason"] == reason
    assert found.condition("Ready")["status"] == "False"
    assert found.condition("Ready")["message"].startswith("pools[0].targetRef: ")


async def test_a_target_of_an_hpa_is_a_conflict_and_is_not_written() -> None:
    found = busy(45.0)
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}
    found.cluster.other_scalers = [{"metadata": {"name": "llama-hpa"}, "spec": {"scaleTargetRef": ref}}]
    await found.live(3)
    assert found.cluster.writes == []
    assert found.condition("Conflict")["status"] == "True"
    assert "llama-hpa" in found.condition("Ready")["message"]


async def test_an_unlisted_rival_api_holds_instead_of_guessing() -> None:
    found = busy(45.0)
    found.cluster.failing["rivals"] = ClusterError("forbidden", status=403)
    await found.plan()
    assert found.cluster.writes == []


async def test_an_unknown_source_is_named_with_those_that_exist() -> None:
    found = busy(12.0, replicas=5, metrics={"source": "other"})
    await found.live(30)
    assert found.cluster.writes == []
    assert "metrics.source: 'other' is not configured; the admin offers: default" in found.condition("Ready")["message"]
    assert "scrapes the pods" not in found.condition("Ready")["message"], "one fix is enough"


async def test_a_bad_edit_is_reported_and_the_accepted_spec_goes_on() -> None:
    found = busy(45.0)
    edited = found.cluster.resources[LLAMA] | {"spec": {"model": "x", "objective": {}, "pools": []}}
    edited["metadata"] = edited["metadata"] | {"generation": 2}
    found.registry.see(edited)
    await found.plan()
    assert found.cluster.writes == [("llama", 5)]
    assert found.condition("Ready")["reason"] == "InvalidSpec"
    assert "generation 1 stays in force" in found.condition("Ready")["message"]
    assert (found.status()["observedGeneration"], found.status()["acceptedGeneration"]) == (2, 1)


async def test_a_queue_brings_relief_between_two_plans() -> None:
    found = busy(25.0)
    await found.plan()
    assert found.cluster.writes == []
    for table in found.metrics.engines.values():
        table["waiting"] = np.where(table["at"] > START, 300.0, 0.0)
    found.clock.time += 30.0
    turns = await found.loop.relief_pass()
    assert len(turns) == 1
    assert found.cluster.writes[0][1] > 3
    assert found.status()["lastDecision"]["reason"] == "Backlog"


async def test_relief_without_a_queue_asks_the_cluster_nothing() -> None:
    found = busy(25.0)
    await found.plan()
    found.cluster.failing["scale"] = ClusterError("must not be asked")
    found.clock.time += 30.0
    assert await found.loop.relief_pass() == []


async def test_one_target_that_fails_does_not_stop_the_others() -> None:
    found = busy(45.0)
    found.deploy("apple", replicas=3, model="broken")
    await found.loop.plan_pass()
    assert found.cluster.writes == [("llama", 5)]
    assert found.condition("Ready", Key("prod", "apple"))["reason"] == "InternalError"


async def test_an_unchanged_status_is_written_once_a_minute_at_most() -> None:
    found = busy(25.0)
    for _ in range(12):
        await found.plan(after=5.0)
    assert found.cluster.status_writes <= 3


async def test_a_status_that_cannot_be_written_is_written_later() -> None:
    found = busy(25.0)
    found.cluster.failing["write_status"] = ClusterError("down")
    await found.plan()
    assert found.cluster.statuses == {}
    found.cluster.failing.clear()
    await found.plan(after=60.0)
    assert found.condition("Ready")["status"] == "True"


async def test_a_jump_of_the_clock_starts_the_watched_window_anew() -> None:
    found = busy(12.0, replicas=5)
    await found.live(9)
    found.clock.skew = 3600.0
    await found.live(8)
    assert found.cluster.writes == []


async def test_a_clock_that_is_set_back_puts_off_neither_plan_nor_status() -> None:
    found = busy(12.0)
    sleep, plan_pass, began = found.clock.sleep, found.loop.plan_pass, asyncio.Queue[float]()

    async def yielding(seconds: float) -> None:
        await sleep(seconds)
        await asyncio.sleep(0)

    async def noted(keys: object = None) -> object:
        began.put_nowait(found.clock.monotonic())
        return await plan_pass(keys)  # type: ignore[arg-type]

    found.clock.sleep, found.loop.plan_pass = yielding, noted  # type: ignore[method-assign, assignment]
    found.clock.skew = 3600.0
    made_at = found.loop.swept_at
    running = asyncio.create_task(found.loop.run())
    while found.loop.swept_at == made_at:  # noqa: ASYNC110 (the loop in virtual time sets no event)
        await asyncio.sleep(0)
    found.clock.skew, at = 0.0, found.clock.monotonic()
    while found.cluster.status_writes < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    began.get_nowait()
    assert began.get_nowait() - at <= 75.0


async def test_every_decision_can_be_decided_again_from_the_journal() -> None:
    found = busy(45.0)
    await found.live(3)
    assert len(found.journal.records) == 3
    for record in found.journal.records:
        again = plan(decode_evidence(dict(record)))
        kind = "before" if isinstance(again.verdict, Hold) else "order"
        assert (kind == "order") == ("order" in record["decision"]["verdict"])
        assert again.desired == record["decision"]["desired"]


async def test_everything_falling_at_once_holds_everything() -> None:
    found = world()
    for name in "abcdef":
        found.deploy(name, replicas=5)
        found.serve(45.0, name=name, pods=5, minutes=20.0)
    await found.live(19)
    assert found.cluster.writes == []
    for table in found.metrics.engines.values():
        table["finished"] = np.minimum(table["finished"], table["finished"][-40])
    await found.live(1)
    assert found.cluster.writes == []


async def test_the_next_plan_begins_one_scrape_behind_a_bin() -> None:
    found = world()
    assert found.loop._next_plan(START + 20.0) == START + 75.0
    assert found.loop._next_plan(START + 75.0) == START + 135.0
    assert found.loop._next_plan(START + 5.0) == START + 15.0


async def test_behind_a_standing_queue_nothing_is_lowered_and_the_status_says_what_lacks() -> None:
    found = world(first_life_s=60.0)
    found.deploy(replicas=9)
    found.serve(6.0, pods=9, waiting=50.0)
    await found.live(10)
    assert [count for _, count in found.cluster.writes if count < 9] == []
    assert found.condition("MetricsAvailable")["reason"] == "Censored"
    assert "http_requests_total" in found.condition("MetricsAvailable")["message"]


EVERY_STEP_20_MS = StepCost(decode=(0.02, 0.0, 0.0), prefill=(0.02, 0.0, 0.0), chunk=2048)


def paced(factor: float) -> World:
    """45 requests/s on five replicas of ten requests/s each, whose steps take 20 ms times `factor`."""
    found = busy(45.0, replicas=5)
    found.services.service = replace(found.services.service, steps=EVERY_STEP_20_MS, log_speed_sd=0.02)
    for table in found.metrics.engines.values():
        table["gaps"], table["gap_s"] = table["output_tokens"], 0.02 * factor * table["output_tokens"]
    return found


async def test_engines_slower_than_their_profile_get_more_replicas_and_status_and_event_say_so() -> None:
    usual, slow = paced(1.0), paced(1.5)
    await usual.live(4)
    await slow.live(4)
    assert usual.cluster.writes == []
    assert slow.status()["pools"][0]["desired"] >= 7
    told = slow.status()["lastDecision"]
    assert float(told["speed"]["factor"]) == pytest.approx(1.5, rel=0.02)
    assert "times as long as the profile says" in told["capacity"]
    assert [event["reason"] for event in slow.cluster.events].count("SpeedChanged") == 1
    page = slow.telemetry.page().decode()
    assert 'foretide_speed_factor_ratio{name="llama",namespace="prod"} 1.' in page


async def test_a_new_life_knows_how_fast_its_replicas_are_before_it_has_seen_them() -> None:
    found = paced(1.5)
    await found.live(4)
    for table in found.metrics.engines.values():
        del table["gaps"], table["gap_s"]
    found.cluster.resources[LLAMA]["status"] = found.status()
    found.registry.see(found.cluster.resources[LLAMA])
    found.begin_a_life()
    await found.live(1)
    assert float(found.status()["lastDecision"]["speed"]["factor"]) == pytest.approx(1.5, rel=0.03)


async def test_what_was_learned_of_the_speed_is_in_the_journal_and_replays_to_the_same_decision() -> None:
    found = paced(1.5)
    await found.live(4)
    record = json.loads(json.dumps(found.journal.records[-1]))
    evidence = decode_evidence(record)
    assert evidence.service.speed()[0] == pytest.approx(1.5, rel=0.02)
    assert evidence.service.steps == EVERY_STEP_20_MS
    again = encode(evidence, plan(evidence))
    assert json.loads(json.dumps(again))["decision"] == record["decision"]


async def test_raise_only_adds_what_auto_adds_and_takes_nothing_away() -> None:
    found = busy(45.0, mode="RaiseOnly")
    await found.plan()
    assert found.cluster.writes == [("llama", 5)]
    assert found.condition("ScalingActive") | {"lastTransitionTime": ""} == {
        "type": "ScalingActive",
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": "",
        "reason": "RaiseOnly",
        "message": "",
    }
    quiet = busy(12.0, replicas=5, mode="RaiseOnly")
    await quiet.live(30)
    assert quiet.cluster.writes == []
    assert "mode is RaiseOnly" in quiet.condition("Ready")["message"]


@pytest.mark.parametrize("screens", [False, True])
async def test_answers_without_end_are_told_and_can_be_kept_from_the_forecast(
    monkeypatch: pytest.MonkeyPatch, screens: bool
) -> None:
    monkeypatch.setattr("foretide.policies.overflow.SCREENS", screens)
    found = world(backfill_s=7200.0)
    found.deploy(replicas=5)
    for index in range(5):
        table = engine(rate=0.0 if index else 40.0, start=START - 7200.0, end=START + 3600.0)
        table["output_tokens"] = table["output_tokens"] + 20 * np.maximum(table["output_tokens"] - 1.44e6 * 40, 0.0)
        found.metrics.engines["prod", f"llama-{index}"] = table
    await found.live(12)
    turn = await found.plan(after=60.0)
    assert turn.evidence is not None
    assert turn.evidence.forecast is not None
    assert turn.evidence.history.values[-1, 2] > 100_000
    assert bool(turn.evidence.forecast.paths[:, :, 2].max() < 10_000) is screens
    assert max((count for _, count in found.cluster.writes), default=0) <= 20
    told = [event["message"] for event in found.cluster.events if event["reason"] == "UnusualLengths"]
    assert told
    assert "answers have" in told[0]
