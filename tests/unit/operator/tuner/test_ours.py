"""Whose number it is: ours, its owner's before we ever wrote, or somebody else's."""

from foretide.operator.tuner.memory import Memory
from foretide.operator.tuner.ours import foreign, whose
from foretide.operator.tuner.told import Still
from foretide.policies.concurrency.in_time import Changed, Past

TRIAL = Past(trial=Changed(100, 69, 0.0), strikes=2)


def test_before_we_ever_wrote_any_number_is_its_owners() -> None:
    assert whose(Memory(), now=7, writing=None, generation=1) == Memory()


def test_what_was_about_to_be_written_and_is_there_is_ours() -> None:
    found = whose(Memory(past=TRIAL), now=69, writing=69, generation=1)
    assert isinstance(found, Memory)
    assert (found.ours, found.past) == (69, TRIAL)


def test_what_was_about_to_be_written_and_is_not_there_is_on_no_trial() -> None:
    for ours in (None, 100):
        found = whose(Memory(ours=ours, past=TRIAL), now=100, writing=69, generation=1)
        assert isinstance(found, Memory)
        assert (found.ours, found.past.trial, found.past.strikes) == (ours, None, 2)


def test_another_number_is_somebody_elses_until_it_is_put_back_or_the_resource_is_edited() -> None:
    memory = Memory(ours=69, conflict=4)
    assert isinstance(whose(memory, now=128, writing=None, generation=4), Still)
    assert whose(memory, now=69, writing=None, generation=4) == Memory(ours=69)
    assert whose(memory, now=128, writing=None, generation=5) == Memory()
    assert isinstance(whose(Memory(ours=69), now=128, writing=None, generation=9), Still), "an edit before is no answer"


def test_the_canary_may_run_either_of_the_two_numbers_set_last() -> None:
    memory = Memory().before_canary(100, 90)
    assert [memory.knows_canary(value) for value in (100, 90, 80)] == [True, True, False]
    assert Memory().knows_canary(5)
    assert "had set 100 or 90" in foreign(80, memory).message
