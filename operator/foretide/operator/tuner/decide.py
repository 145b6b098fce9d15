"""From one window to the limit of the next, and the words for it. Pure: nothing is read or written here.

With `Rule` the number reaches all replicas, and n* is set and held against the windows before (`in_time`). With `Learn`
the canary's pods are one slot: the shield's canary while it tries, its control at n* while something is adopted. So
nothing is tried while something is adopted; a second slot would be needed for both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from foretide.operator.times import written_time
from foretide.operator.tuner.memory import Memory
from foretide.policies.concurrency import in_time
from foretide.policies.concurrency.in_time import Terms, Verdict, is_apart
from foretide.policies.concurrency.limit_rule import Rule
from foretide.policies.concurrency.safe_bayes import SafeBayes, Surrogate
from foretide.policies.concurrency.shield import Outcome, Plan, Promise, Ruling, Shield
from foretide.policies.concurrency.window import Agent, Bounds, Window

REMEMBERED_WINDOWS = 96
"""Of the agent: they have to fit into a status."""
CONTROL, CANARY = "control", "canary"
STATES = {
    Verdict.WATCHING: "Waiting",
    Verdict.CHANGE: "OnTrial",
    Verdict.ON_TRIAL: "OnTrial",
    Verdict.ROLLING_OUT: "OnTrial",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to set, what to remember once it is set, and why. None leaves a number as it is."""

    memory: Memory
    state: str
    reason: str
    message: str
    baseline: int | None = None
    limit: int | None = None
    canary: int | None = None
    otherwise: Memory | None = None
    """What to remember where nothing is set after all."""

    @property
    def unset(self) -> Memory:
        return self.memory if self.otherwise is None else self.otherwise


@dataclass(frozen=True, slots=True)
class Pods:
    """Of the fleet, now: which templates there are, and whether at least half of its pods are ready."""

    templates: frozenset[str] = frozenset()
    ready: bool = True


def by_rule(memory: Memory, seen: Window, *, rule: Rule, terms: Terms, pods: Pods, now: float) -> Decision:
    """After one window at the limit in force."""
    taken_in(rule, memory, seen)
    past = memory.past if memory.limit in (None, seen.limit) else in_time.Past()
    past = in_time.seen_pods(past, templates=pods.templates, ready=pods.ready)
    turn = in_time.turn(past, seen, rule=rule, terms=terms, now=now)
    memory = replace(memory, limit=seen.limit, past=turn.past, lengths=rule.state())
    waits_for = pods if terms.restart is not None else Pods()
    return replace(_ruled(memory, turn, seen.limit, waits_for, now=now), baseline=terms.bounds.clip(rule.unbounded))


def in_rollout(memory: Memory, *, limit: int, pods: Pods, now: float) -> Decision | None:
    """While pods are replaced there may be no window at all; None where none are."""
    past = in_time.seen_pods(memory.past, templates=pods.templates, ready=pods.ready)
    turn = in_time.rollout(past, now=now)
    return None if turn is None else _ruled(replace(memory, past=past), turn, limit, pods, now=now)


def taken_in(rule: Rule, memory: Memory, seen: Window) -> None:
    """The rule with the lengths known before, and those of one more window."""
    if memory.lengths is not None:
        rule.restore(memory.lengths)
    rule.act(seen)


def _ruled(memory: Memory, turn: in_time.Turn, limit: int, pods: Pods, *, now: float) -> Decision:
    past, words = turn.past, _words(turn, limit, now)
    if turn.verdict is Verdict.CHANGE and turn.limit is not None:
        old = tuple(sorted(pods.templates))
        past = in_time.begun(past, before=limit, after=turn.limit, now=now, templates=old)
    elif turn.verdict is Verdict.ROLL_BACK:
        past = in_time.taken_back(past, now=now)
        words += f"; n* rests until {written_time(past.rests_until)}"
    kept = turn.limit if turn.limit is not None else limit
    return Decision(
        replace(memory, past=past, limit=kept),
        STATES.get(turn.verdict, "Steady"),
        turn.verdict.value,
        words,
        limit=turn.limit,
        otherwise=replace(memory, past=turn.past, limit=limit),
    )


