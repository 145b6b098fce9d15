"""What is really there: ready, starting and unschedulable replicas, and how long starts took.

What is NOT promised: that a start is forgotten when its pod is. Observed starts are kept, the last fifty, as long as
the pod template stays the same; another template starts anew, because its starts may differ.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from foretide.operator.gates import SLEEPERS, Nap, is_gated, nap_of
from foretide.operator.seams import Body
from foretide.operator.times import timestamp
from foretide.policies.coldstart import learned
from foretide.policies.flow import ColdStart

KEPT_STARTS = 50
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
TEMPLATE_LABELS = ("pod-template-hash", "controller-revision-hash")


@dataclass(frozen=True, slots=True)
class Replica:
    """One living pod of a target."""

    name: str
    template: str
    ready: bool
    unschedulable: bool
    terminating: bool
    ready_at: float | None
    """Since when it is ready; None where it is not, or does not say."""
    deletion_cost: str
    """As annotated by whomever; empty where nobody did."""
    started_s: float | None
    """Seconds from creation to its becoming ready; None where it is not, or once was and came back."""
    gated: bool = False
    """Whether its template names our readiness gate."""
    nap: Nap = Nap.NONE
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    ready: int
    starting: int
    unschedulable: int
    asleep: int = 0
    lost: int = 0


def replicas(pods: Iterable[Body]) -> tuple[Replica, ...]:
    """The pods that have not ended, by name."""
    living = (pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"))
    return tuple(sorted((_replica(pod) for pod in living), key=lambda replica: replica.name))


def counts(found: Sequence[Replica]) -> Counts:
    """Terminating pods count nowhere: they serve no new request."""
    present = [replica for replica in found if not replica.terminating]
    ready = sum(replica.ready for replica in present)
    stuck = sum(replica.unschedulable for replica in present)
    asleep = sum(replica.nap in SLEEPERS and not replica.ready for replica in present)
    lost = sum(replica.nap is Nap.LOST for replica in present)
    return Counts(ready, len(present) - ready - stuck - asleep - lost, stuck, asleep, lost)


class Starts:
    """Cold starts of one target, observed as its pods become ready."""

    def __init__(self, prior: ColdStart) -> None:
        self._prior = prior
        self._template = ""
        self._seconds: dict[str, float] = {}

    def watch(self, found: Sequence[Replica]) -> None:
        """Takes in the starts of the newest template among the pods."""
        present = [replica for replica in found if not replica.terminating and replica.template]
        if not present:
            return
        newest = _majority([replica.template for replica in present])
        if newest != self._template:
            self._template, self._seconds = newest, {}
        for replica in present:
            if replica.started_s is not None and replica.template == newest:
                self._seconds.setdefault(replica.name, replica.started_s)
        for name in list(self._seconds)[:-KEPT_STARTS]:
            del self._seconds[name]

    def cold_start(self) -> ColdStart:
        """The prior, moved by what was observed."""
        return learned(self._prior, tuple(self._seconds.values()))


def _majority(templates: Sequence[str]) -> str:
    """The template of most pods; during a rollout the tie goes to the later name, so that it is settled."""
    return max(sorted(set(templates)), key=templates.count)


def _replica(pod: Body) -> Replica:
    meta, status = pod.get("metadata") or {}, pod.get("status") or {}
    labels = meta.get("labels") or {}
    conditions = {item.get("type"): item for item in status.get("conditions") or []}
    ready, scheduled = conditions.get("Ready") or {}, conditions.get("PodScheduled") or {}
    is_ready, gated = ready.get("status") == "True", is_gated(pod)
    return Replica(
        name=str(meta.get("name") or ""),
        template=next((str(labels[name]) for name in TEMPLATE_LABELS if name in labels), ""),
        ready=is_ready,
        unschedulable=scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable",
        terminating=bool(meta.get("deletionTimestamp")),
        ready_at=timestamp(ready.get("lastTransitionTime")) if is_ready else None,
        deletion_cost=str((meta.get("annotations") or {}).get(DELETION_COST) or ""),
        # A gate that opens again after a nap makes no start of it: then the containers tell.
        started_s=_started(meta, status, conditions.get("ContainersReady") or {} if gated else ready)
        if is_ready
        else None,
        gated=gated,
        nap=nap_of(conditions),
        ip=str(status.get("podIP") or ""),
    )


def _started(meta: Body, status: Body, ready: Body) -> float | None:
    created, since = timestamp(meta.get("creationTimestamp")), timestamp(ready.get("lastTransitionTime"))
    restarted = any(item.get("restartCount") for item in status.get("containerStatuses") or [])
    if created is None or since is None or restarted:
        return None
    return max(0.0, since - created)
