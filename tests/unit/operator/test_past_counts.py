"""The counts that a target had: kube-state-metrics first, else the engines that reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from twins import resource

from foretide.operator.past_counts import PastCounts, past_counts
from foretide.operator.resource import Resource, parse
from foretide.operator.seams import Scrape, Series
from foretide.policies.flow import Trust, frozen

NAN = float("nan")


@dataclass
class Answers:
    """A source that answers by what the query begins with; each value is one series, by time."""

    known: Mapping[str, Mapping[float, float]]
    trust: Trust = Trust.FRESH
    asked: list[str] = field(default_factory=list)

    async def query(self, promql: str, *, at: float) -> Scrape:
        raise AssertionError("only ranges are asked for")

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Scrape:
        self.asked.append(promql)
        assert (end - start) / step < 11_000
        found = next((values for prefix, values in self.known.items() if promql.startswith(prefix)), {})
        inside = {at: value for at, value in found.items() if start <= at <= end}
        series = (
            (Series({}, frozen(np.array(list(inside))), frozen(np.array(list(inside.values())))),) if inside else ()
        )
        return Scrape(series, self.trust)


def target(kind: str = "Deployment", engine: str = "vllm") -> Resource:
    pools = [{"targetRef": {"name": "llama", "kind": kind}, "accelerator": "H100", "maxReplicas": 20}]
    parsed = parse(resource(pools=pools, engine=engine)).resource
    assert parsed is not None
    return parsed


async def counts(source: Answers, kind: str = "Deployment", *, rows: int = 4, engine: str = "vllm") -> PastCounts:
    return await past_counts(source, target(kind, engine), start=100.0, rows=rows, step=10.0, scrape_s=15.0)


async def test_what_was_asked_for_comes_before_what_reported() -> None:
    source = Answers({"max(kube_deployment": {100.0: 2, 120.0: 3}, "count(": {100.0: 1}})
    found = await counts(source)
    assert found.ordered
    np.testing.assert_array_equal(found.replicas, [2, NAN, 3, NAN])
    assert source.asked == ['max(kube_deployment_spec_replicas{namespace=~"prod",deployment=~"llama"})']


async def test_without_kube_state_metrics_the_engines_are_counted() -> None:
    source = Answers({"count(": {100.0: 1, 110.0: 2, 120.0: 2, 130.0: 5}})
    found = await counts(source)
    assert not found.ordered
    np.testing.assert_array_equal(found.replicas, [1, 2, 2, 5])
    assert 'pod=~"llama-.+"' in source.asked[-1]
    assert "[30s]" in source.asked[-1]


async def test_a_kind_that_kube_state_metrics_does_not_know_is_counted_by_its_engines() -> None:
    source = Answers({"count(": {100.0: 1}})
    assert not (await counts(source, "LeaderWorkerSet")).ordered
    assert len(source.asked) == 1


async def test_engines_are_counted_by_their_own_names_and_never_by_the_pods_of_a_gateway() -> None:
    source = Answers({"count(": {100.0: 2}})
    assert (await counts(source, engine="sglang")).replicas[0] == 2
    assert "sglang[:_]num_running_reqs" in source.asked[-1]
    behind = Answers({"count(": {100.0: 2}})
    for kind in ("Deployment", "LeaderWorkerSet"):
        assert np.isnan((await counts(behind, kind, engine="dynamo")).replicas).all()
    assert [asked for asked in behind.asked if asked.startswith("count(")] == []


async def test_a_source_that_fails_or_knows_nothing_gives_no_count() -> None:
    for source in (Answers({}), Answers({"count(": {100.0: 1}}, trust=Trust.ABSENT), Answers({"count(": {100.0: NAN}})):
        assert np.isnan((await counts(source)).replicas).all()


async def test_a_long_past_is_asked_for_in_parts_that_prometheus_accepts() -> None:
    source = Answers({"max(kube_deployment": {100.0: 2, 100.0 + 10 * 24_999: 7}})
    found = await counts(source, rows=25_000)
    assert len(source.asked) == 3
    assert (found.replicas[0], found.replicas[-1]) == (2, 7)
