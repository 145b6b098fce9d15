"""What the page shows is what the operator keeps; what is not known is None."""

import numpy as np
import pytest
from given import forecast, history
from page_shown import fleet, shown

from foretide.operator.page.view import LEVELS, PER_PAGE, fan_of, newest_demand
from foretide.operator.seams import Key


async def test_before_the_first_round_nothing_is_claimed() -> None:
    found = shown()
    found.world.deploy(replicas=1)
    assert found.window.operator().round_age_s is None
    (row,) = found.window.fleet().rows
    assert (row.decided, row.risk, row.demand_rps, row.age_s) == (None, None, None, None)


async def test_the_age_of_the_last_round_goes_on_and_becomes_stale() -> None:
    found = shown()
    await found.round()
    assert found.window.operator().stale is False
    found.world.clock.time += 12.0
    assert found.window.operator().round_age_s == pytest.approx(12.0)
    found.world.clock.time += 3 * found.world.settings.plan_s
    assert found.window.operator().stale is True


async def test_what_needs_a_look_comes_first() -> None:
    found = await fleet()
    names = [row.name for row in found.window.fleet().rows]
    assert set(names[:2]) == {"gone", "wrong"}
    assert len(names) == 6


@pytest.mark.parametrize(
    ("words", "names"),
    [("mistral", {"mistral"}), ("RECOMMEND", {"mistral", "embed"}), ("prod qwen-8b", {"qwen"}), ("nothing", set())],
)
async def test_each_word_must_be_found(words: str, names: set[str]) -> None:
    found = (await fleet()).window.fleet(words=words)
    assert {row.name for row in found.rows} == names
    assert (found.found, found.total) == (len(names), 6)


async def test_a_large_fleet_comes_in_pages_and_a_page_that_is_not_there_is_the_last() -> None:
    found = shown()
    for index in range(PER_PAGE + 5):
        found.world.deploy(f"t{index:03d}", replicas=1)
    assert [len(found.window.fleet(page=page).rows) for page in (1, 2, 9, -1)] == [PER_PAGE, 5, 5, PER_PAGE]


async def test_a_detail_has_the_fan_the_decisions_and_the_changes() -> None:
    found = await fleet()
    detail = found.window.detail(Key("prod", "llama"))
    assert detail is not None
    assert detail.fan is not None
    assert detail.row.expected_p95_rps is not None
    assert detail.row.expected_p95_rps > 0
    assert detail.decisions[0] == detail.row.decided
    assert found.window.detail(Key("prod", "nobody")) is None


def test_a_fan_has_a_row_per_level_and_a_gap_stays_a_gap() -> None:
    fan = fan_of(history(1.0, float("nan"), 3.0), forecast(1.0, 2.0, 3.0, steps=4))
    assert fan.past == (1.0, None, 3.0)
    assert np.shape(fan.levels) == (len(LEVELS), 4)
    assert fan.levels[2] == (2.0,) * 4
    assert fan.skill is None


def test_the_newest_measured_demand_skips_gaps_and_may_be_unknown() -> None:
    assert newest_demand(history(1.0, 2.0, float("nan"))) == 2.0
    assert newest_demand(history(float("nan"))) is None
