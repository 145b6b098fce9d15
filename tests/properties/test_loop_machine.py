"""Whatever happens, in whatever order, to the shipped loop: the fail-static promises hold, and it recovers.

Metrics arrive, vanish and lie; pods die; the resource is edited; the operator restarts; the clock jumps; another leads,
another writes; the API fails. After every plan each write is judged against what was truly asked for. In the end all
faults are gone, and the count must come to what demand needs.
"""

import asyncio
import json
from datetime import datetime
from math import ceil
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from living import PER_REPLICA, Life
from shell import LLAMA
from twins import resource

from foretide.operator.resource import APPROVE
from foretide.operator.seams import ClusterError
from foretide.policies.flow import Trust

RATES = st.sampled_from([0.0, 3.0, 12.0, 28.0, 45.0, 90.0])
FAILING = ("scale", "pods", "write_scale", "write_status", "rivals", "emit")
FIRST_LIFE_S = 600.0
NEEDED_COVERAGE = 0.9
SLACK_S = 60.0
"""Between a scrape and the plan that reads it, and at the edges of bins, so much may count either way."""
HPA = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "theirs", "namespace": "prod"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}},
}


class Loop(RuleBasedStateMachine):
    """The operator's loop on its twins, in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.events = asyncio.new_event_loop()

    @initialize(rate=RATES, replicas=st.integers(1, 8))
    def begins(self, rate: float, replicas: int) -> None:
        self.life = Life(rate, replicas)
        self.watching_since = self.life.now
        self.limits = (1, 20)
        self.mode, self.approved = "Auto", ""

    @rule(rate=RATES, minutes=st.integers(1, 13))
    def demand_comes(self, rate: float, minutes: int) -> None:
        self.life.rate = rate
        for _ in range(minutes):
            self._plan()

    @rule(missing=st.booleans())
    def scrapes_stop_or_return(self, missing: bool) -> None:
        self.life.missing = missing

    @rule(lie=st.sampled_from([None, float("nan"), -5.0, float("inf")]))
    def engines_lie_or_tell_the_truth(self, lie: float | None) -> None:
        # Counters at nought are no lie to try: nobody could tell it from a restart into idleness.
        self.life.lie = lie

    @rule(trust=st.sampled_from(list(Trust)))
    def the_source_answers_as(self, trust: Trust) -> None:
        self.life.world.metrics.trust = trust

    @rule(index=st.integers(0, 20))
    def a_pod_dies(self, index: int) -> None:
        self.life.kill(index)

    @rule()
    def the_operator_restarts(self) -> None:
        self.life.world.begin_a_life()
        self.watching_since = self.life.now

    @rule(seconds=st.sampled_from([-3600.0, -90.0, 90.0, 3600.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.life.world.clock.skew += seconds
        self.watching_since = self.life.now

    @precondition(lambda self: self.life.world.clock.skew)
    @rule()
    def the_clock_is_set_right(self) -> None:
        self.life.world.clock.skew = 0.0
        self.watching_since = self.life.now

    @rule(leads=st.booleans())
    def the_leader_changes(self, leads: bool) -> None:
        self.life.world.leads = leads

    @rule(there=st.booleans())
    def an_hpa_comes_or_goes(self, there: bool) -> None:
        self.life.world.cluster.other_scalers = [HPA] if there else []

    @rule(count=st.integers(0, 25))
    def somebody_scales_by_hand(self, count: int) -> None:
        cluster = self.life.world.cluster
        cluster.replicas["llama"], cluster.versions["llama"] = count, cluster.versions["llama"] + 1

    @rule(count=st.integers(1, 25))
    def somebody_scales_between_our_look_and_our_write(self, count: int) -> None:
        self.life.world.cluster.meddle = {"llama": count}

    @rule(call=st.sampled_from(FAILING), status=st.sampled_from([0, 403, 500]))
    def the_api_fails(self, call: str, status: int) -> None:
        self.life.world.cluster.failing[call] = ClusterError("no", status=status)

    @rule()
    def the_api_returns(self) -> None:
        self.life.world.cluster.failing.clear()

    @rule(
        mode=st.sampled_from(["Auto", "RaiseOnly", "Approve", "Recommend", "Paused"]),
        low=st.integers(1, 6),
        high=st.integers(6, 24),
    )
    def the_resource_is_edited(self, mode: str, low: int, high: int) -> None:
        self.mode, self.limits = mode, (low, high)
        self._edit(mode=mode, low=low, high=high)

    @rule(count=st.sampled_from([-1, 0, 0, 0, 1]), right=st.sampled_from([True, True, True, False]))
    def somebody_approves(self, count: int, right: bool) -> None:
        waits = self._waiting()
        if waits:
            self.approved = f"{waits['to'] + count}@{waits['id'] if right else 'another'}"
            self._edit(mode=self.mode, low=self.limits[0], high=self.limits[1])

    @rule()
    def the_resource_is_edited_into_nonsense(self) -> None:
        self._edit(mode="Auto", low=9, high=2)

    @invariant()
    def what_is_told_can_be_read(self) -> None:
        for status in self.life.world.cluster.statuses.values():
            json.dumps(status, allow_nan=False)
            assert all(item["reason"] for item in status["conditions"])
            assert len(status.get("history") or ()) <= 10

    def teardown(self) -> None:
        try:
            if hasattr(self, "life"):
                self._recovers()
        finally:
            self.events.close()

    def _recovers(self) -> None:
        """Without faults, a long calm brings the count to what demand needs."""
        life, world = self.life, self.life.world
        life.missing, life.lie, life.rate = False, None, 28.0
        world.metrics.trust, world.clock.skew, world.leads = Trust.FRESH, 0.0, True
        world.cluster.other_scalers, world.cluster.meddle = [], {}
        world.cluster.failing.clear()
        self.mode, self.limits = "Auto", (1, 20)
        self._edit(mode="Auto", low=1, high=20)
        self.watching_since = life.now
        world.begin_a_life()
        for _ in range(45):
            self._plan()
        assert life.desired == 3, f"{life.desired} replicas for 28 requests/s after 45 calm minutes"

    def _edit(self, *, mode: str, low: int, high: int) -> None:
        pool = {"targetRef": {"name": "llama"}, "accelerator": "H100", "minReplicas": low, "maxReplicas": high}
        self.generation = getattr(self, "generation", 1) + 1
        body = resource(mode=mode, pools=[pool])
        body["metadata"]["generation"] = self.generation
        body["metadata"]["annotations"] = {APPROVE: self.approved}
        body["status"] = self.life.world.cluster.statuses.get(LLAMA, {})
        self.life.world.registry.see(body)

    def _waiting(self) -> dict[str, Any]:
        found: dict[str, Any] = self.life.world.cluster.statuses.get(LLAMA, {}).get("pendingApproval") or {}
        return found

    def _plan(self) -> None:
        """A minute passes and the loop plans; every write is judged."""
        life, world = self.life, self.life.world
        life.pass_time(60.0)
        meddled = world.cluster.meddle.get("llama")
        known, before, self.waited = len(world.cluster.writes), life.desired, self._waiting()
        self.events.run_until_complete(world.loop.plan_pass())
        for _, after in world.cluster.writes[known:]:
            self._judge(before, after)
            before = after
        # Where somebody wrote between look and write, theirs stands.
        assert life.desired in {before, meddled}

    def _judge(self, before: int, after: int) -> None:
        world, (low, high) = self.life.world, self.limits
        assert world.leads, "only a leader writes"
        assert self.mode in {"Auto", "RaiseOnly", "Approve"}, f"mode {self.mode} never writes"
        assert self.mode != "RaiseOnly" or after > before, "RaiseOnly never lowers"
        if self.mode == "Approve":
            assert self.approved == f"{after}@{self.waited.get('id')}", "somebody approved this very count"
            expires = datetime.fromisoformat(self.waited["expires"]).timestamp()
            assert world.clock.now() < expires, "and in time"
        assert not world.cluster.other_scalers, "another autoscaler owns this target"
        if after > before:
            assert after <= max(2 * before, before + 4), "a step up is bounded"
            assert after <= max(high, before), "maxReplicas is never exceeded"
            told = world.metrics.trust in (Trust.FRESH, Trust.PARTIAL) and not self.life.is_silent(for_s=SLACK_S)
            assert told or before < low, "nothing is raised on news that has stopped"
        else:
            self._judge_lowering(before, after, low=low)

    def _judge_lowering(self, before: int, after: int, *, low: int) -> None:
        life = self.life
        assert life.world.metrics.trust is Trust.FRESH, "nothing is lowered on an answer that is not fresh"
        unseen = life.unseen_s(within_s=FIRST_LIFE_S)
        assert unseen <= (1 - NEEDED_COVERAGE) * FIRST_LIFE_S + SLACK_S, f"lowered after {unseen:.0f} s unseen"
        if before <= self.limits[1]:
            watched = life.now - self.watching_since
            assert watched >= FIRST_LIFE_S - SLACK_S, f"lowered after {watched:.0f} s of watching"
            needed = min(ceil(life.known_demand(within_s=120.0) / PER_REPLICA - 0.05), self.limits[1])
            assert after >= needed, f"{after} replicas where {needed} were needed, and it could be known"
        assert after >= min(low, before), "minReplicas holds"


TestLoop = Loop.TestCase
TestLoop.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
