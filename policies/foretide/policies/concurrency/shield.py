"""The shield: any agent may propose, only what is proven against n* reaches the fleet, and what it costs is bounded.

The fleet runs n*, or a ratio to it that was adopted for the lengths of now. A proposal goes to one replica, the canary,
at most `step` notches from what the fleet runs. It is adopted when the sequential test (`evidence`) proves it better in
goodput, and it has not lost attainment. From then on another replica, the control, stays at n*: one window in which
the fleet does worse beyond noise, or small losses that add up, put n* back in charge. Exploring is paid from an
allowance, in requests that the canary missed beyond what the fleet missed; a trial begins or goes on only while the
allowance covers the canary losing everything for a window. So in W windows exploring costs at most
(loss_budget + share / W) of all requests, whatever the agent does.

What is NOT promised: that losses hidden in a window's noise are seen in that window, or a bound on what an adopted
limit costs before it is rolled back; `error` is that of one trial.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt
from typing import Any

from foretide.policies.concurrency.evidence import Evidence
from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.notches import REACH, at_notch, notch_of
from foretide.policies.concurrency.standing import Record, Rest, Standing, Trial, regime_of
from foretide.policies.concurrency.window import Agent, Bounds, State, Window


@dataclass(frozen=True, slots=True)
class Promise:
    """What the user allows. Raises ValueError naming the field, the value and the fix."""

    replicas: int = 10
    """Of the fleet; canary and control are one each."""
    error: float = 0.05
    """Probability at most of adopting, in one trial, what is no better."""
    step: int = 3
    """Notches of a tenth between canary and fleet at most."""
    loss_budget: float = 0.003
    """Share of all requests that exploring may cost: the maintenance budget. 0 = never explore."""
    loss: float = 0.1
    """Share of goodput whose loss in one window ends a trial or an adoption, where noise is smaller than that."""
    missed: float = 0.03
    """The same for a drop of attainment."""
    slack: float = 0.01
    """Mean attainment that an adopted limit may lose."""
    sure: float = 3.0
    """Standard errors of counts that a loss has to be beyond to be seen in one window."""
    patience: int = 16
    """Windows after which a trial that proved nothing ends."""
    rest: int = 8
    """Windows for which a notch that failed is left alone; twice as many each further time."""

    def __post_init__(self) -> None:
        if self.replicas < 3:
            raise ValueError(f"replicas: {self.replicas}: canary and control need a fleet of at least 3")
        if not 0 < self.error < 1:
            raise ValueError(f"error: {self.error}: give a probability above 0 and below 1")
        if not 0 <= self.loss_budget <= 1:
            raise ValueError(f"loss_budget: {self.loss_budget}: give a share from 0 to 1")

    @property
    def share(self) -> float:
        """Of the traffic, at the canary."""
        return 1.0 / self.replicas


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of the next window; without a control or a canary those replicas run the fleet's."""

    fleet: int
    control: int | None = None
    canary: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the window came to, by role as planned; each is a window of one replica."""

    fleet: Window
    control: Window | None = None
    canary: Window | None = None


class Ruling(StrEnum):
    """What a window led to, most serious first."""

    ROLLED_BACK = "RolledBack"
    REJECTED = "Rejected"
    ADOPTED = "Adopted"
    KEPT = "Kept"


SETTLING = 1
"""Windows of a trial that are no evidence for it: what ends in them was admitted before."""
OBVIOUS = 0.3
"""A drop of attainment in one window that no noise excuses."""
DOUBTFUL, DEVIATIONS = 4, 2.0
"""Windows from which on a mean of attainment is believed, and how many standard errors it has to be beyond `slack`."""


class Shield:
    """Wraps an agent. Call `plan` before and `learn` after every window."""

    def __init__(self, agent: Agent, rule: Rule, *, bounds: Bounds, promise: Promise | None = None) -> None:
        self.name = f"shielded-{agent.name}"
        self.promise = promise or Promise()
        self._agent, self._rule, self._bounds = agent, rule, bounds
        allowance = self.promise.share if self.promise.loss_budget else 0.0
        self.record = Record(allowance=allowance)

    def plan(self, seen: Window | None) -> Plan:
        """Who runs what, after the fleet's last window; None where none has been seen."""
        baseline, proposed = self._rule.act(seen), self._agent.act(seen)
        if self._rule.lengths is None:
            return Plan(baseline)
        regime = regime_of(self._rule.lengths, self.record)
        if regime != self.record.regime:
            self.record = replace(self.record, regime=regime, trial=None)
        adopted = self.record.standing.adopted
        trial = self._trial(proposed, adopted)
        self.record = replace(self.record, trial=trial)
        fleet = self._limit(adopted)
        canary = None if trial is None else self._limit(trial.notch)
        return Plan(fleet, control=baseline if fleet != baseline else None, canary=canary)

    def learn(self, outcome: Outcome) -> Ruling:
        """Judges the adopted limit first, then the canary's."""
        for window in (outcome.fleet, outcome.control, outcome.canary):
            if window is not None:
                self._agent.learn(window)
        self._settle_up(outcome)
        ruling = self._judge_adopted(outcome) or self._judge_trial(outcome) or Ruling.KEPT
        self.record = replace(self.record, window=self.record.window + 1)
        return ruling

    def state(self) -> State:
        return {"record": self.record.state(), "rule": self._rule.state(), "agent": self._agent.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.record = Record.of(state["record"])
        self._rule.restore(state["rule"])
        self._agent.restore(state["agent"])

    def _limit(self, notch: int) -> int:
        return self._bounds.clip(at_notch(self._rule.unbounded, notch))

    def _trial(self, proposed: float, adopted: int) -> Trial | None:
        """The one under way, or one for what is proposed; None where nothing may or need be tried."""
        promise, record = self.promise, self.record
        if record.allowance < promise.share or not promise.loss_budget:
            return None
        trial = record.trial or self._begun(proposed, adopted)
        return None if trial is None or self._limit(trial.notch) == self._limit(adopted) else trial

    def _begun(self, proposed: float, adopted: int) -> Trial | None:
        """A trial of what is proposed, as near to it as a step goes; None while that notch rests."""
        step = self.promise.step
        notch = round(notch_of(max(1.0, proposed), self._rule.unbounded))
        notch = min(max(notch, adopted - step, -REACH), adopted + step, REACH)
        rest = self.record.standing.resting.get(notch)
        return None if rest is not None and self.record.window < rest.until else Trial(notch)

    def _settle_up(self, outcome: Outcome) -> None:
        """The allowance grows by the budget, up to what two lost windows cost, and pays for what the canary missed."""
        promise = self.promise
        cost = 0.0 if outcome.canary is None else promise.share * max(0.0, lost(outcome.canary, outcome.fleet))
        allowance = min(2 * promise.share, self.record.allowance + promise.loss_budget) - cost
        self.record = replace(self.record, allowance=allowance)

    def _judge_adopted(self, outcome: Outcome) -> Ruling | None:
        control, standing = outcome.control, self.record.standing
        if control is None:
            return None
        doubt = _after(standing.doubt, control, outcome.fleet)
        lost_so_far, error = doubt.attained
        worn = doubt.windows >= DOUBTFUL and lost_so_far - DEVIATIONS * error > self.promise.slack
        if worn or doubt.proves(self.promise.error) or self._worse(outcome.fleet, control, standing.doubt):
            self._close(replace(_failed(standing, standing.adopted, self), adopted=0, doubt=Evidence()))
            return Ruling.ROLLED_BACK
        self._close(replace(standing, doubt=doubt), trial=self.record.trial)
        return None

    def _judge_trial(self, outcome: Outcome) -> Ruling | None:
        canary, trial, standing = outcome.canary, self.record.trial, self.record.standing
        if canary is None or trial is None:
            return None
        evidence = trial.evidence
        if trial.windows >= SETTLING:
            evidence = _after(evidence, canary, outcome.fleet)
        trial = replace(trial, windows=trial.windows + 1, evidence=evidence)
        held = evidence.attainment >= -self.promise.slack * evidence.windows
        if self._worse(canary, outcome.fleet, trial.evidence) or trial.windows >= self.promise.patience:
            self._close(_failed(standing, trial.notch, self))
            return Ruling.REJECTED
        if evidence.proves(self.promise.error) and evidence.goodput > 0 and held:
            self._close(replace(standing, adopted=trial.notch, doubt=Evidence()))
            return Ruling.ADOPTED
        self._close(standing, trial=trial)
        return None

    def _close(self, standing: Standing, *, trial: Trial | None = None) -> None:
        standings = {**self.record.standings, self.record.regime or "": standing}
        self.record = replace(self.record, standings=standings, trial=trial)

    def _worse(self, one: Window, other: Window, before: Evidence) -> bool:
        """Whether a window is worse than another beyond what is tolerated, beyond the noise of counts, and beyond how
        much the two have differed `before`. A drop of `OBVIOUS` is always worse.
        """
        promise = self.promise
        noise = sqrt(1.0 / max(1, one.good) + 1.0 / max(1, other.good))
        if -gained(one, other) > max(promise.loss, promise.sure * noise):
            return True
        usual = before.deviation if before.windows >= DOUBTFUL else 0.0
        asked = (one.ended + one.refused, other.ended + other.refused)
        return missed_more((one.good, asked[0]), (other.good, asked[1]), promise=promise, usual=usual)


def missed_more(one: tuple[int, int], other: tuple[int, int], *, promise: Promise, usual: float = 0.0) -> bool:
    """Whether of (good, asked) requests the first kept fewer than the other, beyond what is tolerated, beyond the noise
    of counts, and beyond the standard deviation that is `usual`. A drop of `OBVIOUS` always counts; no requests never.
    """
    if not one[1] or not other[1]:
        return False
    share = (one[0] + other[0]) / (one[1] + other[1])
    spread = sqrt(share * (1.0 - share) * (1.0 / one[1] + 1.0 / other[1]))
    missed = other[0] / other[1] - one[0] / one[1]
    return missed > min(OBVIOUS, max(promise.missed, promise.sure * spread, promise.sure * usual))


def gained(one: Window, other: Window) -> float:
    """Goodput of one above the other's, over the larger, in [-1, 1]; 0 where neither has any."""
    most = max(one.goodput, other.goodput)
    return (one.goodput - other.goodput) / most if most else 0.0


def lost(one: Window, other: Window) -> float:
    """Attainment of the other above one's; 0 where either is unknown."""
    if one.attainment is None or other.attainment is None:
        return 0.0
    return other.attainment - one.attainment


def _after(evidence: Evidence, one: Window, other: Window) -> Evidence:
    if one.attainment is None or other.attainment is None:
        return evidence
    return evidence.after(goodput=gained(one, other), attainment=-lost(one, other))


def _failed(standing: Standing, notch: int, shield: Shield) -> Standing:
    """The notch rests, longer each time."""
    strikes = standing.resting[notch].strikes + 1 if notch in standing.resting else 1
    until = shield.record.window + 1 + shield.promise.rest * 2 ** min(strikes - 1, 5)
    return replace(standing, resting={**standing.resting, notch: Rest(until, strikes)})
