import pytest
from seen import steady_pod, view
from staged import SERVICE

from foretide.policies.behavior import HPA_DEFAULT
from foretide.simulator.last_value import LastValue
from foretide.simulator.scenario import Pace


def last_value(headroom: float = 1.0) -> LastValue:
    return LastValue(
        service=SERVICE, pace=Pace(), min_replicas=1, max_replicas=9, behavior=HPA_DEFAULT, headroom=headroom
    )


@pytest.mark.parametrize(("headroom", "wanted"), [(1.0, 3), (1.5, 4), (5.0, 6)])
def test_the_last_minute_times_its_headroom_goes_through_the_table(headroom: float, wanted: int) -> None:
    # 30 requests/s of 12 per replica; HPA's behavior lets two become six at most.
    pods = {"a": steady_pod(15.0, until=300), "b": steady_pod(15.0, until=300)}
    assert last_value(headroom).decide(view(now=305, ready=2, samples=pods)).replicas == wanted


def test_only_the_last_minute_counts() -> None:
    pods = {"a": steady_pod(30.0, until=240), "b": steady_pod(1.0, until=600)}
    choice = last_value().decide(view(now=605, ready=1, samples=pods))
    assert choice.replicas is None
    assert choice.text.startswith("1.00 requests/s")


def test_nothing_measured_is_no_action() -> None:
    assert last_value().decide(view(now=305, ready=2)).code == "Blind"
