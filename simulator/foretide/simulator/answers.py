"""What a policy says, taken at its word only if it makes sense: a count is a whole number within the scenario's limits.

Promised: whatever a policy answers, or raises, a run goes on as it should or ends with one line that names the policy,
the time and what was said. NOT promised: an end where a policy itself never comes back.
"""

from dataclasses import replace
from math import isfinite
from numbers import Integral, Real

from foretide.simulator.autoscaler import Autoscaler, Choice, View

SHORTEST_S = 0.1
"""An interval below this would keep a run from ever coming to its end."""
SHOWN = 60


class BadPolicy(ValueError):
    """A policy that says what no policy may say: who and when, what it said, and what it may say instead."""

    def __init__(self, field: str, value: str, fix: str) -> None:
        super().__init__(field, value, fix)
        self.field, self.value, self.fix = field, value, fix

    def __str__(self) -> str:
        return f"{self.field}: {self.value}: {self.fix}"


def answer(autoscaler: Autoscaler, view: View, *, at: float, most: int) -> Choice:
    """The policy's choice at `at` seconds of the run, its count an int in [0, max(most, present)].

    Raises BadPolicy.
    """
    when = f"policy {name_of(autoscaler)} at {at:g} s"
    try:
        choice = autoscaler.decide(view)
    except Exception as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise BadPolicy(when, _shown(said), "it raised this instead of deciding; mend the policy") from error
    if not isinstance(choice, Choice):
        raise BadPolicy(when, _shown(repr(choice)), "decide must return a Choice")
    if not isinstance(choice.code, str) or not isinstance(choice.text, str):
        raise BadPolicy(when, _shown(repr((choice.code, choice.text))), "give a reason in one word and in words")
    if choice.replicas is None:
        return choice
    return replace(choice, replicas=_count(choice.replicas, most=max(most, view.desired), when=when))


def first_count(autoscaler: Autoscaler, *, usual: int, most: int) -> int:
    """Replicas that a run begins with: the policy's own number, or the usual one. Raises BadPolicy."""
    wanted = autoscaler.begins_with
    if wanted is None:
        return usual
    return _count(wanted, most=most, when=f"policy {name_of(autoscaler)} at the start")


def interval_of(autoscaler: Autoscaler) -> float:
    """Seconds between two calls of a policy. Raises BadPolicy."""
    said = autoscaler.interval_s
    if isinstance(said, Real) and isfinite(said) and said >= SHORTEST_S:
        return float(said)
    fix = f"interval_s must be a finite number of seconds, at least {SHORTEST_S:g}"
    raise BadPolicy(f"policy {name_of(autoscaler)} at the start", _shown(repr(said)), fix)


def name_of(autoscaler: Autoscaler) -> str:
    return str(getattr(autoscaler, "name", type(autoscaler).__name__))


def _count(said: object, *, most: int, when: str) -> int:
    if isinstance(said, Integral) and not isinstance(said, bool) and 0 <= int(said) <= most:
        return int(said)
    raise BadPolicy(when, _shown(repr(said)), f"replicas must be a whole number from 0 to {most}, or None")


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
