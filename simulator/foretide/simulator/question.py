"""What a frontier is asked: which policies, at which attainments, with how much effort.

What is NOT promised: that five seeds are enough. The width of the intervals tells.
"""

from dataclasses import dataclass

from foretide.simulator.replay import POLICIES
from foretide.simulator.scenario import BadScenario
from foretide.simulator.written import Problem

BUDGET = 8
"""Settings that are tried for each policy."""
SEEDS = 5
TRAINING_SEEDS = 3
"""Seeds of the search: enough to tell settings apart, and cheaper than all."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared: policies, the attainments at which costs are matched, and the effort.

    Raises BadScenario naming the option.
    """

    policies: tuple[str, ...]
    attainments: tuple[float, ...] = (0.99, 0.95)
    seed: int = 0
    seeds: int = SEEDS
    budget: int = BUDGET
    reference: str | None = None
    """The policy that ratios are to; None for the first one."""

    def __post_init__(self) -> None:
        for name in self.policies or ("",):
            if name not in POLICIES:
                raise _bad("--policy", name, f"no such policy; there are {', '.join(POLICIES)}")
        wrong = next((level for level in self.attainments if not 0 < level < 1), None)
        if wrong is not None or not self.attainments:
            value = "" if wrong is None else f"{wrong:g}"
            raise _bad("--attainment", value, "give shares above 0 and below 1, like 0.99,0.95")
        if self.seeds < 1:
            raise _bad("--seeds", str(self.seeds), "give at least 1, and 5 for figures that are shown")
        if self.budget < 2:
            raise _bad("--budget", str(self.budget), "give at least 2 settings, the ends of a knob's range")
        if self.reference is not None and self.reference not in self.policies:
            fix = f"not among the policies compared; there are {', '.join(self.policies)}"
            raise _bad("--reference", self.reference, fix)

    @property
    def compared_to(self) -> str:
        return self.reference or self.policies[0]

    @property
    def training_seeds(self) -> range:
        return self.all_seeds[:TRAINING_SEEDS]

    @property
    def all_seeds(self) -> range:
        return range(self.seed, self.seed + self.seeds)


def _bad(option: str, value: str, fix: str) -> BadScenario:
    return BadScenario([Problem(option, value, fix)])
