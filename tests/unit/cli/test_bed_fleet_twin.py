import numpy as np
import pytest

from foretide.cli.bed.fleet_twin import FleetTwin, Promise, Seen
from foretide.simulator.profiles import Deployment, find_profile
from foretide.simulator.requests import RequestTrace

DEPLOYMENT = Deployment(profile=find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))


def twin(*arrivals: float, output: int = 10, ttft_s: float = 0.5) -> FleetTwin:
    count = len(arrivals)
    trace = RequestTrace(np.array(arrivals), np.full(count, 100), np.full(count, output))
    return FleetTwin(deployment=DEPLOYMENT, trace=trace, promise=Promise(ttft_s=ttft_s, tpot_s=0.025))


def pod(name: str, *, ready: bool = True, ending: bool = False, uid: str = "") -> Seen:
    return Seen(name, uid or name, ready=ready, ending=ending)


def finished(fleet: FleetTwin, name: str) -> float:
    engine = fleet.metrics(name)
    assert engine is not None
    return engine.finished


def test_engines_count_exactly_the_requests_that_finished() -> None:
    fleet = twin(0.0, 0.0, 1.0, 2.0)
    fleet.see([pod("a"), pod("b")])
    fleet.advance(10.0)
    assert finished(fleet, "a") + finished(fleet, "b") == 4
    assert finished(fleet, "a") + finished(fleet, "b") == 4, "asking twice counts twice"
    assert fleet.truth()["finished"] == 4


def test_what_waited_at_the_door_is_counted_by_the_engine_that_served_it() -> None:
    fleet = twin(0.0, 0.1)
    fleet.advance(5.0)
    assert fleet.truth()["at_the_door"] == 2
    fleet.see([pod("a")])
    fleet.advance(10.0)
    assert finished(fleet, "a") == 2
    assert fleet.truth()["all"]["ttft"] == 0.0


def test_a_pod_that_is_not_ready_neither_serves_nor_answers() -> None:
    fleet = twin(0.0)
    fleet.see([pod("a", ready=False)])
    fleet.advance(5.0)
    assert fleet.scraped == []
    assert fleet.metrics("a") is None
    assert fleet.truth()["starting"] == 1
    fleet.see([pod("a")])
    fleet.advance(10.0)
    assert fleet.scraped == ["a"]
    assert finished(fleet, "a") == 1


def test_an_ending_pod_finishes_what_it_has_and_takes_nothing_new() -> None:
    fleet = twin(0.0, 1.0, output=300)
    fleet.see([pod("a"), pod("b", ready=False)])
    fleet.advance(0.5)
    fleet.see([pod("a", ending=True), pod("b")])
    fleet.advance(20.0)
    assert finished(fleet, "a") == 1
    assert finished(fleet, "b") == 1


def test_a_vanished_pod_takes_its_requests_with_it_and_they_count_as_broken() -> None:
    fleet = twin(0.0, output=1000)
    fleet.see([pod("a")])
    fleet.advance(0.5)
    fleet.see([])
    fleet.advance(60.0)
    truth = fleet.truth()
    assert fleet.scraped == []
    assert truth["finished"] == 0
    assert truth["all"] == {"decided": 1, "ttft": None, "tpot": None, "joint": 0.0}


def test_a_pod_of_the_same_name_is_another_engine() -> None:
    fleet = twin(0.0)
    fleet.see([pod("web-0", uid="first")])
    fleet.advance(5.0)
    assert finished(fleet, "web-0") == 1
    fleet.see([pod("web-0", uid="second")])
    assert finished(fleet, "web-0") == 0


def test_a_pod_that_loses_readiness_starts_anew() -> None:
    fleet = twin(0.0, 6.0)
    fleet.see([pod("a")])
    fleet.advance(5.0)
    fleet.see([pod("a", ready=False)])
    assert fleet.scraped == []
    fleet.advance(7.0)
    fleet.see([pod("a")])
    fleet.advance(12.0)
    assert finished(fleet, "a") == 1
    assert fleet.truth()["finished"] == 2


def test_a_pod_first_seen_while_it_ends_is_left_alone() -> None:
    fleet = twin(0.0)
    fleet.see([pod("a", ending=True)])
    fleet.see([])
    assert fleet.scraped == []


def test_nothing_is_said_about_requests_whose_fate_is_open() -> None:
    fleet = twin(0.0, ttft_s=5.0)
    fleet.advance(1.0)
    assert fleet.truth()["all"] == {"decided": 0, "ttft": None, "tpot": None, "joint": None}


def test_a_request_that_is_late_already_is_broken_before_it_finishes() -> None:
    fleet = twin(0.0, output=1)
    fleet.advance(0.6)
    assert fleet.truth()["all"]["joint"] == 0.0


@pytest.mark.parametrize(
    ("conditions", "ready"), [([], False), ([("Ready", "False")], False), ([("Ready", "True")], True)]
)
def test_readiness_is_the_condition(conditions: list[tuple[str, str]], ready: bool) -> None:
    body = {
        "metadata": {"name": "a", "uid": "1"},
        "status": {"conditions": [{"type": kind, "status": status} for kind, status in conditions]},
    }
    assert Seen.of(body) == Seen("a", "1", ready=ready)
