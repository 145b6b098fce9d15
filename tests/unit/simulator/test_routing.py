"""Each way to route against what its documentation says, worked out by hand."""

from collections import Counter

import pytest

from foretide.simulator.member import Member, Ready
from foretide.simulator.profiles import Deployment, Profile, StepTimes
from foretide.simulator.replica import Job, Replica
from foretide.simulator.routing import DEFAULT, NAMES, SCRAPE_S, Router, router

STEPS = StepTimes(10.0, 0.5, 0.001, 8.0, 0.02, 1e-6)
DEPLOYMENT = Deployment(Profile("test", "test", 1, STEPS, kv_tokens=10_240, source="a test"))
"""Room for 20 blocks of 512 tokens."""


class Shown(Replica):
    """Shows what it is told to."""

    __slots__ = ("shown",)

    def __init__(self) -> None:
        super().__init__(DEPLOYMENT)
        self.shown = 0

    @property
    def kv_used(self) -> int:
        return self.shown


def job(*blocks: int) -> Job:
    return Job(0, 0.0, 100, 10, blocks=blocks)


def pool(*states: tuple[int, float]) -> Ready:
    """A ready member for each (requests waiting, share of the cache in use)."""
    made = Ready()
    for number, (waiting, usage) in enumerate(states):
        made.join(Member(number, f"replica-{number}", Shown(), 0.0, 0.0))
        show(made[number], waiting, usage)
    return made


def show(member: Member, waiting: int, usage: float) -> None:
    assert isinstance(member.replica, Shown)
    member.replica.waiting.clear()
    member.replica.waiting.extend(job() for _ in range(waiting))
    member.replica.shown = round(usage * DEPLOYMENT.room)


def acquainted(name: str, members: Ready, *, seed: int = 0) -> Router:
    """A router that knows these members already, so that it scrapes all of them anew from second 0 on."""
    by = router(name, seed)
    by.choose(members, job(), -1.0)
    return by


def chosen(by: Router, members: Ready, times: int, *, at: float = 0.0, of: Job | None = None) -> Counter[int]:
    return Counter(by.choose(members, of or job(), at).number for _ in range(times))


def test_every_name_makes_a_router_and_another_is_refused_in_one_line() -> None:
    assert DEFAULT in NAMES
    for name in NAMES:
        assert router(name, 0).choose(pool((0, 0.0)), job(), 0.0).number == 0
    with pytest.raises(ValueError, match=r"^routing: random: give one of round-robin, least-outstanding, .*aware$"):
        router("random", 0)


def test_in_turn_means_in_the_order_of_readiness_and_from_the_front_again() -> None:
    members, by = pool((9, 0.0), (0, 0.0), (0, 0.0)), router("round-robin", 0)
    assert [by.choose(members, job(), 0.0).number for _ in range(5)] == [0, 1, 2, 0, 1]
    members.leave(members[2])
    assert [by.choose(members, job(), 0.0).number for _ in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("states", "best"),
    [
        (((0, 0.5), (4, 0.0)), 0),  # 2 + 1 against 0 + 2
        (((0, 0.9), (1, 0.1)), 0),  # queues are scored by rank in their spread, not by length: 2 + 0.2 against 0 + 1.8
        (((2, 0.0), (0, 0.9), (4, 0.0)), 0),  # 1 + 2 against 2 + 0.2 and 0 + 2
        (((3, 0.6), (3, 0.5)), 1),  # equal queues: 2 + 0.8 against 2 + 1
    ],
)
def test_queue_and_cache_weigh_the_same(states: tuple[tuple[int, float], ...], best: int) -> None:
    members = pool(*states)
    assert chosen(acquainted("queue-and-kv", members), members, 20) == {best: 20}


def test_what_happened_since_the_last_scrape_is_not_known() -> None:
    members = pool((0, 0.0), (1, 0.0))
    by = acquainted("queue-and-kv", members)
    assert chosen(by, members, 5, at=0.0) == {0: 5}
    show(members[0], 7, 0.9)
    assert chosen(by, members, 5, at=0.001) == {0: 5}
    assert chosen(by, members, 5, at=SCRAPE_S) == {1: 5}


