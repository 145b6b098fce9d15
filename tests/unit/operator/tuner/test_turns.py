"""The shipped turn on a made-up fleet: what is set, what is taken back, and when nothing is done."""

from typing import Any

import numpy as np
import pytest
from tuned_world import ARGUMENT, BEST, DEPLOYMENT, KNOB, MAP, World, config_map, tuned

from foretide.operator.resource import PAUSED
from foretide.operator.seams import ClusterError
from foretide.operator.tuner.memory import remembered
from foretide.operator.tuner.turns import Turner
from foretide.policies.concurrency.in_time import FIRST, SETTLING, TRIAL
from foretide.policies.concurrency.network_agent import NOTCHES, NetworkAgent, Numbers
from foretide.policies.flow import Trust


def deployment(limit: int = 100) -> dict[str, Any]:
    container = {"name": "engine", "args": ["serve", f"--max-num-seqs={limit}"]}
    spec = {"template": {"spec": {"containers": [container]}}}
    return {"kind": "Deployment", "metadata": {"name": "llama", "uid": "d1"}, "spec": spec}


def argument(world: World) -> str:
    return str(world.objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]["args"][1])


async def test_the_rule_is_set_told_and_kept() -> None:
    world = World()
    await world.window(FIRST - 1)
    assert (world.told["state"], world.told["reason"]) == ("Waiting", "Watching")
    told = await world.window()
    assert told is not None
    assert world.objects[MAP]["data"]["limit"] == str(BEST)
    assert (world.told["state"], world.told["limit"], world.told["baseline"]) == ("OnTrial", BEST, BEST)
    change = world.told["lastChange"]
    assert (change["from"], change["to"], change["reason"]) == (100, BEST, "Changed")
    assert world.reasons == ["LimitChanged"]
    assert f"100 -> {BEST}: n* is {BEST}, not 100" in world.events[0]["message"]
    await world.window(SETTLING + TRIAL)
    assert (world.told["state"], world.told["reason"]) == ("Steady", "Steady")
    assert "writing" not in world.told
    assert world.reasons == ["LimitChanged"]
    assert len(world.patches) == 1


async def test_a_loss_after_a_change_brings_the_old_limit_back_in_the_window_that_shows_it() -> None:
    world = World(share=lambda limit: 0.9 if limit == 100 else 0.6)
    await world.window(FIRST + SETTLING)
    assert world.objects[MAP]["data"]["limit"] == str(BEST)
    await world.window()
    assert world.objects[MAP]["data"]["limit"] == "100"
    assert world.reasons == ["LimitChanged", "LimitRolledBack"]
    assert f"100 -> {BEST} kept 60.0% of requests, 90.0% before; 100 again; n* rests until" in world.told["message"]
    assert world.told["lastChange"]["reason"] == "RolledBack"
    await world.window(9)
    assert (world.objects[MAP]["data"]["limit"], world.told["reason"]) == ("100", "Resting")


@pytest.mark.parametrize("mode", ["Recommend", "Approve", "RaiseOnly"])
async def test_other_modes_publish_and_change_nothing(mode: str) -> None:
    world = World(body=tuned(mode))
    await world.window(9)
    assert (world.patches, world.events) == ([], [])
    assert (world.told["state"], world.told["reason"]) == ("Steady", "Recommending")
    assert world.told["message"] == f"mode {mode} changes nothing; n* is {BEST}, not 100"
    assert (world.told["limit"], world.told["baseline"]) == (100, BEST)


async def test_paused_and_off_do_nothing_and_tell_no_event() -> None:
    paused = tuned()
    paused["metadata"]["annotations"] = {PAUSED: "true"}
    for body, reason in ((paused, "Paused"), (tuned("Paused"), "Paused"), (tuned(tune="Off"), "Off")):
        world = World(body=body)
        await world.window(5)
        assert (world.patches, world.events) == ([], [])
        assert (world.told["reason"], world.told["limit"]) == (reason, 100)


async def test_without_metrics_nothing_is_done_and_the_source_is_named() -> None:
    world = World(trust=Trust.ABSENT)
    await world.window(9)
    assert world.patches == []
    assert (world.told["state"], world.told["reason"]) == ("Waiting", "MetricsMissing")
    assert "source default: unreachable" in world.told["message"]
    world.trust = Trust.FRESH
    await world.window(FIRST)
    assert world.objects[MAP]["data"]["limit"] == str(BEST)


