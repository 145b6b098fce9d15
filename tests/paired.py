"""The shipped loop on twins, around a prefill and a decode pool in virtual time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from shell import LLAMA, World, world
from twins import START, engine, resource

from foretide.operator.pair.turns import PairTurner
from foretide.operator.resource import Resource
from foretide.policies.flow import CapacityTable, DemandHistory, ServiceModel, WorkPerUnit
from foretide.simulator.role_capacity import Roles

BOTH = {"ttft": {"threshold": "500ms"}, "tpot": {"threshold": "25ms"}}
PROMPTS = ServiceModel(WorkPerUnit(0.0, 0.001, 0.0), CapacityTable((1,), (10.0,), ("ttft",)), "ten prompts/s")
OUTPUTS = ServiceModel(WorkPerUnit(0.0, 0.0, 0.005), CapacityTable((1,), (5.0,), ("tpot",)), "five outputs/s")
"""Of prompts of 1000 tokens and outputs of 200: ten requests/s per prefill replica, five per decode replica."""


def pools(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    usual = {"accelerator": "H100", "minReplicas": 1, "maxReplicas": 20}
    return [
        {"name": role, "role": role, "targetRef": {"name": f"llama-{role}"}, **usual, **changes.get(role, {})}
        for role in ("prefill", "decode")
    ]


def paired(**spec: Any) -> dict[str, Any]:
    return resource(**({"objective": BOTH, "pools": pools()} | spec))


@dataclass
class KnownRoles:
    """Stands in for what would be measured."""

    roles: Roles = field(default_factory=lambda: Roles(PROMPTS, OUTPUTS))

    def of(self, resource: Resource, _: DemandHistory) -> Roles:
        return self.roles


def measured(question: object, cache: object) -> Roles:
    """What a worker process answers in place of a measurement."""
    return Roles(PROMPTS, OUTPUTS)


def two_pools(*, prefill: int = 1, decode: int = 2, **spec: Any) -> World:
    """Two pools that nobody asks anything yet."""
    made = world()
    made.pairing = lambda looker, reading: PairTurner(
        settings=made.settings,
        looker=looker,
        reading=reading,
        roles=KnownRoles(),  # type: ignore[arg-type]
    )
    made.begin_a_life()
    body = paired(**spec)
    made.cluster.replicas |= {"llama-prefill": prefill, "llama-decode": decode}
    made.cluster.resources[LLAMA] = body
    made.registry.see(body)
    return made


def serve(made: World, *rates: tuple[float, float], pods: int = 20) -> None:
    """Requests/s from each minute after START on, the same through both pools; prefill replicas end with one token."""
    start, end = START - 1800.0, START + 7200.0
    at = np.arange(start, end + 0.001, 15.0)
    minutes, levels = zip(*rates, strict=True)
    level = np.array(levels)[np.maximum(np.searchsorted(minutes, (at - START) / 60.0, side="right") - 1, 0)]
    done = np.concatenate([[0.0], np.cumsum(15.0 * level[:-1])])
    for role, output in (("prefill", 1.0), ("decode", 200.0)):
        for i in range(pods):
            table = engine(rate=0.0, start=start, end=end)
            if i == 0:
                table |= {"finished": done, "prompt_tokens": 1000 * done, "output_tokens": output * done}
            made.metrics.engines["prod", f"llama-{role}-{i}"] = table
