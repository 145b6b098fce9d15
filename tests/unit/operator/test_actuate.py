"""The only write: conditional, once, and refused where it makes no sense."""

import pytest
from given import pool
from twins import ClusterTwin, resource

from foretide.operator.actuate import CHEAP, Marks, Outcome, actuate
from foretide.operator.pods import DELETION_COST
from foretide.operator.resource import APPROVE, Resource, parse
from foretide.operator.seams import ClusterError
from foretide.policies.flow import Order, Pool


def leads() -> bool:
    return True


def llama() -> Resource:
    parsed = parse(resource()).resource
    assert parsed is not None
    return parsed


def cluster(replicas: int = 3) -> ClusterTwin:
    twin = ClusterTwin(replicas={"llama": replicas})
    twin.versions["llama"] = 7
    return twin


def order(after: int, *, before: int = 3, version: str = "7") -> Order:
    return Order("main", before, after, version)


async def test_an_order_is_written_with_the_version_of_its_evidence() -> None:
    twin = cluster()
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(5))
    assert done.outcome is Outcome.DONE
    assert twin.writes == [("llama", 5)]


async def test_in_mode_approve_only_the_approved_count_is_ever_written() -> None:
    twin, body = cluster(), resource(mode="Approve")
    for written, outcome in (("", Outcome.REFUSED), ("4@1f0c9a3e", Outcome.REFUSED), ("5@1f0c9a3e", Outcome.DONE)):
        body["metadata"]["annotations"] = {APPROVE: written}
        found = parse(body).resource
        assert found is not None
        assert (await actuate(twin, leads=leads, resource=found, pool=pool(3), order=order(5))).outcome is outcome
    assert twin.writes == [("llama", 5)]


async def test_a_target_that_moved_is_not_written_and_not_tried_again() -> None:
    twin = cluster()
    twin.versions["llama"] = 8
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(5))
    assert done.outcome is Outcome.MOVED
    assert twin.writes == []


async def test_a_failed_write_is_a_value_and_not_an_exception() -> None:
    twin = cluster()
    twin.failing["write_scale"] = ClusterError("forbidden", status=403)
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(5))
    assert done.outcome is Outcome.FAILED
    assert "5 replicas" in done.message


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (pool(3), order(21)),
        (pool(3), order(0)),
        (pool(3), order(-1)),
        (pool(3), order(5, before=4)),
        (pool(3), order(5, version="6")),
        (pool(3, version=""), order(5, version="")),
        (pool(3, conflict="HPA x scales it too"), order(5)),
    ],
)
async def test_what_no_order_may_ever_be_is_refused_whoever_made_it(found: Pool, asked: Order) -> None:
    twin = cluster()
    done = await actuate(twin, leads=leads, resource=llama(), pool=found, order=asked)
    assert done.outcome is Outcome.REFUSED
    assert done.message
    assert twin.writes == []


async def test_above_the_maximum_an_order_may_come_down_in_steps() -> None:
    twin = cluster(30)
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(30), order=order(27, before=30))
    assert done.outcome is Outcome.DONE


MARKS = Marks(victims=("llama-1", "llama-2"), spared=("llama-0",))


def marked(twin: ClusterTwin) -> dict[str, str]:
    return {name: notes[DELETION_COST] for name, notes in twin.annotations.items() if DELETION_COST in notes}


async def test_the_pods_that_may_go_are_marked_before_the_count_falls() -> None:
    twin = cluster()
    twin.annotations["llama-0"] = {DELETION_COST: CHEAP, "theirs": "kept"}
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(1), marks=MARKS)
    assert done.outcome is Outcome.DONE
    assert marked(twin) == {"llama-1": CHEAP, "llama-2": CHEAP}
    assert twin.annotations["llama-0"] == {"theirs": "kept"}


async def test_an_order_that_raises_or_is_refused_marks_nothing() -> None:
    twin = cluster()
    await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(5), marks=MARKS)
    await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(0), marks=MARKS)
    assert twin.annotations == {}


async def test_pods_of_a_kind_that_does_not_ask_for_costs_are_left_alone() -> None:
    twin = cluster()
    pools = [{"targetRef": {"name": "llama", "kind": "StatefulSet"}, "accelerator": "H100", "maxReplicas": 20}]
    ordered = parse(resource(pools=pools)).resource
    assert ordered is not None
    await actuate(twin, leads=leads, resource=ordered, pool=pool(3), order=order(1), marks=MARKS)
    assert twin.annotations == {}
    assert twin.writes == [("llama", 1)]


@pytest.mark.parametrize("status", [403, 404, 0])
async def test_a_mark_that_cannot_be_set_keeps_no_order_from_being_carried_out(status: int) -> None:
    twin = cluster()
    twin.failing["annotate_pod"] = ClusterError("no", status=status)
    done = await actuate(twin, leads=leads, resource=llama(), pool=pool(3), order=order(1), marks=MARKS)
    assert done.outcome is Outcome.DONE


async def test_a_lead_that_is_lost_while_pods_are_marked_keeps_the_count() -> None:
    """A process that is stopped in the middle wakes up with its answers, and not as the leader."""
    twin = cluster()
    done = await actuate(
        twin, leads=lambda: not marked(twin), resource=llama(), pool=pool(3), order=order(1), marks=MARKS
    )
    assert done.outcome is Outcome.REFUSED
    assert "lead was lost" in done.message
    assert twin.writes == []
