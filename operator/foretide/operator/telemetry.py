"""The operator's own metrics: every name in one place. Prefix `foretide_`, base units.

Names and labels are read by dashboards and alerts: add, never rename.
"""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from foretide.operator.actuate import Outcome
from foretide.operator.forecast_telemetry import ForecastTelemetry
from foretide.operator.scorecards import HOUR_S, left_out
from foretide.operator.seams import Key
from foretide.operator.status import Turn
from foretide.operator.warm_telemetry import WarmTelemetry
from foretide.policies.flow import REQUESTS, Act, Trust
from foretide.policies.scorecard import Scorecard

_TARGET = ("namespace", "name")


class Telemetry:
    """One registry per process life, so that tests can make as many as they like."""

    def __init__(self, *, version: str) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry, namespace="foretide")
        gauge = partial(Gauge, registry=self.registry, namespace="foretide")
        histogram = partial(Histogram, registry=self.registry, namespace="foretide")
        self.sweep_duration = histogram("sweep_duration_seconds", "Length of a pass over all targets", ["pass"])
        self.sweep_lag = gauge("sweep_lag_seconds", "How much later than due the last plan began")
        self.decisions = counter("decision_total", "Decisions", ["verdict", "reason"])
        self.decision_at = gauge("decision_timestamp_seconds", "Time of the last decision", _TARGET)
        self.replicas = gauge("replicas", "Replicas of a pool", [*_TARGET, "pool", "kind"])
        self.demand = gauge("demand_requests_per_second", "Demand in the newest measured bin", _TARGET)
        self.censored = gauge("demand_censored", "1 while more may be asked for than is measured", _TARGET)
        self.risk = gauge("violation_probability_ratio", "Risk at the desired count", _TARGET)
        self.speed = gauge("speed_factor_ratio", "Learned time of a step against the profile's; 1.3 is slower", _TARGET)
        self.forecast_crps = gauge("forecast_crps_requests_per_second", "CRPS of matured forecasts", _TARGET)
        self.forecast_skill = gauge("forecast_skill_ratio", "1 - CRPS / CRPS of the last value", _TARGET)
        self.forecast = ForecastTelemetry(gauge)
        self.network_up = gauge("forecast_network_up", "1 while the newest answer of a head was usable", ["head"])
        self.card_judged = gauge("scorecard_judged_hours", "Hours of windows that the scorecard judged", _TARGET)
        self.card_gpus = gauge("scorecard_gpu_hours", "GPU-hours in judged windows, estimated", [*_TARGET, "who"])
        self.card_kept = gauge(
            "scorecard_promise_kept_ratio",
            "Share of judged windows that keep the promise, estimated",
            [*_TARGET, "who"],
        )
        self.card_left_out = gauge("scorecard_left_out_ratio", "Share of windows not judged", [*_TARGET, "why"])
        self.warm = WarmTelemetry(counter, histogram)
        self.blind = gauge("blind_targets", "Targets without fresh metrics")
        self.targets = gauge("targets", "Targets of the last plan")
        self.global_hold = gauge("global_hold", "1 while nothing may go down because too much would")
        self.rejected = counter("metrics_rejected_total", "Metric answers that were not fresh, by trust", ["why"])
        self.divergence = counter("watch_divergence_total", "Resources that the relist found changed unseen")
        self.writes = counter("scale_write_total", "Writes to /scale", ["result"])
        self.keda_answers = counter("keda_answer_total", "Answers to KEDA: ok, or a gRPC status", ["code"])
        self.status_writes = counter("status_write_total", "Writes of a status", ["result"])
        self.untold = gauge("status_waiting", "Statuses that wait for the limit of writes per second")
        self.is_leader = gauge("lease_is_leader", "1 while this process leads")
        self.age = gauge("age_seconds", "Age of the last sign of life", ["of"])
        info = gauge("build_info", "Always 1", ["version"])
        info.labels(version).set(1)

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def count(self, turn: Turn) -> None:
        """Takes in one finished turn."""
        if turn.evidence is None or turn.decision is None:
            return
        for part in turn.parts:
            self._count_pool(part)
        evidence = turn.evidence
        if evidence.history.trust is not Trust.FRESH:
            self.rejected.labels(evidence.history.trust.value).inc()
        if evidence.service.observed:
            self.speed.labels(*_labels(turn.entry.key)).set(evidence.service.speed()[0])
        self._count_forecast(turn)
        if turn.warm is not None:
            self.warm.count(_labels(turn.entry.key), turn.warm, turn.warm_news)
        if turn.scorecard is not None:
            self._count_scorecard(_labels(turn.entry.key), turn.scorecard)

    def _count_pool(self, turn: Turn) -> None:
        if turn.evidence is None or turn.decision is None:
            return
        key, evidence, decision = turn.entry.key, turn.evidence, turn.decision
        verdict = "act" if isinstance(decision.verdict, Act) else "hold"
        self.decisions.labels(verdict, decision.reason.code.value).inc()
        self.decision_at.labels(*_labels(key)).set(decision.at)
        if turn.actuation is not None and turn.actuation.outcome is not Outcome.HANDED:
            self.writes.labels(turn.actuation.outcome.value).inc()
        pool = evidence.pool
        counts = {"current": pool.desired, "ready": pool.ready, "starting": pool.starting, "desired": decision.desired}
        for kind, count in counts.items():
            self.replicas.labels(*_labels(key), pool.name, kind).set(count)

    def _count_forecast(self, turn: Turn) -> None:
        if turn.evidence is None or turn.decision is None:
            return
        labels, history = _labels(turn.entry.key), turn.evidence.history
        if len(history.values):
            self.demand.labels(*labels).set(float(history.values[-1, REQUESTS]))
            window = turn.evidence.objective.window_s
            self.censored.labels(*labels).set(float(history.is_censored(window)))
        proposal, forecast = turn.decision.proposal, turn.evidence.forecast
        if proposal is not None and (risk := proposal.risk_at(proposal.replicas)) is not None:
            self.risk.labels(*labels).set(risk)
        if turn.pair is not None:
            self.risk.labels(*labels).set(turn.pair.probability)
        if forecast is not None and forecast.score is not None:
            self.forecast_crps.labels(*labels).set(forecast.score.crps)
            self.forecast_skill.labels(*labels).set(forecast.score.skill)
        if forecast is not None:
            self.forecast.count(labels, forecast)

    def _count_scorecard(self, labels: tuple[str, str], card: Scorecard) -> None:
        total = card.total
        self.card_judged.labels(*labels).set(total.judged_s / HOUR_S)
        for who, account in (("present", total.present), ("foretide", total.foretide)):
            self.card_gpus.labels(*labels, who).set(account.gpu_s / HOUR_S)
            if (kept := total.kept(account)) is not None:
                self.card_kept.labels(*labels, who).set(kept)
        for why, share in left_out(total).items():
            self.card_left_out.labels(*labels, why).set(share)

    def forget(self, key: Key) -> None:
        """Drops the series of a resource that is gone."""
        for gauge in (
            self.decision_at, self.demand, self.censored, self.risk, self.forecast_crps, self.forecast_skill,
            self.speed, self.card_judged, self.card_gpus, self.card_kept, self.card_left_out,
        ):  # fmt: skip
            gauge.remove_by_labels({"namespace": key.namespace, "name": key.name})
        self.replicas.remove_by_labels({"namespace": key.namespace, "name": key.name})
        self.forecast.forget(_labels(key))
        self.warm.forget(_labels(key))


def _labels(key: Key) -> tuple[str, str]:
    return key.namespace, key.name
