"""Events: actions always, troubles once in ten minutes, failures never."""

from dataclasses import replace

from given import NOW, evidence, forecast
from twins import ClusterTwin, resource

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.events import Events
from foretide.operator.look import Unresolved
from foretide.operator.registry import Registry
from foretide.operator.seams import ClusterError
from foretide.operator.status import Turn, status_of
from foretide.policies.decide import plan
from foretide.policies.flow import Reliability


def turn(at: float = NOW, *, scaled: bool = False) -> Turn:
    registry = Registry()
    registry.see(resource())
    entry = registry.entries()[0]
    if not scaled:
        return Turn(entry, at, Unresolved("TargetNotFound", "pools[0].targetRef: Deployment llama does not exist"))
    found = evidence(forecast=forecast(*[45.0] * 100))
    return Turn(entry, at, None, found, plan(found), Actuation(Outcome.DONE))


async def told(*turns: Turn, cluster: ClusterTwin | None = None) -> list[str]:
    cluster = cluster or ClusterTwin()
    events = Events(cluster, identity="test")
    for one in turns:
        await events.tell(one, status_of(one, before={}))
    return [str(event["reason"]) for event in cluster.events]


async def test_each_action_is_told() -> None:
    assert await told(turn(scaled=True), turn(NOW + 5, scaled=True)) == ["Scaled", "Scaled"]


async def test_the_same_trouble_is_told_once_in_ten_minutes() -> None:
    assert await told(*(turn(NOW + second) for second in range(0, 600, 60))) == ["TargetNotFound"]
    assert await told(turn(NOW), turn(NOW + 601)) == ["TargetNotFound"] * 2


def drifting(at: float, *, alarms: int, drift: str = "outcomes no longer fall where forecasts said") -> Turn:
    honest = Reliability(0.7, 0.9, 0.2, 1.3, origins=90, alarms=alarms, drift=drift)
    found = evidence(forecast=replace(forecast(*[25.0] * 100), reliability=honest))
    return replace(turn(scaled=True), at=at, evidence=found, decision=plan(found), actuation=None)


async def test_a_drift_alarm_is_told_once_while_it_lasts_and_names_what_moved() -> None:
    cluster = ClusterTwin()
    reasons = await told(*(drifting(NOW + minute * 60, alarms=1) for minute in range(180)), cluster=cluster)
    assert reasons == ["ForecastDrift"]
    assert "outcomes no longer fall" in cluster.events[0]["message"]
    assert cluster.events[0]["type"] == "Warning"


async def test_a_further_alarm_is_told_but_not_within_the_hour() -> None:
    alarms = [drifting(NOW + minute * 60, alarms=1 + minute // 10) for minute in range(125)]
    assert await told(*alarms) == ["ForecastDrift"] * 3
    assert await told(drifting(NOW, alarms=3), drifting(NOW + 4000, alarms=1)) == ["ForecastDrift"] * 2


async def test_an_alarm_that_no_longer_widens_anything_is_no_news() -> None:
    assert await told(drifting(NOW, alarms=4, drift="")) == []


async def test_an_event_that_cannot_be_written_is_dropped() -> None:
    cluster = ClusterTwin(failing={"emit": ClusterError("forbidden", status=403)})
    assert await told(turn(), cluster=cluster) == []


async def test_an_event_names_its_resource_and_what_was_done() -> None:
    cluster = ClusterTwin()
    await told(turn(scaled=True), cluster=cluster)
    event = cluster.events[0]
    assert event["involvedObject"]["uid"] == "uid-llama"
    assert event["metadata"]["namespace"] == "prod"
    assert "3 -> 5 replicas" in event["message"]
