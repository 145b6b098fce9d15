"""The promises. Each guardrail sees the evidence and a verdict, and may only make the action smaller or hold.

The fail-static contract in code: nothing is lowered blind, in a first life, or faster than `behavior`; nothing is
raised while the scheduler has no room; nobody else's replicas are touched.

What is NOT promised: that a guardrail's hold is cheap. A hold costs GPU time, a wrong scale-down costs users.
"""

from dataclasses import replace

from foretide.policies.behavior import apply_behavior
from foretide.policies.flow import Act, Evidence, Guardrail, Hold, Mode, Reason, ReasonCode, Trust, Verdict
from foretide.policies.regret import kept_count

NEEDS_NO_FORECAST = (ReasonCode.BACKLOG, ReasonCode.WITHIN_BOUNDS)
NEEDS_NO_REGRET = (ReasonCode.IDLE, ReasonCode.WITHIN_BOUNDS)


def hold_if_paused(evidence: Evidence, verdict: Verdict) -> Verdict:
    if evidence.mode is not Mode.PAUSED:
        return verdict
    return hold(evidence, ReasonCode.PAUSED, "paused by its owner", verdict)


def hold_on_conflict(evidence: Evidence, verdict: Verdict) -> Verdict:
    """One writer: another autoscaler on the same replicas means that we keep our hands off."""
    if not evidence.pool.conflict:
        return verdict
    return hold(evidence, ReasonCode.CONFLICT, evidence.pool.conflict, verdict)


def never_lower_blind(evidence: Evidence, verdict: Verdict) -> Verdict:
    """Only fresh, complete measurements ever take capacity away."""
    if not is_lowering(verdict):
        return verdict
    blind = blindness(evidence)
    return hold(evidence, ReasonCode.BLIND, blind, verdict) if blind else verdict


def never_raise_on_old_news(evidence: Evidence, verdict: Verdict) -> Verdict:
    """A forecast from measurements that have stopped is a guess; what was ordered on the last good ones stays.

    A live backlog, and coming back to minReplicas, need no forecast.
    """
    seen = evidence.history.trust in (Trust.FRESH, Trust.PARTIAL)
    if seen or not is_raising(verdict) or verdict.reasons[0].code in NEEDS_NO_FORECAST:
        return verdict
    text = f"metrics are {evidence.history.trust.value}: {evidence.history.why}"
    return hold(evidence, ReasonCode.BLIND, text, verdict)


def never_lower_in_first_life(evidence: Evidence, verdict: Verdict) -> Verdict:
    """After a start, what was found stays until demand was watched for a full window."""
    watched = evidence.now - evidence.memory.watching_since
    if not is_lowering(verdict) or watched >= evidence.rhythm.first_life_s:
        return verdict
    text = f"watched for {watched:.0f} s, lowering needs {evidence.rhythm.first_life_s:.0f} s"
    return hold(evidence, ReasonCode.FIRST_LIFE, text, verdict)


def never_to_zero_in_use(evidence: Evidence, verdict: Verdict) -> Verdict:
    """The last replica goes only where the gateway says at this moment that nothing runs or waits, and none loads."""
    if not isinstance(verdict, Act) or verdict.order.after > 0 or not is_lowering(verdict):
        return verdict
    if evidence.pool.starting or evidence.pool.unschedulable:
        return hold(evidence, ReasonCode.KEPT_WARM, "a replica is still starting", verdict)
    backlog = evidence.backlog
    if backlog is None or backlog.trust is not Trust.FRESH or backlog.waiting is None or backlog.running is None:
        return hold(evidence, ReasonCode.BLIND, "what runs and waits right now could not be read", verdict)
    if backlog.waiting or backlog.running:
        text = f"{backlog.running:.0f} requests run and {backlog.waiting:.0f} wait"
        return hold(evidence, ReasonCode.KEPT_WARM, text, verdict)
    return verdict


def never_raise_without_room(evidence: Evidence, verdict: Verdict) -> Verdict:
    """More pods do not help while the last ones cannot be scheduled."""
    if not is_raising(verdict) or not evidence.pool.unschedulable:
        return verdict
    text = f"{evidence.pool.unschedulable} pods find no node; ordering more would not help"
    return hold(evidence, ReasonCode.UNSCHEDULABLE, text, verdict)


def respect_limits(evidence: Evidence, verdict: Verdict) -> Verdict:
    """MaxReplicas above all else; minReplicas for every order that lowers."""
    if not isinstance(verdict, Act):
        return verdict
    before, after = verdict.order.before, verdict.order.after
    limited = min(after, max(before, evidence.pool.max_replicas))
    if after < before:
        limited = max(after, min(before, evidence.pool.min_replicas))
    if limited == after:
        return verdict
    code = ReasonCode.AT_MAXIMUM if after > before else ReasonCode.AT_MINIMUM
    return shrink(evidence, verdict, limited, Reason(code, f"limits are {_limits(evidence)}"))


