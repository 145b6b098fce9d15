"""The operator as a process around a prefill and a decode pool, on a real control plane with a real Prometheus.

The engines are simulated: they count requests at a given rate and compute nothing. A prefill engine ends each request
with its first token, a decode engine with its last.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from engines import Engines, deployment, engines
from operating import FAST, Running, operator

from foretide.cli.bed.bed import Bed, BedFailed

pytestmark = pytest.mark.bed
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "prefill-decode.yaml"
TOKENS = {"prefill": (4000.0, 1.0), "decode": (4000.0, 50.0)}
"""So that a prefill replica is a much finer step of capacity than a decode replica."""


@pytest.fixture
def farms(with_crd: Bed, namespace: str) -> Iterator[tuple[Engines, ...]]:
    if not with_crd.get("nodes")["items"]:
        with_crd.add_gpu_nodes(2)
    with ExitStack() as stack:
        found = []
        for role, tokens in TOKENS.items():
            with_crd.apply(deployment(f"llama-{role}", replicas=1), namespace=namespace)
            farm = engines(with_crd, namespace, rate=0.5, app=f"llama-{role}", tokens=tokens)
            found.append(stack.enter_context(farm))
            # What a new pod holds counts as just arrived: pods that always hold something would ask for more of them.
            found[-1].running = "0"
        yield tuple(found)


def manifest(**spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    body["spec"] |= {"mode": "Auto", "model": "acme/unknown", "behavior": FAST} | spec
    body["spec"].pop("pair")
    for pool in body["spec"]["pools"]:
        pool["maxReplicas"] = 40
    return body


def replicas(running: Running) -> tuple[int, int]:
    prefill, decode = (
        running.bed.get("-n", running.namespace, "deployment", f"llama-{role}")["spec"]["replicas"] for role in TOKENS
    )
    return prefill, decode


def lowered(journal: Path) -> list[tuple[float, str]]:
    """Time and role of each write that lowered, oldest first."""
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    orders = [
        (one["decision"]["at"], one["role"], one["decision"]["verdict"].get("order"))
        for one in records
        if one["outcome"] == "done"
    ]
    return [(at, role) for at, role, order in orders if order and order["after"] < order["before"]]


def test_rising_demand_raises_both_pools_and_falling_demand_lowers_prefill_first(
    farms: tuple[Engines, ...], tmp_path: Path
) -> None:
    bed, namespace = farms[0].bed, farms[0].namespace
    with operator(bed, namespace, tmp_path) as running:
        bed.apply(manifest(), namespace=namespace)
        running.until(lambda: running.status().get("lastDecision", {}).get("forecast") is not None)
        for farm in farms:
            farm.rate = 4.0
        running.until(lambda: replicas(running)[0] >= 8 and replicas(running)[1] >= 2)
        high = replicas(running)[0]
        for farm in farms:
            farm.rate = 0.5
        running.until(lambda: replicas(running)[0] < high and replicas(running)[1] == 1)
        printed = bed.kubectl("-n", namespace, "get", "infa", "llama", "-o", "wide")
        status = running.status()
    falls = lowered(tmp_path / "journal.jsonl")
    first = falls[[role for _, role in falls].index("prefill")]
    assert {role for _, role in falls} == {"prefill", "decode"}
    assert first[0] < max(at for at, role in falls if role == "decode"), "prefill before decode is at its least"
    assert len({at for at, _ in falls}) == len(falls), "one pool at a time"
    assert [pool["name"] for pool in status["pools"]] == ["prefill", "decode"]
    assert {change["pool"] for change in status["history"]} <= {"prefill", "decode"}
    assert "DECODE" in printed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mode": "Approve"}, "mode Approve approves one count, not two"),
        ({"objective": {"ttft": {"threshold": "1s"}}}, "two pools are sized for ttft and tpot; declare these two"),
    ],
)
def test_the_api_server_refuses_what_two_pools_do_not_do(
    with_crd: Bed, namespace: str, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(BedFailed, match=told):
        with_crd.apply(manifest(**change), namespace=namespace)


def test_the_api_server_refuses_one_role_alone_and_one_role_twice(with_crd: Bed, namespace: str) -> None:
    alone, twice = manifest(), manifest()
    del alone["spec"]["pools"][1]
    twice["spec"]["pools"][1]["role"] = "prefill"
    for body in (alone, twice):
        with pytest.raises(BedFailed, match="give one pool of role aggregated, or one of role prefill"):
            with_crd.apply(body, namespace=namespace)
