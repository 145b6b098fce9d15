"""Laws of routing, over random traffic on a fleet that grows and shrinks meanwhile."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.policies.flow import frozen
from foretide.simulator.fleet import Fleet, StartTier
from foretide.simulator.member import Member, Ready
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.replica import Job, Replica
from foretide.simulator.requests import Blocks, RequestTrace
from foretide.simulator.routing import NAMES

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
DEPLOYMENT = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=20_000, source="a test"))
COUNT = 250

orders = st.lists(st.tuples(st.floats(0.0, 12.0), st.integers(0, 6)), max_size=8)


class Watched:
    """Notes each choice, with what was outstanding at every member."""

    def __init__(self, fleet: Fleet) -> None:
        self.inner, fleet._router = fleet._router, self
        self.choices: list[tuple[int, dict[int, int], int]] = []

    def choose(self, members: Ready, job: Job, now: float) -> Member:
        outstanding = {member.number: member.replica.outstanding for member in members}
        chosen = self.inner.choose(members, job, now)
        self.choices.append((job.index, outstanding, chosen.number))
        return chosen


def traffic(seed: int) -> RequestTrace:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 4, COUNT)
    blocks = Blocks(rng.integers(0, 9, lengths.sum()), np.concatenate([[0], np.cumsum(lengths)]))
    arrivals = frozen(np.cumsum(rng.exponential(0.05, COUNT)))
    return RequestTrace(arrivals, 512 * lengths, rng.integers(1, 90, COUNT), blocks)


def ran(name: str, seed: int, moves: list[tuple[float, int]], *, replicas: int) -> tuple[Fleet, Watched]:
    fleet = Fleet(
        deployment=DEPLOYMENT,
        trace=traffic(seed),
        replicas=replicas,
        cold_start=StartTier(2.0, 0.5),
        seed=seed,
        routing=name,
    )
    watched = Watched(fleet)
    for at, count in sorted(moves):
        fleet.advance(at)
        fleet.scale(count)
    fleet.advance(max(fleet.now, 15.0))
    fleet.scale(2)
    fleet.advance(2000.0)
    return fleet, watched


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 99), moves=orders, replicas=st.integers(0, 4))
def test_every_request_goes_to_exactly_one_ready_member_and_ends(
    name: str, seed: int, moves: list[tuple[float, int]], replicas: int
) -> None:
    fleet, watched = ran(name, seed, moves, replicas=replicas)
    assert sorted(index for index, _, _ in watched.choices) == list(range(COUNT))
    assert all(chosen in outstanding for _, outstanding, chosen in watched.choices)
    assert Counter(chosen for _, _, chosen in watched.choices) == Counter(
        {member.number: member.replica.finished for member in fleet.members}
    )
    assert np.isfinite(fleet.outcome().e2e_s).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 99), moves=orders, replicas=st.integers(0, 4))
def test_least_outstanding_takes_the_first_of_the_idlest(
    seed: int, moves: list[tuple[float, int]], replicas: int
) -> None:
    _, watched = ran("least-outstanding", seed, moves, replicas=replicas)
    for _, outstanding, chosen in watched.choices:
        assert chosen == min(outstanding, key=lambda number: outstanding[number])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), replicas=st.integers(1, 7))
def test_in_turn_is_fair_within_one_while_the_members_stay(seed: int, replicas: int) -> None:
    _, watched = ran("round-robin", seed, [(14.9, replicas)], replicas=replicas)
    served = Counter(dict.fromkeys(range(replicas), 0))
    for _, _, chosen in watched.choices[: int(0.9 * COUNT)]:
        served[chosen] += 1
        assert max(served.values()) - min(served.values()) <= 1


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(NAMES), seed=st.integers(0, 99), moves=orders)
def test_a_seed_decides_everything(name: str, seed: int, moves: list[tuple[float, int]]) -> None:
    (one, first), (other, second) = (ran(name, seed, moves, replicas=2) for _ in range(2))
    assert first.choices == second.choices
    np.testing.assert_array_equal(one.outcome().e2e_s, other.outcome().e2e_s)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["join", "leave", "submit", "submit", "submit", "proceed"]), st.integers(0, 40)),
        max_size=80,
    )
)
def test_the_idlest_are_those_that_counting_finds(steps: list[tuple[str, int]]) -> None:
    members, made = Ready(), 0
    for what, pick in steps:
        if what == "join":
            members.join(Member(made, str(made), Replica(DEPLOYMENT), 0.0, 0.0))
            made += 1
        elif len(members):
            change(what, members, members[pick % len(members)])
        if len(members):
            assert members.first_idlest() is min(members, key=lambda member: member.replica.outstanding)
            assert members.last_idlest() is min(reversed(members), key=lambda member: member.replica.outstanding)


def change(what: str, members: Ready, member: Member) -> None:
    if what == "leave":
        members.leave(member)
    elif what == "submit":
        now = member.replica.next_event
        member.replica.submit(Job(0, 0.0, 10, 1), 0.0 if now == np.inf else now)
    elif member.replica.next_event < np.inf:
        member.replica.proceed()
    members.recount(member)