def respect_behavior(evidence: Evidence, verdict: Verdict) -> Verdict:
    """HPA's stabilisation windows and rate policies. Coming back inside min/max is not slowed down by them."""
    if not isinstance(verdict, Act) or verdict.reasons[0].code is ReasonCode.WITHIN_BOUNDS:
        return verdict
    order = verdict.order
    allowed, code = apply_behavior(
        now=evidence.now,
        current=order.before,
        wanted=order.after,
        behavior=evidence.behavior,
        memory=evidence.memory,
    )
    if order.before == 0:
        allowed = max(allowed, 1)  # a percentage of nothing must not keep requests without a path
    if code is None or allowed == order.after:
        return verdict
    return shrink(evidence, verdict, allowed, Reason(code, _slowed(evidence, order.after, allowed, code)))


def never_lower_what_came_back(evidence: Evidence, verdict: Verdict) -> Verdict:
    """A count that was given up and taken back is not given up again at once. Nor is it asked of limits or idleness."""
    if not isinstance(verdict, Act) or not is_lowering(verdict) or verdict.reasons[0].code in NEEDS_NO_REGRET:
        return verdict
    kept, why = kept_count(evidence)
    allowed = min(verdict.order.before, max(verdict.order.after, kept))
    if allowed == verdict.order.after:
        return verdict
    return shrink(evidence, verdict, allowed, Reason(ReasonCode.STABILIZING, why))


def only_raise(evidence: Evidence, verdict: Verdict) -> Verdict:
    """In mode RaiseOnly what is too much stays, until its owner takes it away."""
    if evidence.mode is not Mode.RAISE_ONLY or not isinstance(verdict, Act) or not is_lowering(verdict):
        return verdict
    order = verdict.order
    text = f"would scale {order.before} -> {order.after}; mode is RaiseOnly"
    return hold(evidence, ReasonCode.RAISE_ONLY, text, verdict)


def only_recommend(evidence: Evidence, verdict: Verdict) -> Verdict:
    if evidence.mode is not Mode.RECOMMEND or not isinstance(verdict, Act):
        return verdict
    order = verdict.order
    text = f"would scale {order.before} -> {order.after}; mode is Recommend"
    return hold(evidence, ReasonCode.RECOMMEND_ONLY, text, verdict)


PLAN: tuple[Guardrail, ...] = (
    hold_if_paused,
    hold_on_conflict,
    never_lower_blind,
    never_raise_on_old_news,
    never_lower_in_first_life,
    never_to_zero_in_use,
    never_raise_without_room,
    respect_limits,
    respect_behavior,
    never_lower_what_came_back,
    only_raise,
)
"""Applied in this order to every plan and to every fast pass."""


def blindness(evidence: Evidence) -> str:
    """Why nothing may be lowered on this evidence, in words; empty when it may."""
    return _unmeasured(evidence) or _unforeseen(evidence)


def _unmeasured(evidence: Evidence) -> str:
    """What is wrong with the measurements: old, with holes, or less than what may have been asked for."""
    history, window = evidence.history, evidence.rhythm.first_life_s
    if history.trust is not Trust.FRESH:
        return f"metrics are {history.trust.value}: {history.why}"
    covered, needed = history.coverage(window), evidence.rhythm.coverage
    if covered < needed:
        return f"only {covered:.0%} of the last {window:.0f} s was measured, lowering needs {needed:.0%}"
    if history.is_censored(evidence.objective.window_s):
        return f"more may be asked for than is measured: {history.hidden}"
    return ""


def _unforeseen(evidence: Evidence) -> str:
    """What is wrong with the forecast."""
    forecast = evidence.forecast
    if forecast is None:
        return "there is no forecast"
    if forecast.flagged:
        return f"the forecast is a fallback: {forecast.flagged}"
    if evidence.now - forecast.made_at > 2 * forecast.horizon:
        return f"the forecast is {evidence.now - forecast.made_at:.0f} s old"
    return ""


def is_lowering(verdict: Verdict) -> bool:
    return isinstance(verdict, Act) and verdict.order.after < verdict.order.before


def is_raising(verdict: Verdict) -> bool:
    return isinstance(verdict, Act) and verdict.order.after > verdict.order.before


def hold(evidence: Evidence, code: ReasonCode, text: str, verdict: Verdict) -> Hold:
    """The verdict turned into no action, its own reasons kept behind the new one."""
    return Hold(evidence.pool.desired, (Reason(code, text), *verdict.reasons))


def shrink(evidence: Evidence, act: Act, after: int, reason: Reason) -> Verdict:
    """The same order with a smaller step, or a hold where nothing is left of it."""
    if after == act.order.before:
        return hold(evidence, reason.code, reason.text, act)
    return Act(replace(act.order, after=after), (*act.reasons, reason))


def _limits(evidence: Evidence) -> str:
    return f"minReplicas {evidence.pool.min_replicas}, maxReplicas {evidence.pool.max_replicas}"


def _slowed(evidence: Evidence, wanted: int, allowed: int, code: ReasonCode) -> str:
    if code is ReasonCode.RATE_LIMITED:
        return f"behavior lets {allowed} through of {wanted}"
    up = wanted > evidence.pool.desired
    rules = evidence.behavior.up if up else evidence.behavior.down
    return f"{wanted} has not stood for {rules.stabilization_s:.0f} s yet"
