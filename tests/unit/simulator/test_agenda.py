from math import inf

from foretide.simulator.agenda import Agenda


def test_errands_run_in_order_of_time_and_then_of_entry() -> None:
    agenda, done = Agenda(), list[str]()
    for at, name in ((5.0, "late"), (1.0, "first"), (1.0, "second"), (inf, "never")):
        agenda.put(at, lambda name=name: done.append(name))
    times = []
    while agenda.next_at < inf:
        times.append(agenda.next_at)
        agenda.run_next()
    assert done == ["first", "second", "late"]
    assert times == [1.0, 1.0, 5.0]


def test_an_errand_may_put_down_another_one() -> None:
    agenda, done = Agenda(), list[float]()

    def again() -> None:
        done.append(agenda.next_at)
        if len(done) < 3:
            agenda.put(len(done) * 10.0, again)

    agenda.put(0.0, again)
    while agenda.next_at < inf:
        agenda.run_next()
    assert len(done) == 3
