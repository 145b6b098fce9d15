import numpy as np
import pytest
from given import history
from seen import moments, pod, steady_pod, view
from staged import OBJECTIVE, scenario

from foretide.simulator.dynamo import Dynamo, Planner, intervals
from foretide.simulator.engine import Engine, Lengths, Limits
from foretide.simulator.scenario import Pace

ENGINE = Engine(scenario().deployment)
LIMITS = Limits.of(OBJECTIVE)
BUSY, CALM, OVERLOADED = pod(running=30, kv_usage=0.21), pod(running=1), pod(running=60, waiting=60, kv_usage=0.5)


def dynamo(**changes: object) -> Dynamo:
    planner = Planner(LIMITS, **({"predictor": "constant"} | changes))  # type: ignore[arg-type]
    return Dynamo(engine=ENGINE, planner=planner, pace=Pace(), min_replicas=1, max_replicas=9)


def test_one_more_when_every_engine_is_over() -> None:
    assert dynamo().decide(view(OVERLOADED, OVERLOADED)).replicas == 3
    assert dynamo().decide(view(OVERLOADED, BUSY)).replicas is None


def test_one_fewer_when_the_rest_could_bear_it() -> None:
    assert dynamo().decide(view(CALM, CALM, CALM)).replicas == 2
    assert dynamo().decide(view(CALM, CALM, BUSY)).replicas is None


def test_the_last_replica_stays() -> None:
    assert dynamo().decide(view(CALM)).replicas is None


def test_it_only_observes_while_pods_start_or_do_not_all_report() -> None:
    assert dynamo().decide(view(OVERLOADED, starting=1)).code == "ScalingInProgress"
    assert dynamo().decide(view(OVERLOADED, ready=2)).code == "WorkerCountMismatch"


def test_a_scrape_is_used_once() -> None:
    policy = dynamo()
    assert policy.decide(view(CALM, CALM, CALM, now=0)).replicas == 2
    assert policy.decide(view(CALM, CALM, now=5, scraped_at=0)).code == "Waiting"
    assert policy.decide(view(CALM, CALM, now=15)).replicas == 1


def after_an_interval(policy: Dynamo, rate: float) -> Dynamo:
    pods = {"a": steady_pod(rate, until=180, prompt=1155, output=211)}
    for now in moments(5, 190, 5):
        policy.decide(view(BUSY, now=now, scraped_at=15 * (now // 15), samples=pods))
    return policy


def test_the_throughput_loop_is_the_load_loops_lower_bound() -> None:
    each = ENGINE.largest_rate(Lengths(1155.0, 211.0), LIMITS)
    policy = after_an_interval(dynamo(), 2.5 * each)
    assert policy._bound == 3
    assert policy.decide(view(BUSY, now=195)).replicas == 3


def test_without_the_load_loop_it_scales_by_itself_at_the_end_of_an_interval() -> None:
    each, policy = ENGINE.largest_rate(Lengths(1155.0, 211.0), LIMITS), dynamo(load_loop=False)
    pods = {"a": steady_pod(2.5 * each, until=180, prompt=1155, output=211)}
    found = {now: policy.decide(view(OVERLOADED, now=now, samples=pods)).replicas for now in moments(5, 200, 5)}
    assert {now: count for now, count in found.items() if count is not None} == {185.0: 3}


def test_nothing_to_predict_from_is_no_bound() -> None:
    policy = dynamo(load_loop=False)
    choices = [policy.decide(view(BUSY, now=now)) for now in moments(5, 200, 5)]
    assert [choice.code for choice in choices if choice.planned] == ["NotReady"]


def test_idle_time_before_the_first_request_is_not_learned() -> None:
    policy = dynamo(load_loop=False)
    idle = {"a": steady_pod(0.0, until=180)}
    for now in moments(5, 190, 5):
        choice = policy.decide(view(CALM, now=now, samples=idle))
    assert choice.code == "NotReady"


def test_earlier_demand_is_learned_in_whole_intervals() -> None:
    found = intervals(history(9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 180.0)
    assert [traffic.requests for traffic in found] == [2.0, 5.0]
    assert found[0].prompt_tokens == pytest.approx(1000.0)
    assert intervals(history(1.0, np.nan, 3.0), 180.0) == []


def test_what_was_learned_before_the_run_is_predicted_from() -> None:
    planner = Planner(LIMITS, predictor="constant", load_loop=False)
    policy = Dynamo(
        engine=ENGINE, planner=planner, pace=Pace(), min_replicas=1, max_replicas=9, history=history(*[40.0] * 6)
    )
    choices = [policy.decide(view(BUSY, now=now)) for now in moments(5, 200, 5)]
    assert max(choice.replicas or 0 for choice in choices) > 1
