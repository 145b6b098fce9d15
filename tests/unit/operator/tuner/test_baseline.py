"""n* for a resource: at the speed that was learned, or why there is none."""

from typing import Any

import pytest
from tuned_world import BEST, tuned

from foretide.operator.resource import parse
from foretide.operator.tuner.baseline import rule_of, speed_factor
from foretide.operator.tuner.histograms import Lacking
from foretide.policies.concurrency.limit_rule import Lengths

SLOW = {"lastDecision": {"speed": {"factor": "1.500", "low": "1.400", "high": "1.600", "observations": 30}}}


def best(status: dict[str, Any]) -> float:
    resource = parse(tuned()).resource
    assert resource is not None
    assert resource.tuning is not None
    rule = rule_of(resource, resource.tuning, status=status)
    assert not isinstance(rule, Lacking)
    rule.lengths = Lengths(4000.0, 200.0)
    return rule.unbounded


def test_a_slower_engine_has_a_smaller_n() -> None:
    assert best({}) == BEST
    assert best(SLOW) < BEST


def test_the_speed_is_what_the_operator_published_else_what_is_usual() -> None:
    assert speed_factor({}) == pytest.approx(1.1)
    assert speed_factor(SLOW) == pytest.approx(1.5)
