"""Whatever happens to a fleet and its number: the tuner stays in its bounds, and never writes over somebody else."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tuned_world import MAP, World, tuned

from foretide.operator.seams import ClusterError
from foretide.policies.flow import Trust

steps = st.lists(
    st.one_of(
        st.tuples(st.just("window"), st.integers(1, 12)),
        st.tuples(st.just("share"), st.integers(0, 100)),
        st.tuples(st.just("lengths"), st.sampled_from([200, 1000, 4000, 16000])),
        st.tuples(st.just("somebody"), st.integers(1, 400)),
        st.tuples(st.just("blind"), st.booleans()),
        st.tuples(st.just("status fails"), st.booleans()),
        st.tuples(st.just("edit"), st.none()),
        st.tuples(st.just("mode"), st.sampled_from(["Auto", "Recommend", "Paused"])),
    ),
    max_size=14,
)


class Watched(World):
    """Knows who set the number last, and what every write of the tuner wrote over."""

    def somebody(self, value: int) -> None:
        self.objects[MAP]["data"]["limit"] = str(value)

    def limit(self) -> int:
        return int(self.objects[MAP]["data"]["limit"])


def do(world: Watched, name: str, value: Any) -> None:
    if name == "share":
        world.share = lambda _: value / 100
    elif name == "lengths":
        world.prompt = float(value)
    elif name == "blind":
        world.trust = Trust.ABSENT if value else Trust.FRESH
    elif name == "status fails":
        world.failing = {"status": ClusterError("down")} if value else {}
    elif name == "edit":
        world.body["metadata"]["generation"] += 1
    elif name == "mode":
        world.body["spec"]["mode"] = value
    else:
        world.somebody(value)


@settings(max_examples=40)
@given(steps=steps)
def test_it_never_writes_over_somebody_else_and_never_out_of_bounds(steps: list[tuple[str, Any]]) -> None:
    world = Watched(body=tuned(), requests=200)
    allowed = {world.limit()}
    """What may be written over: the owner's number before the first write, our own, and what an edit hands over."""
    wrote = False
    for name, value in steps:
        if name != "window":
            do(world, name, value)
            if (name == "somebody" and not wrote) or name == "edit":
                allowed.add(world.limit())
            continue
        for _ in range(value):
            before, count = world.limit(), len(world.patches)
            asyncio.run(world.window())
            if len(world.patches) == count:
                assert world.limit() == before
                continue
            assert before in allowed
            assert world.body["spec"]["mode"] == "Auto"
            assert world.trust is Trust.FRESH
            assert not world.failing
            assert 8 <= world.limit() <= 256 or world.limit() in allowed
            allowed, wrote = {*allowed, world.limit()}, True
