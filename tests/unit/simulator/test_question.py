import pytest

from foretide.simulator.question import SEEDS, Question
from foretide.simulator.scenario import BadScenario


def test_five_seeds_are_usual_and_three_of_them_tune() -> None:
    question = Question(("static", "hpa"), seed=7)
    assert question.all_seeds == range(7, 7 + SEEDS)
    assert question.training_seeds == range(7, 10)
    assert Question(("static",), seeds=1).training_seeds == range(1)


def test_ratios_are_to_the_first_policy_unless_one_is_named() -> None:
    assert Question(("static", "hpa")).compared_to == "static"
    assert Question(("static", "hpa"), reference="hpa").compared_to == "hpa"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"attainments": (0.99, 1.2)}, r"--attainment: 1\.2: give shares above 0 and below 1, like 0\.99,0\.95"),
        ({"attainments": ()}, r"--attainment: give shares"),
        ({"seeds": 0}, r"--seeds: 0: give at least 1"),
        ({"budget": 1}, r"--budget: 1: give at least 2"),
        ({"reference": "hpa"}, r"--reference: hpa: not among the policies compared; there are static"),
    ],
)
def test_a_question_without_an_answer_is_one_line(changes: dict[str, object], line: str) -> None:
    with pytest.raises(BadScenario, match=line):
        Question(**({"policies": ("static",)} | changes))  # type: ignore[arg-type]


def test_an_unknown_policy_is_one_line() -> None:
    with pytest.raises(BadScenario, match="--policy: hpaa: no such policy; there are static, static-mean, hpa,"):
        Question(("hpaa",))
    with pytest.raises(BadScenario, match="--policy: no such policy; there are"):
        Question(())
