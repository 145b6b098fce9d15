"""Naps step by step, and every way in which an engine can fail at them: bounded tries, and never without a path."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from sleepy import Engine
from twins import START, ClusterTwin, pod

from foretide.operator.gates import AWAKE, Nap, condition
from foretide.operator.naps import BARRED_S, TRIES, Bed, Naps, Settler, unsettled
from foretide.operator.pods import Replica, counts, replicas
from foretide.operator.seams import ClusterError
from foretide.policies.declared import SLEEPING
from foretide.policies.warm.ladder import READY

BED = Bed("prod", 8000, wake_s=3.0)


@dataclass
class Scene:
    """One pod with a gate, its engine, and time."""

    engine: Engine = field(default_factory=Engine)
    naps: Naps = field(default_factory=Naps)
    cluster: ClusterTwin = field(default_factory=ClusterTwin)
    now: float = START
    gated: bool = True

    def pods(self) -> tuple[Replica, ...]:
        nap = Nap(self.cluster.naps.get("llama-0", ""))
        found: dict[str, Any] = pod("llama-0", ready=not self.gated or nap is Nap.AWAKE)
        if self.gated:
            found["spec"] = {"readinessGates": [{"conditionType": AWAKE}]}
            found["status"]["conditions"].append(condition(nap, time="2026-11-27T09:00:00Z"))
        return replicas([found])

    async def step(self, tier: str, *, after: float = 5.0) -> str:
        self.now += after
        settler = Settler(self.cluster, self.engine)
        await settler.settle(self.naps, BED, self.pods(), tier=tier, now=self.now)
        return self.cluster.naps.get("llama-0", "")

    async def nap(self) -> None:
        for tier in ("", SLEEPING, SLEEPING):
            await self.step(tier)
        assert self.cluster.naps["llama-0"] == "Asleep"


async def test_a_fresh_pod_gets_its_gate_opened_and_a_nap_begins_outside_the_endpoints() -> None:
    scene = Scene()
    assert await scene.step("") == "Awake"
    assert await scene.step(SLEEPING) == "Drowsy"
    assert scene.engine.asked == [], "the pod leaves the endpoints before its engine sleeps"
    assert await scene.step(SLEEPING) == "Asleep"
    assert scene.engine.asked == ["sleep", "is_sleeping"]
    assert await scene.step("") == "Asleep", "who sleeps sleeps on while nothing is decided"
    assert counts(scene.pods()).asleep == 1
    assert counts(scene.pods()).starting == 0


async def test_a_request_that_comes_while_it_grows_drowsy_finds_it_awake() -> None:
    scene = Scene()
    await scene.step("")
    await scene.step(SLEEPING)
    assert await scene.step(READY) == "Awake"
    assert scene.engine.asked == []


async def test_a_sleeper_returns_to_the_endpoints_only_once_it_says_that_it_is_awake() -> None:
    scene = Scene()
    await scene.nap()
    scene.engine.wakes = False
    assert await scene.step(READY) == "Waking"
    scene.engine.asleep = False
    assert await scene.step("", after=2.0) == "Awake"
    assert scene.naps.news() == 2.0
    assert scene.naps.news() is None


async def test_a_sleep_endpoint_that_answers_errors_is_asked_three_times_and_then_done_without() -> None:
    scene = Scene(Engine(refuses=("sleep",)))
    await scene.step("")
    for _ in range(TRIES):
        assert await scene.step(SLEEPING) == "Drowsy"
    assert await scene.step(SLEEPING) == "Awake"
    assert scene.engine.asked.count("sleep") == TRIES
    assert scene.naps.trouble is not None
    assert scene.naps.trouble.reason == "SleepFailed"
    assert "answered 500" in scene.naps.trouble.message
    assert "--enable-sleep-mode" in scene.naps.trouble.message
    assert await scene.step(SLEEPING) == "Awake", "not again for a while"
    assert not scene.naps.may(scene.now)
    assert scene.naps.may(scene.now + BARRED_S)


async def test_a_sleep_endpoint_that_lies_is_found_out_and_the_pod_serves_on() -> None:
    scene = Scene(Engine(lies=True))
    await scene.step("")
    for _ in range(TRIES + 1):
        last = await scene.step(SLEEPING)
    assert last == "Awake"
    assert scene.naps.trouble is not None
    assert "says that it sleeps and does not" in scene.naps.trouble.message


async def test_a_wake_that_never_ends_is_given_up_in_its_time_and_the_pod_is_told_lost() -> None:
    scene = Scene()
    await scene.nap()
    scene.engine.wakes = False
    seen = [await scene.step(READY) for _ in range(8)]
    assert seen[0] == "Waking"
    assert seen[-1] == "Lost"
    assert scene.engine.asked.count("wake") == TRIES
    assert scene.naps.trouble is not None
    assert scene.naps.trouble.reason == "WakeFailed"
    found = counts(scene.pods())
    assert (found.lost, found.asleep, found.starting) == (1, 0, 0)


async def test_a_wake_endpoint_that_answers_errors_is_given_up_as_well() -> None:
    scene = Scene()
    await scene.nap()
    scene.engine.refuses = ("wake", "is_sleeping")
    for _ in range(8):
        last = await scene.step(READY)
    assert last == "Lost"


async def test_a_tier_without_a_wake_path_is_never_entered() -> None:
    scene = Scene(gated=False)
    await scene.step(SLEEPING)
    assert scene.engine.asked == []
    assert scene.naps.trouble is not None
    assert scene.naps.trouble.reason == "NoReadinessGate"
    assert "readinessGates" in scene.naps.trouble.message


async def test_an_api_server_that_refuses_leaves_all_as_it_is() -> None:
    scene = Scene()
    scene.cluster.failing["set_nap"] = ClusterError("forbidden", status=403)
    assert await scene.step("") == ""
    assert scene.naps.trouble is not None
    assert scene.naps.trouble.reason == "Forbidden"
    assert "sleep.enabled" in scene.naps.trouble.message


@pytest.mark.parametrize(
    ("nap", "waits"),
    [
        (Nap.NONE, True),
        (Nap.DROWSY, True),
        (Nap.WAKING, True),
        (Nap.AWAKE, False),
        (Nap.ASLEEP, False),
        (Nap.LOST, False),
    ],
)
def test_only_pods_in_between_wait_for_the_next_step(nap: Nap, waits: bool) -> None:
    scene = Scene()
    scene.cluster.naps["llama-0"] = nap.value
    assert unsettled(scene.pods()) is waits
