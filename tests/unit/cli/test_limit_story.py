"""The limit in `foretide explain`: from what the tuner really publishes."""

from tuned_world import BEST, World

from foretide.cli.inspect import explained
from foretide.cli.limit_story import limit_lines
from foretide.policies.concurrency.in_time import FIRST


def test_a_resource_that_tunes_nothing_says_nothing() -> None:
    assert limit_lines({}, {}) == []


def test_without_a_tuner_the_fix_is_named() -> None:
    (line,) = limit_lines({"concurrency": {"min": 1}}, {})
    assert "no tuner has looked at it yet; start one with `foretide tuner`" in line


async def test_the_limit_its_baseline_and_the_last_change_are_told() -> None:
    world = World()
    await world.window(FIRST)
    text = "\n".join(explained(world.body))
    assert f"concurrency: {BEST} requests at once on each replica, n* is {BEST}; OnTrial, Changed: n* is" in text
    assert f"  100 -> {BEST}  Changed: n* is {BEST}, not 100" in text
