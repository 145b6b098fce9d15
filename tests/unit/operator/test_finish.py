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