def test_each_is_scraped_at_moments_of_its_own() -> None:
    members = pool(*((0, 0.0) for _ in range(40)))
    by = acquainted("queue-and-kv", members)
    by.choose(members, job(), 0.0)
    for member in members:
        show(member, 0, 0.5)
    halfway = len({by.choose(members, job(), 0.5 * SCRAPE_S).number for _ in range(2000)})
    assert 10 < halfway < 30, "those that a scrape has found half full are avoided, and no others"
    assert len({by.choose(members, job(), SCRAPE_S).number for _ in range(2000)}) == 40


def test_a_newcomer_counts_as_empty_until_it_is_scraped() -> None:
    members = pool((1, 0.2), (0, 0.2))
    by = acquainted("queue-and-kv", members)
    assert chosen(by, members, 3) == {1: 3}
    members.join(Member(2, "new", Shown(), 0.0, 0.0))
    show(members[2], 50, 1.0)
    assert chosen(by, members, 3) == {2: 3}
    assert chosen(by, members, 3, at=2 * SCRAPE_S) == {1: 3}


def test_chance_decides_between_equals_the_same_way_for_a_seed() -> None:
    members = pool((0, 0.0), (0, 0.0), (0, 0.0), (5, 0.0))
    drawn = [acquainted("queue-and-kv", members, seed=seed) for seed in (1, 1, 2)]
    first, again, other = ([by.choose(members, job(), 0.0).number for _ in range(300)] for by in drawn)
    assert first == again != other
    assert set(first) == {0, 1, 2}
    assert all(60 < first.count(number) < 140 for number in range(3))


def test_a_prefix_draws_its_request_and_load_can_outweigh_it() -> None:
    members = pool((0, 0.0), (0, 0.9))
    by = acquainted("prefix-aware", members)
    assert chosen(by, members, 1, of=job(1, 2, 3)) == {0: 1}
    show(members[0], 0, 0.9)
    show(members[1], 0, 0.0)
    whole, third, none = job(1, 2, 3), job(1, 8, 9), job(7, 2, 3)
    assert by.choose(members, whole, 1.0).number == 0, "2 + 0.2 + 3 against 2 + 2"
    assert by.choose(members, third, 2.0).number == 1, "2 + 0.2 + 1 against 2 + 2"
    assert by.choose(members, none, 3.0).number == 1, "blocks count from the first on"
    show(members[0], 4, 0.9)
    assert by.choose(members, whole, 4.0).number == 1, "0 + 0.2 + 3 against 2 + 2 + 1, a third of it went there too"


def test_without_blocks_prefixes_do_not_matter() -> None:
    members = pool((0, 0.3), (0, 0.1), (3, 0.0))
    for name in ("prefix-aware", "queue-and-kv"):
        assert chosen(acquainted(name, members), members, 9) == {1: 9}


def test_as_many_blocks_are_remembered_as_the_cache_has_room_for() -> None:
    members = pool((0, 0.0), (0, 0.1))
    by = acquainted("prefix-aware", members)
    for block in range(20):
        assert by.choose(members, job(block), 0.0).number == 0
    by.choose(members, job(0), 0.0)
    by.choose(members, job(100), 0.0)
    show(members[0], 0, 1.0)
    assert by.choose(members, job(0), 1.0).number == 0, "used again, so the longest unused is block 1"
    assert by.choose(members, job(1), 1.0).number == 1


def test_what_went_to_a_member_that_left_is_forgotten() -> None:
    members = pool((0, 0.0), (0, 0.2))
    by = acquainted("prefix-aware", members)
    gone = by.choose(members, job(1, 2), 0.0)
    members.leave(gone)
    assert by.choose(members, job(1, 2), 0.0).number == 1
    members.join(Member(2, "new", Shown(), 0.0, 0.0))
    assert by.choose(members, job(1, 2), 0.0).number == 1
