import pytest

from foretide.simulator.nearest import names_at, nearest
from foretide.simulator.shape import WorkloadShape
from foretide.simulator.written_scenario import WrittenScenario


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        (("deploiment",), "deployment"),
        (("requests", "scalerate"), "scale_rate"),
        (("objective", "max_violation_probability"), "maxViolationProbability"),
        (("objective", "ttft", "percentil"), "percentile"),
        (("cold_start", "tiers", "mine", "median"), "median_s"),
        (("nodes", "changes", 1, "gpu"), "gpus"),
        (("behavior", "scaleUp", "policies", 0, "periodseconds"), "periodSeconds"),
        (("stress", 0, "step", "factr"), "factor"),
        (("faults", 2, "replica"), "replicas"),
    ],
)
def test_a_mistyped_field_of_a_scenario_finds_its_neighbour(location: tuple[int | str, ...], meant: str) -> None:
    assert nearest(str(location[-1]), names_at(WrittenScenario, location)) == meant


def test_the_fields_of_a_stress_are_those_of_its_kind_alone() -> None:
    assert "output_tokens" in names_at(WrittenScenario, ("stress", 0, "attack", "x"))
    assert "output_tokens" not in names_at(WrittenScenario, ("stress", 0, "step", "x"))


def test_a_workload_and_its_conversations_have_fields_of_their_own() -> None:
    assert nearest("mean_rp", names_at(WorkloadShape, ("mean_rp",))) == "mean_rps"
    assert nearest("turn", names_at(WorkloadShape, ("conversations", "turn"))) == "turns"


def test_a_name_like_nothing_gets_no_guess() -> None:
    assert nearest("xyzzy", names_at(WrittenScenario, ("xyzzy",))) is None
    assert names_at(WrittenScenario, ("name", "below")) == ()
