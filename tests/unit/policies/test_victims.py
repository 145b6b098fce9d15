"""The replicas that go are those that the fewest requests miss."""

from math import inf, isfinite, nan

from hypothesis import given
from hypothesis import strategies as st

from foretide.policies.victims import victims

NAMES = st.text("abcdef", min_size=1, max_size=3)


def test_the_least_busy_go_first_and_names_settle_a_tie() -> None:
    load = {"a": 7.0, "b": 2.0, "c": 2.0, "d": 0.0}
    assert victims(ready=load, in_flight=load, unready=0, fewer=3) == ("d", "b", "c")


def test_replicas_that_are_not_ready_go_before_any_that_serves() -> None:
    load = {"a": 1.0, "b": 2.0}
    assert victims(ready=load, in_flight=load, unready=2, fewer=3) == ("a",)
    assert victims(ready=load, in_flight=load, unready=3, fewer=3) == ()


def test_a_replica_of_which_nothing_is_known_counts_as_the_busiest() -> None:
    assert victims(ready=["a", "b", "c"], in_flight={"b": 50.0, "c": nan}, unready=0, fewer=1) == ("b",)


@given(
    load=st.dictionaries(NAMES, st.floats(0, 1e6) | st.sampled_from([nan, inf]), max_size=8),
    unready=st.integers(0, 5),
    fewer=st.integers(0, 12),
)
def test_no_survivor_is_less_busy_than_a_victim(load: dict[str, float], unready: int, fewer: int) -> None:
    chosen = victims(ready=load, in_flight=load, unready=unready, fewer=fewer)
    assert len(chosen) == len(set(chosen)) == min(len(load), max(0, fewer - unready))
    known = {name: requests if isfinite(requests) else inf for name, requests in load.items()}
    spared = [known[name] for name in load if name not in chosen]
    assert max((known[name] for name in chosen), default=-1.0) <= min(spared, default=inf)
