"""What one life of the operator knows about one resource, from turn to turn.

All of it may be lost at any time: a new life starts from the status, the metric history and the first-life rule.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from foretide.forecaster.announced import Notebook
from foretide.operator import contests, scorecards, warm_book
from foretide.operator.look import Look
from foretide.operator.naps import Naps
from foretide.operator.placeholders import Held
from foretide.operator.pods import Starts
from foretide.operator.registry import Entry
from foretide.operator.seams import Key
from foretide.operator.settings import Settings
from foretide.operator.speeds import Paced, remembered
from foretide.policies.contest import Contest, restarted
from foretide.policies.flow import ColdStart, DemandForecast, DemandHistory, Forecaster, Memory, ServiceModel
from foretide.policies.overflow import Usual, usual
from foretide.policies.scorecard import Scorecard
from foretide.policies.warm.account import WarmAccount
from foretide.policies.warm.ladder import ZERO


@dataclass(slots=True)
class Target:
    """Mutable; owned by the loop."""

    uid: str
    memory: Memory
    forecaster: Forecaster
    starts: Starts
    history: DemandHistory | None = None
    past_read: bool = False
    notebook: Notebook = field(default_factory=Notebook)
    """What events of its schedule have taught."""
    forecast: DemandForecast | None = None
    service: ServiceModel | None = None
    paced: Paced = field(default_factory=Paced)
    """How fast its replicas are, as learned."""
    scorecard: Scorecard | None = None
    """What the present count and Foretide's own would have cost and kept."""
    naps: Naps = field(default_factory=Naps)
    """Of its last replica, where its engine can sleep."""
    held: Held = field(default_factory=Held)
    """Nodes held for it."""
    begins: str = ZERO
    """The tier from which the next start begins, or the one under way began."""
    warm: WarmAccount | None = None
    """What its warmth has cost; None before the first look."""
    usual: Usual = field(default_factory=usual)
    """What lengths of requests were like."""
    contest: Contest = field(default_factory=Contest)
    """Whether somebody else writes the same replicas."""
    look: Look | None = None
    pods: dict[str, float] = field(default_factory=dict)
    """Names of pods of this target -> when each was last there."""
    status: Mapping[str, Any] = field(default_factory=dict)
    """As last written, or as found at the start."""
    status_at: float = float("-inf")
    planned_at: float = float("-inf")
    halves: "tuple[Target, Target] | None" = None
    """Of two pools: what is known of the prefill pool and of the decode pool alone."""
    busy: bool = False
    """A plan of this target is under way; the fast pass leaves it alone."""

    def saw(self, look: Look, *, now: float, keep_s: float) -> None:
        """Takes in a look: the pods that are there, and those that were until lately."""
        self.look = look
        self.starts.watch(look.replicas)
        self.pods |= {replica.name: now for replica in look.replicas}
        self.pods = {name: at for name, at in self.pods.items() if now - at <= keep_s}


def halves_of(target: Target, entry: Entry, settings: Settings) -> tuple[Target, Target]:
    """The two pools of a target, made when first needed."""
    if target.halves is None:
        target.halves = (_half(target, entry, settings), _half(target, entry, settings))
    return target.halves


def _half(target: Target, entry: Entry, settings: Settings) -> Target:
    prior = ColdStart(settings.cold_start_median_s, settings.cold_start_sigma)
    half = Target(entry.uid, Memory(target.memory.watching_since), target.forecaster, Starts(prior))
    half.contest = contests.remembered(entry.status, resume=entry.resource.resume if entry.resource else "")
    return half


class Targets:
    """The targets of this life, made when first needed and dropped with their resource."""

    def __init__(self, settings: Settings, *, new_forecaster: Callable[[Key], Forecaster]) -> None:
        self._settings = settings
        self._new_forecaster = new_forecaster
        self._targets: dict[Key, Target] = {}

    def of(self, entry: Entry, *, now: float) -> Target:
        """The target of an entry; a resource created anew under an old name starts anew."""
        target = self._targets.get(entry.key)
        if target is None or target.uid != entry.uid:
            prior = ColdStart(self._settings.cold_start_median_s, self._settings.cold_start_sigma)
            target = Target(entry.uid, Memory(now), self._new_forecaster(entry.key), Starts(prior), status=entry.status)
            target.paced.speed = remembered(entry.status)
            target.warm = warm_book.remembered(entry.status, now=now)
            target.scorecard = scorecards.remembered(entry.status)
            target.contest = contests.remembered(entry.status, resume=entry.resource.resume if entry.resource else "")
            target.notebook = Notebook(season_s=self._settings.season_s)
            self._targets[entry.key] = target
        return target

    def known(self, key: Key) -> Target | None:
        return self._targets.get(key)

    def keep_only(self, keys: Collection[Key]) -> tuple[Key, ...]:
        """Drops the targets of resources that are gone; returns which."""
        gone = tuple(key for key in self._targets if key not in keys)
        for key in gone:
            del self._targets[key]
        return gone

    def forget_what_was_watched(self, *, now: float) -> None:
        """After a jump of the clock, every target watches a full window again before it may go down."""
        halves = (half for target in self._targets.values() for half in target.halves or ())
        for target in (*self._targets.values(), *halves):
            target.memory = Memory(now)
            target.contest = restarted(target.contest, at=now)
            # Times of the other clock would keep status and events back until this one has caught up.
            target.status_at = target.planned_at = float("-inf")
