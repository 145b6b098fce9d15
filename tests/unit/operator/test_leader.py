"""Leader or nothing: two never lead at once, whatever the clocks and the API do."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from twins import ClockTwin

from foretide.operator.leader import Leader
from foretide.operator.seams import ClusterError
from foretide.operator.settings import LeaseSettings


@dataclass
class LeasesTwin:
    """One Lease with optimistic concurrency."""

    body: dict[str, Any] | None = None
    version: int = 0
    down: bool = False
    slow: float = 0.0
    clock: ClockTwin = field(default_factory=ClockTwin)

    async def lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        self._answer()
        if self.body is None:
            raise ClusterError("no lease", status=404)
        return dict(self.body)

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._answer()
        if self.body is not None:
            raise ClusterError("exists", status=409)
        return self._store(body)

    async def update_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._answer()
        if self.body is None or body["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
            raise ClusterError("moved", status=409)
        return self._store(body)

    def _answer(self) -> None:
        self.clock.time += self.slow
        if self.down:
            raise ClusterError("timeout")

    def _store(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.body = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.body


@dataclass
class Rig:
    clock: ClockTwin = field(default_factory=ClockTwin)
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.leases = LeasesTwin(clock=self.clock)

    def operator(self, name: str, **settings: Any) -> Leader:
        return Leader(
            self.leases,
            settings=LeaseSettings(**settings),
            identity=name,
            clock=self.clock,
            end=self.ended.append,
        )


async def test_the_first_one_leads_and_the_second_waits() -> None:
    rig = Rig()
    one, two = rig.operator("one"), rig.operator("two")
    assert await one.attempt()
    assert not await two.attempt()
    assert (one.leads(), two.leads()) == (True, False)


async def test_the_lead_ends_by_itself_before_the_lease_does() -> None:
    rig = Rig()
    one, two = rig.operator("one"), rig.operator("two")
    await one.attempt()
    await two.attempt()
    rig.clock.time += 9.9
    assert one.leads()
    rig.clock.time += 0.2
    assert not one.leads()
    assert not await two.attempt(), "the lease has not expired for the second one yet"
    rig.clock.time += 5.0
    assert await two.attempt()


async def test_at_no_time_do_two_lead() -> None:
    rig = Rig()
    operators = [rig.operator(name) for name in "abc"]
    for second in range(300):
        rig.clock.time += 1.0
        rig.leases.down = second % 37 < 13
        for index, operator in enumerate(operators):
            if (second + index) % 3 == 0:
                await operator.attempt()
        assert sum(operator.leads() for operator in operators) <= 1
    assert any(operator.leads() for operator in operators)


@pytest.mark.parametrize("skew", [3600.0, -3600.0])
async def test_a_wrong_wall_clock_takes_no_lease_from_its_holder(skew: float) -> None:
    rig = Rig()
    one, two = rig.operator("one"), rig.operator("two")
    await one.attempt()
    rig.clock.skew = skew
    assert not await two.attempt()
    rig.clock.time += 5.0
    await one.attempt()
    rig.clock.time += 11.0
    assert not await two.attempt(), "the record changed since it was first seen"


async def test_a_renewal_counts_from_when_it_was_asked_for() -> None:
    rig = Rig()
    one = rig.operator("one")
    rig.leases.slow = 6.0
    await one.attempt()
    assert not one.leads(), "twelve seconds went by while the API answered"


async def test_losing_the_lead_ends_the_process() -> None:
    rig = Rig()
    one = rig.operator("one")
    await one.attempt()

    class Over(Exception):
        pass

    def end(code: int) -> None:
        rig.ended.append(code)
        raise Over

    one._end = end
    rig.leases.down = True
    with pytest.raises(Over):
        await one.run()
    assert rig.ended == [1]


async def test_a_released_lease_is_taken_at_once() -> None:
    rig = Rig()
    one, two = rig.operator("one"), rig.operator("two")
    await one.attempt()
    await one.release()
    assert not one.leads()
    assert await two.attempt()


async def test_of_two_who_take_a_free_lease_at_once_one_gets_it() -> None:
    rig = Rig()
    await rig.operator("gone").attempt()
    one, two = rig.operator("one"), rig.operator("two")
    await one.attempt()
    await two.attempt()
    rig.clock.time += 20.0
    stale = dict(rig.leases.body or {})
    assert await one.attempt()
    with pytest.raises(ClusterError):
        await rig.leases.update_lease("", "", stale)


async def test_without_election_one_always_leads() -> None:
    rig = Rig()
    assert rig.operator("one", enabled=False).leads()
    assert rig.leases.body is None


async def test_a_missing_namespace_is_told_once_and_with_the_fix(caplog: pytest.LogCaptureFixture) -> None:
    class Homeless(LeasesTwin):
        async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
            raise ClusterError(f'namespaces "{namespace}" not found', status=404)

    rig = Rig()
    rig.leases = Homeless(clock=rig.clock)
    one = rig.operator("one")
    with caplog.at_level(logging.INFO):
        assert [await one.attempt() for _ in range(3)] == [False] * 3
    (line,) = caplog.messages
    assert line.startswith("nothing is written before we lead")
    assert "kubectl create namespace foretide" in line