async def test_missing_metrics_in_a_trial_do_not_end_it() -> None:
    world = World()
    await world.window(FIRST)
    world.trust = Trust.ABSENT
    await world.window(50)
    assert world.objects[MAP]["data"]["limit"] == str(BEST)
    assert len(world.patches) == 1


async def test_a_pod_that_does_not_tell_makes_the_window_unknown() -> None:
    world = World()
    world.pods_of["app=llama"].append("silent")
    world._count = lambda name, count=world._count: None if name == "silent" else count(name)  # type: ignore[method-assign, misc]
    await world.window(5)
    assert world.patches == []
    assert "no fresh metrics of silent" in world.told["message"]


async def test_another_writer_stops_it_until_the_number_is_put_back() -> None:
    world = World()
    await world.window(FIRST)
    world.objects[MAP]["data"]["limit"] = "128"
    await world.window(5)
    assert world.objects[MAP]["data"]["limit"] == "128"
    assert (world.told["state"], world.told["reason"], world.told["limit"]) == ("Stopped", "Conflict", 128)
    assert f"somebody else set the limit to 128, we had set {BEST}" in world.told["message"]
    assert world.reasons == ["LimitChanged", "LimitConflict"]
    world.objects[MAP]["data"]["limit"] = str(BEST)
    await world.window(2)
    assert world.told["reason"] != "Conflict"


async def test_an_edit_of_the_resource_begins_anew_from_what_is_there() -> None:
    world = World()
    await world.window(FIRST)
    world.objects[MAP]["data"]["limit"] = "128"
    await world.window(2)
    world.body["metadata"]["generation"] += 1
    await world.window(FIRST - 1)
    assert world.told["reason"] == "Watching"
    await world.window()
    assert world.objects[MAP]["data"]["limit"] == str(BEST)


async def test_another_number_is_no_conflict_with_the_one_before() -> None:
    world = World()
    await world.window(FIRST)
    world.objects["ConfigMap", "other"] = config_map("128", "other")
    world.body["spec"]["concurrency"]["knob"] = KNOB | {"objectRef": {**KNOB["objectRef"], "name": "other"}}  # type: ignore[dict-item]
    world.body["metadata"]["generation"] += 1
    await world.window(FIRST - 1)
    assert (world.told["reason"], world.told["limit"]) == ("Watching", 128)
    await world.window()
    assert world.objects["ConfigMap", "other"]["data"]["limit"] == str(BEST)


async def test_a_number_within_a_text_is_set_and_the_text_around_it_stays() -> None:
    text = "# limits\nmax_num_seqs: {}\nmax_model_len: 8192\n"
    world = World(
        body=tuned(knob=KNOB | {"pattern": "max_num_seqs: {}"}), objects={MAP: config_map(text.replace("{}", "100"))}
    )
    await world.window(FIRST)
    assert world.objects[MAP]["data"]["limit"] == text.replace("{}", str(BEST))
    assert (world.told["limit"], world.told["state"]) == (BEST, "OnTrial")


async def test_who_writes_between_our_look_and_our_write_wins() -> None:
    world = World()
    world.meddle = lambda found: found.objects[MAP]["data"].update(limit="128")
    await world.window(FIRST)
    assert world.objects[MAP]["data"]["limit"] == "128"
    assert (world.told["reason"], world.patches) == ("Moved", [])
    assert "writing" not in world.told


async def test_a_life_that_ended_before_the_status_could_be_written_knows_its_own_number() -> None:
    world = World()
    await world.window(FIRST - 1)
    wrote, after = world._status, []

    def dies(change: Any) -> dict[str, Any]:
        after.append(change)
        if len(after) > 1:
            raise ClusterError("down")
        return wrote(change)

    world._status = dies  # type: ignore[method-assign]
    await world.window()
    assert (world.objects[MAP]["data"]["limit"], world.told["writing"]) == (str(BEST), BEST)
    world._status = wrote  # type: ignore[method-assign]
    await world.window(2)
    assert (world.told["state"], world.told["reason"]) == ("OnTrial", "OnTrial")
    assert "writing" not in world.told


@pytest.mark.parametrize("done", [True, False])
async def test_a_write_without_an_answer_is_known_for_ours_or_not_done(done: bool) -> None:
    world = World()
    await world.window(FIRST - 1)
    patched = world._patch

    def silent(key: Any, patch: Any, params: Any) -> None:
        if done:
            patched(key, patch, params)
        raise ClusterError("PATCH: TimeoutError")

    world._patch = silent  # type: ignore[method-assign]
    await world.window()
    assert (world.told["reason"], world.told["writing"]) == ("WriteFailed", BEST)
    world._patch = patched  # type: ignore[method-assign]
    await world.window(2)
    assert "writing" not in world.told
    assert world.told["reason"] == ("OnTrial" if done else "Watching")
    await world.window(FIRST)
    assert world.objects[MAP]["data"]["limit"] == str(BEST)


