"""A run as figures for `summary.json` and as lines for `decisions.jsonl`: plain values, ready for JSON.

What is NOT promised: a figure where there is nothing to measure. It is null then, never zero.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from foretide.policies.accepted_risk import violation_probability
from foretide.policies.ahead import ahead_of
from foretide.policies.flow import REQUESTS, Act, DemandForecast, Evidence
from foretide.policies.journal import encode
from foretide.simulator.run import Asked, Bench, PolicyRun
from foretide.simulator.score import attainment, percentiles, pod_utility_below_1, scale_actions, window_attainment


def figures(*, run: PolicyRun, bench: Bench) -> dict[str, Any]:
    """One policy's part of `summary.json`."""
    outcome, objective = run.outcome, bench.scenario.objective
    held = window_attainment(outcome=outcome, objective=objective)
    row: dict[str, Any] = {
        "policy": run.policy,
        "gpu_hours": run.gpu_hours,
        "idle_gpu_hours": run.cost.idle_gpu_hours,
        "energy_kwh": run.cost.energy_kwh,
        "joules_per_output_token": run.cost.joules_per_token,
        "unschedulable_pod_hours": run.cost.unschedulable_hours,
        "requests": len(outcome.arrival_s),
        "unfinished": int(np.isnan(outcome.e2e_s).sum()),
        "lost_requests": run.harm.lost,
        "retried_requests": run.harm.resent,
        "crashes": run.harm.crashes,
        "attainment": attainment(outcome=outcome, objective=objective),
        "window_attainment": held,
        "ttft_s": percentiles(outcome.ttft_s),
        "tpot_s": percentiles(outcome.tpot_s),
        "e2e_s": percentiles(outcome.e2e_s),
        "scale_actions": scale_actions([count for _, count in run.orders]),
        "cold_started_requests": int(np.asarray(outcome.cold_started).sum()),
        "wake_s": {tier: percentiles(np.array(seconds)) for tier, seconds in run.wakes.items()},
        "pod_utility_below_1": pod_utility_below_1(run.lives),
        "promised_violation": promised_violation(run),
        "observed_violation": None if held is None else 1.0 - held,
        "decision_ms": milliseconds(run.plan_ms),
        "replicas": {"begins_with": run.orders[0][1], "most": max(count for _, count in run.orders)},
    }
    return row | ({"note": run.note} if run.note else {})


def milliseconds(plan_ms: tuple[float, ...]) -> dict[str, float | None]:
    """p50 and p99 of a plan's run time."""
    found = percentiles(np.array(plan_ms, dtype=np.float64))
    return {name: found[name] for name in ("p50", "p99")}


def promised_violation(run: PolicyRun) -> float | None:
    """Mean of what was published as P(a window breaks the objective) for the standing count; None for rivals."""
    risks = [risk for asked in run.asked if asked.choice.planned and (risk := published_risk(asked)) is not None]
    return float(np.mean(risks)) if risks else None


def published_risk(asked: Asked) -> float | None:
    """P(violation) of the count that stood after a plan; None without a forecast."""
    evidence, decision = asked.choice.evidence, asked.choice.decision
    if evidence is None or decision is None or evidence.forecast is None or decision.proposal is None:
        return None
    published = decision.proposal.risk_at(asked.after)
    return published if published is not None else _risk(evidence, evidence.forecast, asked.after)


def _risk(evidence: Evidence, forecast: DemandForecast, replicas: int) -> float:
    """The same probability for a count that the proposal did not look at: a guardrail kept it from its own."""
    return violation_probability(ahead_of(evidence, forecast), evidence.service.capacity, replicas)


def records(run: PolicyRun) -> Iterator[dict[str, Any]]:
    """One line per plan, and per fast pass that acted, in the order of time. No wall times: it is deterministic."""
    for asked in run.asked:
        line: dict[str, Any] = {
            "policy": run.policy,
            "at_s": asked.at,
            "before": asked.before,
            "desired": asked.after,
            "ready": asked.ready,
            "starting": asked.starting,
            "reason": asked.choice.code,
            "text": asked.choice.text,
        }
        yield line | _explained(asked)


def _explained(asked: Asked) -> dict[str, Any]:
    """What Foretide recorded beside: the proposal, the forecast, and for an action all of its evidence."""
    evidence, decision = asked.choice.evidence, asked.choice.decision
    if evidence is None or decision is None:
        return {}
    told: dict[str, Any] = {"rhythm": "plan" if asked.choice.planned else "fast pass"}
    if decision.proposal is not None:
        told["proposed"] = decision.proposal.replicas
        told["binding"] = decision.proposal.binding
        told["horizon_s"] = decision.proposal.horizon_s
        told["violation_probability"] = {str(risk.replicas): risk.probability for risk in decision.proposal.risks}
    if evidence.forecast is not None:
        told["forecast"] = _forecast(evidence.forecast)
    if isinstance(decision.verdict, Act):
        told["record"] = encode(evidence, decision)
    return told


def _forecast(forecast: DemandForecast) -> dict[str, Any]:
    quantiles = np.quantile(forecast.paths[:, :, REQUESTS], [0.05, 0.5, 0.95], axis=0)
    told: dict[str, Any] = {
        "made_at_s": forecast.made_at,
        "step_s": forecast.step,
        "weights": forecast.weights,
        "skill": forecast.score.skill if forecast.score else None,
        "flagged": forecast.flagged,
    }
    names = ("requests_per_s_q05", "requests_per_s_q50", "requests_per_s_q95")
    return told | {name: [round(float(v), 4) for v in row] for name, row in zip(names, quantiles, strict=True)}
