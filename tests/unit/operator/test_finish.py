"""The end of a turn leaves what is not ours."""

from shell import LLAMA, world


async def test_the_operator_leaves_the_tuners_part_of_the_status() -> None:
    found = world()
    found.deploy(replicas=3)
    ours = {"limit": 40, "memory": "{}"}
    body = found.cluster.resources[LLAMA] | {"status": {"concurrency": ours}}
    found.cluster.statuses[LLAMA] = {"concurrency": ours}
    found.registry.see(body)
    found.serve(45.0, pods=3)
    await found.plan()
    await found.plan(after=60.0)
    assert found.status()["lastDecision"]
    assert found.status()["concurrency"] == ours


async def test_beyond_the_pace_the_newest_news_of_a_resource_waits_and_what_was_done_does_not() -> None:
    found = world(writes_per_s=1.0)
    for name in ("a", "b"):
        found.deploy(name, replicas=3)
    found.deploy(replicas=3)
    found.serve(45.0, pods=3)
    await found.loop.plan_pass()
    assert found.cluster.writes == [("llama", 5)]
    assert found.status()["history"], "what was done is told at once"
    assert found.finisher.waiting >= 1
    waited = found.finisher.waiting
    found.clock.time += 60.0
    await found.loop.plan_pass()
    assert found.finisher.waiting <= waited + 1, "one for each resource"
    for _ in range(20):
        found.clock.time += 1.0
        await found.finisher.catch_up()
    assert found.finisher.waiting == 0
    assert {key.name for key in found.cluster.statuses} == {"a", "b", "llama"}


async def test_who_does_not_lead_and_who_is_gone_is_told_nothing() -> None:
    found = world(writes_per_s=1.0)
    for name in ("a", "b", "c"):
        found.deploy(name, replicas=3)
    await found.loop.plan_pass()
    told, waiting = found.cluster.status_writes, found.finisher.waiting
    assert waiting
    found.leads = False
    found.clock.time += 5.0
    await found.finisher.catch_up()
    assert found.cluster.status_writes == told
    found.leads = True
    found.registry.reconcile([])
    await found.loop.plan_pass()
    assert found.finisher.waiting == 0
