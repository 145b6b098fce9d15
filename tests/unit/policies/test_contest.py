"""Two writers of one count: when we step back, for how long, and what brings us back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.contest import (
    FOREIGN_WRITES,
    QUIET_S,
    WINDOW_S,
    Contest,
    Held,
    is_foreign,
    looked,
    restarted,
    wrote,
)


def fought(times: int, *, every: float = 60.0, contest: Contest | None = None) -> tuple[Contest, float]:
    """We write 5, somebody makes it 3, over and over."""
    contest, at = contest or Contest(seen=3), 0.0
    for _ in range(times):
        at += every
        contest = looked(wrote(contest, 5), at=at, count=3, manager="argocd", may_rest=False)
    return contest, at


def test_two_foreign_writes_are_borne_and_the_third_is_a_contest_that_names_who_wrote() -> None:
    assert fought(FOREIGN_WRITES - 1)[0].held is Held.NOT
    contest, _ = fought(FOREIGN_WRITES)
    assert contest.held is Held.FOREIGN_WRITES
    assert contest.why.startswith("argocd changed the replicas that we wrote 3 times within 10 minutes, last to 3; ")


def test_slow_foreign_writes_are_no_contest() -> None:
    assert fought(10, every=WINDOW_S / 2)[0].held is Held.NOT


def test_only_counts_that_we_wrote_are_contested() -> None:
    contest = Contest()
    for at, count in enumerate((3, 4, 5, 6, 7, 8)):
        contest = looked(contest, at=float(at), count=count, may_rest=False)
    assert contest.held is Held.NOT


def test_our_own_writes_are_not_foreign() -> None:
    contest = Contest()
    for count in range(1, 9):
        contest = looked(wrote(contest, count), at=float(count), count=count, may_rest=False)
        assert not is_foreign(contest, count)
    assert (contest.writes, contest.held) == ((), Held.NOT)


def test_who_wrote_may_be_unknown() -> None:
    contest = looked(wrote(Contest(), 5), at=0.0, count=0, may_rest=False)
    assert contest.why.startswith("somebody set the replicas to 0")


def test_a_contest_ends_after_a_quiet_time_that_every_foreign_move_begins_anew() -> None:
    contest, at = fought(FOREIGN_WRITES)
    contest = looked(contest, at=at + QUIET_S - 1, count=4, may_rest=False)
    assert looked(contest, at=at + QUIET_S + 1, count=4, may_rest=False).held is Held.FOREIGN_WRITES
    over = looked(contest, at=at + 2 * QUIET_S, count=4, may_rest=False)
    assert (over.held, over.why, over.writes) == (Held.NOT, "", ())


def test_its_owner_may_end_it_by_a_request_that_was_not_there_before() -> None:
    contest, at = fought(FOREIGN_WRITES, contest=Contest(seen=3, resume="old"))
    contest = replace(contest, resume="old")
    assert looked(contest, at=at + 1, count=3, resume="old", may_rest=False).held is Held.FOREIGN_WRITES
    assert looked(contest, at=at + 1, count=3, resume="new", may_rest=False).held is Held.NOT


def test_an_old_request_is_no_answer_to_a_later_contest() -> None:
    contest = looked(Contest(seen=3), at=0.0, count=3, resume="old", may_rest=False)
    for at in (1.0, 2.0, 3.0, 4.0):
        contest = looked(wrote(contest, 5), at=at, count=3, resume="old", may_rest=False)
    assert contest.held is Held.FOREIGN_WRITES


def test_zero_by_hand_is_a_wish_to_stop_until_the_count_is_raised() -> None:
    contest = looked(Contest(seen=3), at=0.0, count=0, manager="kubectl", may_rest=False)
    assert contest.held is Held.ZERO_BY_HAND
    assert "kubectl set the replicas to 0" in contest.why
    assert looked(contest, at=10 * QUIET_S, count=0, may_rest=False).held is Held.ZERO_BY_HAND
    assert looked(contest, at=1.0, count=1, may_rest=False).held is Held.NOT


def test_zero_is_nothing_special_where_we_may_choose_it_or_found_it() -> None:
    assert looked(Contest(seen=3), at=0.0, count=0, may_rest=True).held is Held.NOT
    assert looked(Contest(), at=0.0, count=0, may_rest=False).held is Held.NOT


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_jump_of_the_clock_neither_ends_a_contest_nor_makes_it_last(jump: float) -> None:
    contest, at = fought(FOREIGN_WRITES)
    contest = restarted(contest, at=at + jump)
    assert looked(contest, at=at + jump + QUIET_S - 1, count=3, may_rest=False).held is Held.FOREIGN_WRITES
    assert looked(contest, at=at + jump + QUIET_S, count=3, may_rest=False).held is Held.NOT


@given(st.lists(st.tuples(st.floats(1, 2000), st.sampled_from(["we write", "they write", "look"]), st.integers(1, 9))))
def test_held_only_after_three_foreign_writes_in_a_window_and_never_beyond_a_quiet_time(
    steps: list[tuple[float, str, int]],
) -> None:
    contest, at, count, foreign, moved = looked(Contest(), at=0.0, count=1, may_rest=False), 0.0, 1, [], 0.0
    for passed, step, wanted in steps:
        at += passed
        if step == "we write" and contest.held is Held.NOT:
            count, contest = wanted, wrote(contest, wanted)
        elif step == "they write" and wanted != count:
            foreign, moved, count = [*foreign, at], at, wanted
        contest = looked(contest, at=at, count=count, may_rest=False)
        if contest.held is Held.FOREIGN_WRITES:
            assert sum(moved - one < WINDOW_S for one in foreign if one <= moved) >= 1
            assert len(foreign) >= FOREIGN_WRITES
            assert at - moved < QUIET_S
