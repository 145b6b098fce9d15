"""What KEDA is told, over all that may stand: zero only where zero was decided, and nothing where nothing holds."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from turned import LLAMA, entry, turn

from foretide.operator.actuate import Actuation, Outcome
from foretide.operator.keda.answer import Refusal, answer, standing_of, succeeding
from foretide.operator.registry import Entry
from foretide.operator.status import Turn
from foretide.policies.flow import Act, Trust

STALE_S = 180.0
counts = st.integers(0, 20)
turns = st.builds(
    turn,
    live=counts,
    ordered=st.none() | counts,
    proposed=st.none() | counts,
    least=st.integers(0, 2),
    trust=st.sampled_from(Trust),
    actuation=st.none() | st.builds(Actuation, st.sampled_from(Outcome)),
)
entries = st.none() | st.sampled_from([entry(), entry(actuation="scale"), replace(entry(), uid="another")])

moments = st.tuples(st.integers(-10, 1000), st.integers(0, 120), st.booleans())
"""Age of the last turn, how much earlier the one before was, and whether we lead."""


@given(turns, st.none() | turns, entries, moments)
@example(turn(live=0, ordered=None, proposed=0), None, entry(), (1, 0, True))
@example(turn(live=1, ordered=0, proposed=0), None, entry(), (1, 0, True))
@example(turn(live=0, ordered=None, proposed=None, trust=Trust.ABSENT), None, entry(), (1, 0, True))
def test_zero_is_told_only_where_the_leader_decided_it_lately_on_fresh_metrics(
    last: Turn, before: Turn | None, known: Entry | None, moment: tuple[int, int, bool]
) -> None:
    age, earlier, leads = moment
    standing = standing_of(last, at=1000.0)
    past = standing_of(before, at=1000.0 - earlier) if before is not None else None
    if standing is not None:
        standing = succeeding(past, standing)
    told = answer(LLAMA, known, standing, pool="", now=1000.0 + age, stale_s=STALE_S, leads=leads)
    if isinstance(told, Refusal):
        assert told.message
        assert "\n" not in told.message
        return
    assert leads
    assert 0 <= age <= STALE_S
    assert known is not None
    assert known.resource is not None
    assert known.resource.actuation == "keda"
    assert told.active is (told.replicas > 0)
    if told.replicas == 0:
        assert last.evidence is not None
        assert last.decision is not None
        assert last.evidence.history.trust is Trust.FRESH
        assert last.evidence.pool.min_replicas == 0
        assert last.actuation is None or last.actuation.outcome not in (Outcome.REFUSED, Outcome.FAILED)
        verdict = last.decision.verdict
        assert (verdict.order.after if isinstance(verdict, Act) else verdict.replicas) == 0
        assert isinstance(verdict, Act) or last.decision.proposal is not None