def _words(turn: in_time.Turn, limit: int, now: float) -> str:
    past, trial = turn.past, turn.past.trial
    told = {
        Verdict.WATCHING: f"watching {limit}: {len(past.windows)} of {in_time.FIRST} windows with requests were seen",
        Verdict.STEADY: f"{limit} is within a tenth of n*",
        Verdict.RESTING: f"n* lost against {limit} before and rests until {written_time(past.rests_until)}",
        Verdict.TOO_SOON: f"pods were restarted for a change {_ago(past, now)} ago; the next waits for changeInterval",
        Verdict.NOT_WORTH_IT: f"{limit} is not n*, but too rarely reached or too near to restart pods for it",
        Verdict.CHANGE: f"n* is {turn.limit}, not {limit}",
    }
    if trial is None:
        return told[turn.verdict]
    change = f"{trial.before} -> {trial.after}"
    if turn.verdict is Verdict.ROLLING_OUT:
        return f"{change}: pods are being replaced"
    if turn.verdict is not Verdict.ROLL_BACK:
        return f"{change} is on trial: {len(trial.windows)} of {in_time.TRIAL} windows seen, none worse than before"
    if not trial.rolled:
        return f"{change}: pods were not replaced within {in_time.STUCK_S / 60:.0f} min; {trial.before} again"
    return f"{change} kept {_share(trial.windows)} of requests, {_share(past.windows)} before; {trial.before} again"


def _ago(past: in_time.Past, now: float) -> str:
    return f"{max(0.0, now - (past.changed_at or now)) / 60:.0f} min"


def _share(windows: tuple[in_time.Kept, ...]) -> str:
    good, asked = (sum(column) for column in zip(*windows, strict=True)) if windows else (0, 0)
    return f"{good / asked:.1%}" if asked else "none"


@dataclass(frozen=True, slots=True)
class Pair:
    """The same window at the fleet and at the canary, and how many pods each has."""

    fleet: Window
    canary: Window
    fleet_pods: int
    canary_pods: int


Maker = Callable[[Rule, Bounds], Agent]
"""An agent that proposes under the shield, with a rule of its own."""


def bandit(rule: Rule, bounds: Bounds) -> Agent:
    return SafeBayes(rule, bounds=bounds, surrogate=Surrogate(kept=REMEMBERED_WINDOWS))


def by_learning(
    memory: Memory, seen: Pair, *, rule: Rule, terms: Terms, loss_budget: float, learner: Maker = bandit
) -> Decision:
    """After one window in which the canary had the role that the memory names. Another agent begins anew."""
    replicas = max(3, (seen.fleet_pods + seen.canary_pods) // max(1, seen.canary_pods))
    promise = Promise(replicas=replicas, loss_budget=loss_budget)
    agent = learner(_alike(rule), terms.bounds)
    shield = Shield(agent, rule, bounds=terms.bounds, promise=promise)
    learnt = memory.learnt if memory.learnt and memory.learnt.get("learner", "bandit") == agent.name else None
    if learnt is not None:
        shield.restore(learnt)
    ruling = shield.learn(_outcome(memory.role, seen)) if learnt is not None else Ruling.KEPT
    plan = shield.plan(seen.fleet)
    role = CONTROL if plan.control is not None else CANARY if plan.canary is not None else ""
    limit = _set(seen.fleet.limit, plan.fleet, terms, at_once=ruling in (Ruling.ADOPTED, Ruling.ROLLED_BACK))
    fleet = seen.fleet.limit if limit is None else limit
    slot = {CONTROL: plan.control, CANARY: plan.canary}.get(role) or fleet
    known: Any = {**shield.state(), "learner": agent.name}
    unset = replace(memory, limit=seen.fleet.limit, role="", learnt=None, lengths=rule.state())
    memory = replace(memory, limit=fleet, role=role, learnt=known, lengths=rule.state())
    state = "OnTrial" if role else "Steady" if rule.lengths is not None else "Waiting"
    words = _learnt(ruling, plan, role, slot, fleet)
    baseline = terms.bounds.clip(rule.unbounded)
    canary = slot if slot != seen.canary.limit else None
    return Decision(memory, state, ruling.value, words, baseline, limit, canary, otherwise=unset)


def _alike(rule: Rule) -> Rule:
    return Rule(rule.model, tpot_s=rule.tpot_s, bounds=rule.bounds)


def _outcome(role: str, seen: Pair) -> Outcome:
    return Outcome(seen.fleet, seen.canary if role == CONTROL else None, seen.canary if role == CANARY else None)


def _set(now: int, then: int, terms: Terms, *, at_once: bool) -> int | None:
    """A fleet's limit moves with lengths in steps of a tenth, and at once with a ruling."""
    return then if then != now and (at_once or is_apart(now, then, terms.bounds)) else None


def _learnt(ruling: Ruling, plan: Plan, role: str, slot: int, fleet: int) -> str:
    told = {
        Ruling.ADOPTED: f"the canary's limit is proven better: {fleet} for the fleet",
        Ruling.ROLLED_BACK: f"what was adopted did worse than n*: {fleet} for the fleet",
        Ruling.REJECTED: "the canary's limit was no better, and rests",
    }
    now = {
        CONTROL: f"the canary is the control at n* {slot}",
        CANARY: f"the canary tries {slot}",
        "": "nothing is tried",
    }[role]
    return "; ".join(filter(None, (told.get(ruling, f"the fleet runs {plan.fleet}"), now)))
