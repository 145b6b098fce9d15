"""What is kept of decisions: little, the newest first, and what repeats only once."""

from page_shown import shown
from shell import LLAMA
from twins import resource

from foretide.operator.page.record import KEPT, SPARE
from foretide.operator.seams import Key


async def test_what_repeats_is_told_once_with_the_time_since_when() -> None:
    found = shown()
    found.world.deploy(replicas=3, mode="Paused")
    found.world.serve(25.0, pods=3)
    for _ in range(4):
        await found.round(after=60.0)
    (told,) = found.decisions.of(LLAMA)
    assert told.reason == "Paused"
    assert told.until - told.since == 180.0
    assert told.counts is not None
    assert told.counts.live == 3


async def test_an_act_is_kept_with_its_words_and_risks() -> None:
    found = shown()
    found.world.deploy(replicas=1)
    found.world.serve(45.0, pods=1)
    await found.round()
    told = found.decisions.of(LLAMA)[0]
    assert told.acted
    assert told.counts is not None
    assert told.counts.desired > told.counts.live
    assert f"{told.counts.live} -> {told.counts.desired} replicas" in told.text
    assert [count for count, _ in told.risks] == sorted(count for count, _ in told.risks)


async def test_a_target_that_is_not_there_is_told_without_counts() -> None:
    found = shown()
    found.world.deploy(replicas=1)
    found.world.cluster.replicas.clear()
    await found.round()
    (told,) = found.decisions.of(LLAMA)
    assert told.counts is None
    assert "llama" in told.text


async def test_no_more_than_a_handful_is_kept() -> None:
    found = shown()
    found.world.deploy(replicas=3)
    found.world.serve(25.0, pods=3)
    for turn in range(3 * KEPT):
        found.world.registry.see(resource(mode=("Auto", "Paused")[turn % 2]) | {"metadata": _meta(generation=turn + 2)})
        await found.round(after=60.0)
    assert len(found.decisions.of(LLAMA)) == KEPT


async def test_what_is_gone_is_forgotten_in_the_end() -> None:
    found = shown()
    for index in range(SPARE + 3):
        found.world.registry.forget(Key("prod", f"old-{index - 1}"))
        found.world.deploy(f"old-{index}", replicas=1)
        await found.round(after=60.0)
    assert found.decisions.of(Key("prod", "old-0")) == ()


def _meta(**changes: object) -> dict[str, object]:
    return resource()["metadata"] | changes
