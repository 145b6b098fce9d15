"""`foretide status` and `foretide explain`: a published status becomes words."""

import re
from pathlib import Path
from typing import Any

import pytest
from paired import serve, two_pools
from shell import LLAMA, world

from foretide.cli.inspect import explained, summary, table
from foretide.cli.main import run


async def published(**spec: Any) -> dict[str, Any]:
    """A resource with the status that the operator really writes."""
    found = world()
    found.deploy(replicas=3, **spec)
    found.serve(45.0, pods=3)
    await found.plan()
    return found.cluster.resources[LLAMA] | {"status": found.status()}


async def test_the_story_of_a_decision_has_counts_risks_forecast_and_changes() -> None:
    text = "\n".join(explained(await published()))
    for words in (
        "prod/llama  mode Auto  DemandRises",
        "main: 3 -> 5 replicas",
        "pool main: 5 replicas, 5 desired; 3 ready",
        "probability that a window breaks the objective: one fewer 1.0000, as proposed 0.0000, one more 0.0000",
        "forecast of the peak (last): median 45.00 req/s, 95 % 45.00 req/s",
        "3 -> 5  DemandRises",
    ):
        assert words in text


async def test_expected_costs_stand_in_the_story_where_prices_are_named() -> None:
    objective = {"ttft": {"threshold": "500ms"}, "costs": {"gpuHour": "2.50", "violation": "0.01"}}
    text = "\n".join(explained(await published(objective=objective)))
    assert "expected cost per hour, GPUs and missed requests: one fewer " in text


async def test_troubles_are_told_and_what_is_merely_off_is_not() -> None:
    lines = explained(await published(mode="Recommend", metrics={"source": "other"}))
    assert any(line.startswith("  MetricsAvailable: metrics.source: 'other'") for line in lines)
    assert not any("ScalingActive" in line for line in lines)


def test_a_resource_without_status_says_that_nobody_looked() -> None:
    body = {"metadata": {"namespace": "prod", "name": "x"}, "spec": {}}
    (line,) = explained(body)
    assert line.startswith("prod/x: no operator has looked at it yet; start one with `foretide operator`")


async def test_the_scorecard_is_told_in_two_lines_and_one_column() -> None:
    found = world()
    found.deploy(replicas=6, mode="Recommend")
    found.serve(25.0, pods=6)
    await found.live(60)
    body = found.cluster.resources[LLAMA] | {"status": found.status()}
    lines = [line for line in explained(body) if "shadow" in line or "left out" in line]
    assert len(lines) == 2
    assert "GPU-h, kept 100.00%; Foretide " in lines[0]
    assert lines[1] == "  left out of it: 0.00% of the time"
    assert re.fullmatch(r"-\d\d\.\d% GPU-h, kept 100.00% -> 100.00%", summary(body)["shadow"])
    assert summary(await published())["shadow"] is None


async def test_what_waits_for_approval_is_told_with_the_command_that_approves_it() -> None:
    lines = explained(await published(mode="Approve"))
    (line,) = (line for line in lines if "waits for approval" in line)
    assert ": 3 -> 5; kubectl annotate -n prod infa llama --overwrite autoscaling.foretide.io/approve=5@" in line


async def test_what_could_not_be_judged_is_told_by_its_cause() -> None:
    found = world()
    found.deploy(replicas=6, mode="Recommend")
    await found.live(30)
    body = found.cluster.resources[LLAMA] | {"status": found.status()}
    assert any(line.startswith("  left out of it: 100.00% of the time (missing 0.") for line in explained(body))
    assert summary(body)["shadow"] is None


async def test_both_of_two_pools_are_told_with_one_probability() -> None:
    made = two_pools(decode=4)
    serve(made, (-60.0, 40.0))
    await made.plan()
    body = made.cluster.resources[LLAMA] | {"status": made.status()}
    text = "\n".join(explained(body))
    for words in (
        "pool prefill: 4 replicas, 4 desired; 1 ready",
        "pool decode: 8 replicas, 8 desired; 4 ready",
        "probability that a window breaks the objective: as proposed 0.0000",
        "capacity: prefill: ten prompts/s; decode: five outputs/s",
        "prefill 1 -> 4  DemandRises",
        "decode 4 -> 8  DemandRises",
    ):
        assert words in text
    told = summary(body)
    assert (told["replicas"], told["desired"], told["ready"]) == ("4+8", "4+8", "1+4")


def test_columns_line_up() -> None:
    assert table([("A", "BB"), ("long", "x")]).splitlines() == ["A      BB", "long   x"]


@pytest.mark.parametrize("name", ["llama", "a/b/c", "/x", "x/"])
def test_a_name_without_namespace_is_refused_with_the_fix(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["explain", name])
    assert ended.value.code == 2
    assert "write it like prod/llama" in capsys.readouterr().err


def test_a_missing_kubeconfig_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["status", "--kubeconfig", str(tmp_path / "nowhere")])
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert len(told.splitlines()) == 1
    assert "nowhere" in told
