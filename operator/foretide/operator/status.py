"""From what a turn found and decided to the status that people read. Pure: dict out, nothing written here.

Numbers are strings with a unit where they have one. Messages stay within 512 characters and never hold the body or the
address of a metric source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretide.operator.actuate import Actuation, Marks, Outcome
from foretide.operator.approvals import pending_told
from foretide.operator.keda.carried import Uncarried
from foretide.operator.look import Look, Unresolved
from foretide.operator.naps import Trouble
from foretide.operator.pair.told import first_to_act, of_both, of_the_pair
from foretide.operator.registry import Entry
from foretide.operator.resource import BY_KEDA
from foretide.operator.scorecards import published
from foretide.operator.speeds import speed_told
from foretide.operator.times import written_time
from foretide.operator.warm_book import published as warmth_published
from foretide.policies.flow import (
    REQUESTS,
    Act,
    Decision,
    DemandForecast,
    Evidence,
    Mode,
    ReasonCode,
    Trust,
)
from foretide.policies.pair.setting import PairProposal
from foretide.policies.scorecard import Scorecard
from foretide.policies.warm.account import News, WarmAccount
from foretide.policies.words import explain, how_fast

MESSAGE_LIMIT = 512
HISTORY_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one turn of one target brought about, for the status, the journal and the events."""

    entry: Entry
    at: float
    found: Look | Unresolved | None
    evidence: Evidence | None = None
    decision: Decision | None = None
    actuation: Actuation | None = None
    marks: Marks | None = None
    """Which pods an order that lowers may cost."""
    speed_changed: bool = False
    """Whether this turn found that replicas are no longer as fast as they were."""
    scorecard: Scorecard | None = None
    """What was compared until now; None in a mode that compares nothing."""
    odd: str = ""
    """What is unusual about the newest requests' lengths, in words."""
    warm: WarmAccount | None = None
    """What warmth has cost; None for a turn that took no account of it."""
    warm_news: News = field(default_factory=News)
    tier_trouble: Trouble | None = None
    """Why a declared tier cannot be had."""
    partner: "Turn | None" = None
    """Of two pools: what came of the decode pool. This turn is then the prefill pool's, and of both in the rest."""
    pair: PairProposal | None = None
    """Of two pools: what their demand asks for."""

    @property
    def parts(self) -> "tuple[Turn, ...]":
        """One turn per pool."""
        return (self,) if self.partner is None else (self, self.partner)


@dataclass(frozen=True, slots=True)
class Condition:
    type: str
    holds: bool | None
    """None is Unknown."""
    reason: str
    message: str = ""


def status_of(turn: Turn, *, before: Mapping[str, Any]) -> dict[str, Any]:
    """The whole status after a turn; `before` gives transition times and the history."""
    entry = turn.entry
    status: dict[str, Any] = {
        "observedGeneration": entry.generation,
        "conditions": _conditions(turn, before),
        "history": _history(turn, before),
    }
    if entry.resource is not None:
        status["acceptedGeneration"] = entry.resource.generation
    if turn.evidence is not None and turn.decision is not None:
        pools = [(part.evidence, part.decision, part.actuation) for part in turn.parts]
        status["pools"] = [_pool(seen, decided, done) for seen, decided, done in pools if seen and decided]
        status["lastDecision"] = _decided(turn, turn.evidence, turn.decision)
        if turn.decision.pending is not None and not _settled(turn.actuation):
            status["pendingApproval"] = pending_told(turn.decision.pending)
    else:
        status |= {name: before[name] for name in ("pools", "lastDecision") if name in before}
    if (scorecard := published(turn.scorecard, before.get("scorecard"))) is not None:
        status["scorecard"] = scorecard
    if (warmth := _warmth(turn, before.get("warm"))) is not None:
        status["warm"] = warmth
    return status