async def test_a_value_that_the_api_server_refuses_stops_it() -> None:
    world = World(failing={"PATCH": ClusterError("PATCH: 422 no such value", status=422)})
    await world.window(FIRST)
    assert (world.told["state"], world.told["reason"], world.told["limit"]) == ("Stopped", "WriteRefused", 100)
    assert "LimitWriteRefused" in world.reasons


async def test_a_number_is_not_written_where_the_status_could_not_say_so() -> None:
    world = World()
    await world.window(FIRST - 1)
    world.failing["status"] = ClusterError("down")
    await world.window(3)
    assert world.patches == []


async def test_who_does_not_lead_writes_nothing() -> None:
    world = World(leads=False)
    await world.window(9)
    assert (world.patches, world.events, world.body["status"]) == ([], [], {})


async def test_a_window_is_looked_at_once_whoever_looks() -> None:
    world = World()
    await world.window()
    assert await world.turner.turn(world.body, now=world.now + 5.0) is None


STOPPED = [
    ({"objects": {}}, {}, "KnobNotFound", "ConfigMap llama: does not exist; create it or correct the name"),
    ({"objects": {MAP: config_map("many")}}, {}, "BadKnob", "data.limit holds 'many', not a whole number"),
    ({"failing": {"GET": ClusterError("no", status=403)}}, {}, "KnobForbidden", "name its kind in the chart's"),
    (
        {},
        {"knob": {"objectRef": {"apiVersion": "v1", "kind": "Namespace", "name": "x"}, "fieldPath": "data.a"}},
        "BadKnob",
        "kind Namespace lies in no namespace",
    ),
    (
        {},
        {"knob": {"objectRef": {"apiVersion": "v1", "kind": "Config", "name": "x"}, "fieldPath": "data.a"}},
        "KnobNotFound",
        "v1 has no kind Config; correct apiVersion or kind",
    ),
]


@pytest.mark.parametrize(("changes", "concurrency", "reason", "why"), STOPPED, ids=lambda value: str(value)[:30])
async def test_a_knob_that_cannot_be_turned_says_so_once(
    changes: dict[str, Any], concurrency: dict[str, Any], reason: str, why: str
) -> None:
    world = World(body=tuned(**concurrency), **changes)
    await world.window(4)
    assert (world.told["state"], world.told["reason"]) == ("Stopped", reason)
    assert world.told["message"].startswith("spec.concurrency.knob")
    assert why in world.told["message"]
    assert world.reasons == [f"Limit{reason}"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"objective": {"ttft": {"threshold": "2s"}}}, "objective.tpot: none: n* keeps it; declare one"),
        ({"model": "acme/unknown"}, "model: acme/unknown: no step times for this model"),
        ({"engine": "tgi"}, "engine: tgi: replicas show no histogram of what the objective promises"),
    ],
)
async def test_without_what_the_rule_needs_there_is_no_baseline(spec: dict[str, Any], why: str) -> None:
    body = tuned()
    body["spec"] |= spec
    world = World(body=body)
    await world.window(3)
    assert (world.told["state"], world.told["reason"]) == ("Stopped", "NoBaseline")
    assert why in world.told["message"]


async def test_a_resource_that_tunes_nothing_any_more_loses_our_part_of_the_status() -> None:
    world = World()
    await world.window()
    del world.body["spec"]["concurrency"]
    assert await world.window() is None
    assert world.body["status"] == {}


def restarting(**changes: Any) -> World:
    def limit(world: World, _: str) -> int:
        return int(argument(world).partition("=")[2])

    return World(body=tuned(knob=ARGUMENT), objects={DEPLOYMENT: deployment()}, limit_of=limit, **changes)


def restart(world: World, template: str) -> None:
    world.template, world.ready_at = template, world.now


async def test_an_argument_is_changed_and_judged_once_its_pods_are_new() -> None:
    world = restarting(share=lambda limit: 0.8 if limit == 100 else 0.95)
    await world.window(FIRST)
    assert argument(world) == f"--max-num-seqs={BEST}"
    await world.window(2)
    assert (world.told["state"], world.told["reason"]) == ("OnTrial", "RollingOut")
    restart(world, "new")
    await world.window(SETTLING + TRIAL)
    assert world.told["reason"] == "Steady"
    world.prompt = 16000.0
    await world.window(6)
    assert (argument(world), world.told["reason"]) == (f"--max-num-seqs={BEST}", "TooSoon")


