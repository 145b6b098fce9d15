"""What the status says of two pools."""

from foretide.operator.pair.told import of_both, of_the_pair
from foretide.operator.status import Condition
from foretide.policies.flow import Reason, ReasonCode
from foretide.policies.pair.setting import Counts, PairProposal


def test_the_troubled_pool_is_told() -> None:
    well, ill = Condition("AbleToScale", True, "Ready", "fine"), Condition("AbleToScale", False, "WriteFailed", "no")
    assert of_both([well], [ill]) == of_both([ill], [well]) == [ill]


def test_a_conflict_is_trouble_when_it_holds() -> None:
    free, held = Condition("Conflict", False, "OnlyWriter", "nobody"), Condition("Conflict", True, "Conflict", "an HPA")
    assert of_both([free], [held]) == of_both([held], [free]) == [held]


def test_what_both_say_is_said_once_and_what_each_says_is_joined() -> None:
    one, other = Condition("TargetResolved", True, "Found", "a"), Condition("TargetResolved", True, "Found", "b")
    assert of_both([one], [one]) == [one]
    assert of_both([one], [other])[0].message == "a; b"


def test_the_probability_is_the_pairs_and_the_lead_time_the_slower_pools() -> None:
    proposal = PairProposal(Counts(1, 2), 0.004, 3.0, held=True, reason=Reason(ReasonCode.STEADY, ""))
    told = of_the_pair(
        {"leadTime": "90s", "capacity": "a", "message": "m"},
        {"leadTime": "120s", "capacity": "b"},
        proposal,
        reason="Steady",
    )
    assert told["violationProbability"] == {"atDesired": "0.0040"}
    assert (told["leadTime"], told["capacity"]) == ("120s", "prefill: a; decode: b")