def _warmth(turn: Turn, before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Of a target that may rest; what an earlier spec left there goes with the first turn that knows better."""
    if turn.evidence is None:
        return before
    return warmth_published(turn.warm, before) if turn.evidence.rest is not None else None


def signature(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a status worth writing at once: the verdict, the counts asked for, and the conditions."""
    decision = status.get("lastDecision") or {}
    return (
        status.get("observedGeneration"),
        decision.get("reason"),
        (status.get("pendingApproval") or {}).get("id"),
        tuple((pool.get("current"), pool.get("desired")) for pool in status.get("pools") or ()),
        tuple((item["type"], item["status"], item["reason"]) for item in status.get("conditions") or ()),
    )


def _conditions(turn: Turn, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    known = {item.get("type"): item for item in before.get("conditions") or ()}
    told = _found(turn) if turn.partner is None else of_both(_found(turn), _found(turn.partner))
    return [_written(item, known.get(item.type), turn) for item in (_ready(turn, told), *told)]


def _found(turn: Turn) -> list[Condition]:
    """The conditions of one pool."""
    found = (
        _target_resolved(turn),
        _conflict(turn),
        _metrics(turn),
        _forecast(turn),
        _active(turn),
        _able(turn),
        _tiers_condition(turn),
    )
    return [condition for condition in found if condition is not None]


def _written(condition: Condition, before: Mapping[str, Any] | None, turn: Turn) -> dict[str, Any]:
    status = {True: "True", False: "False", None: "Unknown"}[condition.holds]
    same = before is not None and before.get("status") == status
    return {
        "type": condition.type,
        "status": status,
        "observedGeneration": turn.entry.generation,
        "lastTransitionTime": before["lastTransitionTime"] if same and before else written_time(turn.at),
        "reason": condition.reason,
        "message": shortened(condition.message),
    }


def _ready(turn: Turn, others: Sequence[Condition]) -> Condition:
    """Whether the promise is being looked after, and otherwise the first thing that keeps us from it."""
    entry = turn.entry
    if entry.problems:
        force = entry.resource
        stays = f" (the spec of generation {force.generation} stays in force)" if force else ""
        return Condition("Ready", False, "InvalidSpec", "; ".join(entry.problems) + stays)
    for condition in others:
        wrong = condition.holds if condition.type == "Conflict" else condition.holds is False
        if wrong and condition.type in ("TargetResolved", "Conflict", "MetricsAvailable", "AbleToScale"):
            return Condition("Ready", False, condition.reason, condition.message)
    if turn.decision is None or turn.evidence is None:
        return Condition("Ready", None, "Starting", "no decision yet")
    text = _explained(turn)
    if entry.warnings:
        text = f"{'; '.join(entry.warnings)}. {text}"
    return Condition("Ready", True, _told_first(turn, turn.decision).reason.code.value, text)


def _target_resolved(turn: Turn) -> Condition | None:
    if turn.found is None:
        return None
    if isinstance(turn.found, Unresolved):
        return Condition("TargetResolved", False, turn.found.reason, turn.found.message)
    target = turn.entry.resource.pool.target if turn.entry.resource else "target"
    return Condition("TargetResolved", True, "Found", f"{target} has {turn.found.scale.replicas} replicas")


def _metrics(turn: Turn) -> Condition | None:
    if turn.evidence is None:
        return None
    history = turn.evidence.history
    if history.trust is Trust.FRESH:
        return _fresh(turn.evidence)
    # a source that does not answer has said so, with its own fix, and so have engines that say too little
    silent = history.trust is Trust.ABSENT and not any(word in history.why for word in ("source", "metrics.queries"))
    fix = "; check that the source scrapes the pods with labels namespace and pod" if silent else ""
    message = f"{history.why}{fix}; until then replicas may only rise"
    return Condition("MetricsAvailable", False, f"Metrics{history.trust.value}", message)


def _fresh(evidence: Evidence) -> Condition:
    """Metrics that are there, and whether they may show less than what was asked for."""
    history = evidence.history
    told = f"{history.coverage(evidence.rhythm.first_life_s):.0%} of the last window was measured"
    if history.is_censored(evidence.objective.window_s):
        message = f"{told}, but more may be asked for: {history.hidden}; until then replicas may only rise"
        return Condition("MetricsAvailable", True, "Censored", message)
    return Condition("MetricsAvailable", True, "Fresh", f"{told}; {history.hidden}" if history.hidden else told)


def _forecast(turn: Turn) -> Condition | None:
    if turn.evidence is None:
        return None
    forecast = turn.evidence.forecast
    if forecast is None:
        return Condition("ForecastHealthy", None, "NoForecast", "not enough demand was seen to forecast from")
    if forecast.flagged:
        return Condition("ForecastHealthy", False, "Fallback", forecast.flagged)
    return Condition("ForecastHealthy", True, "Scored" if forecast.score else "Unscored", _tiers(forecast))


def _tiers(forecast: DemandForecast) -> str:
    """Which tiers serve, the largest share first."""
    shares = sorted(forecast.weights.items(), key=lambda item: -item[1])
    return "paths come from " + ", ".join(f"{name} ({share:.0%})" for name, share in shares)


def _conflict(turn: Turn) -> Condition | None:
    if not isinstance(turn.found, Look):
        return None
    if turn.found.conflict:
        return Condition("Conflict", True, turn.found.held or "Conflict", turn.found.conflict)
    asking = turn.found.asking
    told = (
        f"KEDA scales the target for ScaledObject {asking}, which asks us"
        if asking
        else "nobody else scales the target"
    )
    return Condition("Conflict", False, "OnlyWriter", told)


def _active(turn: Turn) -> Condition | None:
    if turn.evidence is None:
        return None
    if not turn.evidence.mode.acts:
        reasons = {Mode.RECOMMEND: ReasonCode.RECOMMEND_ONLY, Mode.PAUSED: ReasonCode.PAUSED}
        code = reasons[turn.evidence.mode].value
        return Condition("ScalingActive", False, code, f"mode {turn.evidence.mode.value} never writes replicas")
    if turn.evidence.pool.conflict:
        return Condition("ScalingActive", False, "Conflict", turn.evidence.pool.conflict)
    return Condition("ScalingActive", True, turn.evidence.mode.value)


def _able(turn: Turn) -> Condition | None:
    if turn.evidence is None:
        return None
    if turn.actuation is not None and turn.actuation.outcome in (Outcome.FAILED, Outcome.REFUSED):
        return Condition("AbleToScale", False, "WriteFailed", turn.actuation.message)
    if turn.evidence.mode.acts and (missing := _unfollowed(turn)):
        return Condition("AbleToScale", False, missing.reason, missing.message)
    stuck = turn.evidence.pool.unschedulable
    if stuck:
        return Condition("AbleToScale", True, "Unschedulable", f"{stuck} pods find no node with room")
    return Condition("AbleToScale", True, "Ready", "no write failed, and every pod has a node")


def _tiers_condition(turn: Turn) -> Condition | None:
    """Of a target with tiers between zero and ready: whether they can be had."""
    resource = turn.entry.resource
    if turn.evidence is None or resource is None or not resource.warm.tiers or resource.spec.rest is None:
        return None
    if turn.tier_trouble is not None:
        return Condition("TiersAvailable", False, turn.tier_trouble.reason, turn.tier_trouble.message)
    return Condition("TiersAvailable", True, "Available", ", ".join(one.name for one in resource.warm.tiers))


def _unfollowed(turn: Turn) -> Uncarried | None:
    """Under `actuation: keda`, that nobody asks, or that who asks does not follow; else None."""
    resource, found = turn.entry.resource, turn.found
    if resource is None or resource.actuation != BY_KEDA or not isinstance(found, Look):
        return None
    if found.asking:
        return found.uncarried
    fix = f"apply what `foretide keda {turn.entry.key}` prints"
    told = f"actuation is keda, and no ScaledObject of {resource.pool.target} asks for {turn.entry.key.name}; {fix}"
    return Uncarried("NoScaledObject", told)


def _pool(evidence: Evidence, decision: Decision, actuation: Actuation | None) -> dict[str, Any]:
    pool = evidence.pool
    return {
        "name": pool.name,
        "current": decision.desired if _done(actuation) else pool.desired,
        "desired": decision.desired,
        "ready": pool.ready,
        "starting": pool.starting,
        "unschedulable": pool.unschedulable,
    }


def _explained(turn: Turn) -> str:
    return ". ".join(
        explain(part.decision, part.evidence.pool) for part in turn.parts if part.decision and part.evidence
    )


def _told_first(turn: Turn, decision: Decision) -> Decision:
    return decision if turn.partner is None else first_to_act(part.decision for part in turn.parts if part.decision)


def _decided(turn: Turn, evidence: Evidence, decision: Decision) -> dict[str, Any]:
    told, partner = _last_decision(evidence, decision), turn.partner
    if partner is None or partner.evidence is None or partner.decision is None:
        return told
    reason = _told_first(turn, decision).reason.code.value
    both = of_the_pair(told, _last_decision(partner.evidence, partner.decision), turn.pair, reason=reason)
    return both | {"message": shortened(_explained(turn)), "capacity": shortened(both["capacity"])}


def _last_decision(evidence: Evidence, decision: Decision) -> dict[str, Any]:
    proposal = decision.proposal
    told: dict[str, Any] = {
        "time": written_time(decision.at),
        "reason": decision.reason.code.value,
        "message": shortened(explain(decision, evidence.pool)),
        "leadTime": f"{evidence.cold_start.median_s:.0f}s",
        "capacity": shortened("; ".join(filter(None, (evidence.service.source, how_fast(evidence.service))))),
    }
    if evidence.service.observed:
        told["speed"] = speed_told(evidence.service)
    if proposal is not None:
        risks = {"oneFewer": -1, "atDesired": 0, "oneMore": 1}
        found = {name: proposal.risk_at(proposal.replicas + offset) for name, offset in risks.items()}
        told["binding"] = proposal.binding
        told["leadTime"] = f"{proposal.horizon_s:.0f}s"
        told["violationProbability"] = {name: f"{risk:.4f}" for name, risk in found.items() if risk is not None}
        costs = {name: proposal.hourly_cost_at(proposal.replicas + offset) for name, offset in risks.items()}
        if known := {name: f"{cost:.4g}" for name, cost in costs.items() if cost is not None}:
            told["expectedCostPerHour"] = known
    if evidence.forecast is not None:
        told["forecast"] = _forecast_told(evidence.forecast)
    return told


def _forecast_told(forecast: DemandForecast) -> dict[str, Any]:
    peaks = forecast.paths[:, :, REQUESTS].max(axis=1)
    middle, high = np.quantile(peaks, [0.5, 0.95])
    told: dict[str, Any] = {
        "model": forecast.model,
        "p50": f"{middle:.2f} req/s",
        "p95": f"{high:.2f} req/s",
    }
    if forecast.score is not None:
        score = forecast.score
        told |= {"crps": f"{score.crps:.3f} req/s", "skill": f"{score.skill:.2f}", "origins": score.origins}
    return told


def _history(turn: Turn, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Newest first: what was written to the target, or handed to KEDA for it."""
    past = list(before.get("history") or ())
    for part in reversed(turn.parts):
        past = _with_change(part, past, named=turn.partner is not None)
    return past[:HISTORY_LIMIT]


def _with_change(turn: Turn, past: list[dict[str, Any]], *, named: bool) -> list[dict[str, Any]]:
    if _settled(turn.actuation) and turn.decision is not None and isinstance(turn.decision.verdict, Act):
        order, reason = turn.decision.verdict.order, turn.decision.reason
        told = {"time": written_time(turn.at), "from": order.before, "to": order.after}
        told |= {"pool": order.pool} if named else {}
        # KEDA takes its time, and is told the same until it has done it.
        if past and turn.actuation is not None and turn.actuation.outcome is Outcome.HANDED:
            past = past[1:] if (past[0].get("from"), past[0].get("to")) == (order.before, order.after) else past
        past = [told | {"reason": reason.code.value, "message": shortened(reason.text)}, *past]
    return past


def _done(actuation: Actuation | None) -> bool:
    return actuation is not None and actuation.outcome is Outcome.DONE


def _settled(actuation: Actuation | None) -> bool:
    """Written, or handed to KEDA."""
    return actuation is not None and actuation.outcome in (Outcome.DONE, Outcome.HANDED)


def shortened(text: str) -> str:
    """Within the schema's limit, without control characters."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= MESSAGE_LIMIT else clean[: MESSAGE_LIMIT - 1] + "…"