async def test_a_restart_for_nothing_is_not_ordered() -> None:
    world = restarting(share=lambda _: 0.999)
    await world.window(9)
    assert (world.patches, world.told["reason"]) == ([], "NotWorthARestart")


async def test_a_rollout_that_never_ends_is_taken_back() -> None:
    world = restarting(share=lambda _: 0.8)
    await world.window(FIRST)
    world.ready = False
    await world.window(40)
    assert argument(world) == "--max-num-seqs=100"
    assert "pods were not replaced within 30 min; 100 again" in world.events[-1]["message"]


CANARY = {
    "objectRef": KNOB["objectRef"] | {"name": "canary"},  # type: ignore[operator]
    "fieldPath": "data.limit",
    "podLabels": {"role": "canary"},
}
CANARY_MAP = ("ConfigMap", "canary")


def learning(**changes: Any) -> World:
    def limit(world: World, name: str) -> int:
        return int(world.objects[CANARY_MAP if name.startswith("canary") else MAP]["data"]["limit"])

    return World(
        body=tuned(tune="Learn", canary=CANARY, lossBudget="0.2"),
        objects={MAP: config_map(str(BEST)), CANARY_MAP: config_map(str(BEST), "canary")},
        pods_of={"app=llama": ["llama-0", "llama-1", "llama-2"], "role=canary": ["canary-0"]},
        limit_of=limit,
        **changes,
    )


async def test_learning_tries_on_the_canary_and_adopts_what_is_proven() -> None:
    world = learning(share=lambda limit: min(0.95, 0.55 + 0.35 * BEST / limit), requests=2000)
    for _ in range(60):
        await world.window()
        if world.told.get("lastChange", {}).get("reason") == "Adopted":
            break
    assert world.told["lastChange"]["to"] < BEST
    assert world.objects[MAP]["data"]["limit"] == str(world.told["lastChange"]["to"])
    await world.window()
    assert (world.told["canary"], world.told["limit"]) == (BEST, world.told["lastChange"]["to"])
    assert "the canary is the control at n*" in world.told["message"]
    assert len(world.told["memory"]) < 16384
    world.share = lambda limit: 0.9 if limit == BEST else 0.3
    await world.window(2)
    assert (world.told["limit"], world.told["lastChange"]["reason"]) == (BEST, "RolledBack")
    assert "LimitRolledBack" in world.reasons


async def test_learning_without_a_pod_of_the_canary_waits() -> None:
    world = learning()
    world.pods_of["role=canary"] = []
    await world.window(4)
    assert (world.told["reason"], world.patches) == ("NoCanary", [])


async def test_the_trained_network_proposes_under_the_same_shield_and_another_learner_begins_anew() -> None:
    world = learning(share=lambda limit: min(0.95, 0.55 + 0.35 * BEST / limit), requests=2000)
    await world.window(2)
    assert remembered(world.told["memory"]).learnt is not None

    def lower(features: Numbers) -> Numbers:
        return np.array([float(notch == -2) for notch in NOTCHES]) + 0.0 * features[0]

    turner = Turner(
        looking=world.turner._looking,
        writing=world.turner._writing,
        start_s=120.0,
        window_s=60.0,
        learner=lambda rule, bounds: NetworkAgent(lower, rule, bounds=bounds),
    )
    world.turner = turner
    await world.window(3)
    learnt = remembered(world.told["memory"]).learnt
    assert learnt is not None
    assert learnt["learner"] == "network"
    assert world.objects[CANARY_MAP]["data"]["limit"] == str(round(BEST / 1.1**2))
    await world.window(16)
    assert world.objects[MAP]["data"]["limit"] == str(round(BEST / 1.1**2))


async def test_somebody_else_at_the_canary_stops_learning() -> None:
    world = learning(share=lambda limit: min(0.95, 0.55 + 0.35 * BEST / limit), requests=2000)
    while not world.patches:
        await world.window()
    world.objects[CANARY_MAP]["data"]["limit"] = "200"
    await world.window()
    assert (world.told["state"], world.told["reason"]) == ("Stopped", "Conflict")
    assert "somebody else set the canary's limit to 200" in world.told["message"]
