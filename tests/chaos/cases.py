"""The faults, each with what must come of it. A run is: a standing wish to move, the fault, its end, the next move."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from chaos import deeds
from chaos.behaviours import (
    GARBAGE,
    HTML,
    Frozen,
    answers,
    delays,
    doing,
    drips,
    error_event,
    first_matching,
    floods,
    half_of_the_pods,
    hangs,
    nothing,
    part,
    resets,
    rewrites,
    shifted,
    valued,
    watch_says,
)
from chaos.rig import Rig
from chaos.shim import Rule


class Wish(StrEnum):
    """What the operator wants to do while the fault lasts, and must not, cannot, or still does."""

    LOWER = "lower"
    """Far too many replicas stand; only mode Recommend keeps them, and goes as the fault is on."""
    RAISE = "raise"
    """Somebody takes most replicas away as the fault begins."""
    OBEY = "obey"
    """The owner asks for a higher minimum while the fault lasts."""


@dataclass(frozen=True)
class Fault:
    name: str
    numbers: str
    """Of the forty faults in docs/chaos.md."""
    wish: Wish
    expected: str
    begin: Callable[[Rig], None]
    end: Callable[[Rig], None]
    lasts_s: float | None = None
    blind: bool = False
    """Metrics are missing, stale or lying: nothing at all may be lowered."""
    quick: bool = False
    early: bool = False
    """The wish stands before the fault begins, since nothing can be told to the cluster afterwards."""
    operators: int = 1


NO_MOVE = "nothing is lowered"
LATER = "acts once the fault is over"
RELISTED = "the edit is obeyed by relist, or after a restart"


def api(
    name: str, numbers: str, rule: Rule, *, wish: Wish = Wish.RAISE, expected: str = LATER, **more: object
) -> Fault:
    """A fault between the operator and its API server."""

    def begin(rig: Rig) -> None:
        rig.operator.api.be(rule)

    def end(rig: Rig) -> None:
        rig.operator.api.be(None)

    return Fault(f"API server: {name}", numbers, wish, expected, begin, end, **more)  # type: ignore[arg-type]


def metrics(name: str, numbers: str, rule: Callable[[], Rule], **more: object) -> Fault:
    """A fault between the operator and its Prometheus; the rule is made as the fault begins."""

    def begin(rig: Rig) -> None:
        rig.operator.prometheus.be(rule())

    def end(rig: Rig) -> None:
        rig.operator.prometheus.be(None)

    return Fault(f"Prometheus: {name}", numbers, Wish.LOWER, NO_MOVE, begin, end, blind=True, **more)  # type: ignore[arg-type]


INFA = "/inferenceautoscalers?"
LIST, WATCHES = part(INFA, watches=False), part(INFA, watches=True)
SCALE = part("/scale", method="PATCH")
LEASES = part("/leases")

NONE = Fault(
    "none", "-", Wish.LOWER, "lowers: what the other runs must not do", deeds.nothing, deeds.nothing, quick=True
)
API = (
    api("500 to all", "10 11", doing(answers(500))),
    api("503 to all", "10 11", doing(answers(503))),
    api("429 to all, Retry-After 5", "17", doing(answers(429, retry_after="5"))),
    api("401 to all", "15", doing(answers(401))),
    api("403 to all", "22", doing(answers(403))),
    api("403 to scale writes", "22", doing(answers(403), to=SCALE)),
    api("403 to leases", "22", doing(answers(403), to=LEASES)),
    api("409 to scale writes", "21", doing(answers(409), to=SCALE)),
    api("half-open", "19", doing(hangs), quick=True),
    api("resets", "-", doing(resets)),
    api("garbage for JSON", "14", doing(answers(200, GARBAGE))),
    api("a proxy's page for JSON", "14", doing(answers(200, HTML, content_type="text/html"))),
    api("64 MiB bodies", "-", doing(floods)),
    api("slow drip", "20", doing(drips())),
    api("2 s late", "20", doing(delays(2.0))),
    api("leases 12 s late", "5", doing(delays(12.0), to=LEASES), lasts_s=15.0),
    api("LIST 500", "10", doing(answers(500), to=LIST), wish=Wish.OBEY, expected=RELISTED),
    api("WATCH 500", "11", doing(answers(500), to=WATCHES), wish=Wish.OBEY, expected=RELISTED),
    api(
        "WATCH says ERROR 500", "12", doing(watch_says(error_event(500)), to=WATCHES), wish=Wish.OBEY, expected=RELISTED
    ),
    api("WATCH says garbage", "13", doing(watch_says(GARBAGE), to=WATCHES), wish=Wish.OBEY, expected=RELISTED),
    api(
        "WATCH says 410 for ever",
        "16",
        doing(watch_says(error_event(410)), to=WATCHES),
        wish=Wish.OBEY,
        expected=RELISTED,
    ),
    api("WATCH is silent", "19", doing(hangs, to=WATCHES), wish=Wish.OBEY, expected=RELISTED),
    api(
        "a page on LIST, 401 on WATCH",
        "14 15",
        first_matching(doing(answers(200, HTML), to=LIST), doing(answers(401), to=WATCHES)),
        wish=Wish.OBEY,
        expected=RELISTED,
    ),
)
METRICS = (
    metrics("500", "24", lambda: doing(answers(500))),
    metrics("503", "24", lambda: doing(answers(503))),
    metrics("429, Retry-After 5", "-", lambda: doing(answers(429, retry_after="5"))),
    metrics("401", "-", lambda: doing(answers(401))),
    metrics("half-open", "19", lambda: doing(hangs)),
    metrics("resets", "24", lambda: doing(resets)),
    metrics("garbage for JSON", "-", lambda: doing(answers(200, GARBAGE))),
    metrics("a proxy's page for JSON", "-", lambda: doing(answers(200, HTML, content_type="text/html"))),
    metrics("64 MiB bodies", "-", lambda: doing(floods)),
    metrics("slow drip", "-", lambda: doing(drips())),
    metrics("an empty answer", "25", lambda: doing(rewrites(nothing)), quick=True),
    metrics("half of the pods are missing", "26", lambda: doing(rewrites(half_of_the_pods))),
    metrics("every value NaN", "-", lambda: doing(rewrites(valued("NaN")))),
    metrics("every value -1", "-", lambda: doing(rewrites(valued("-1")))),
    metrics("every value +Inf", "-", lambda: doing(rewrites(valued("+Inf")))),
    metrics("samples of an hour ago", "-", lambda: doing(rewrites(shifted(-3600.0)))),
    metrics("samples of the next hour", "-", lambda: doing(rewrites(shifted(3600.0)))),
    metrics("nothing newer than the fault", "-", lambda: doing(rewrites(Frozen()))),
)
PROCESSES = (
    Fault(
        "operator: SIGKILL and restart", "1 2", Wish.RAISE, LATER, deeds.kill, deeds.nothing, lasts_s=1.0, quick=True
    ),
    Fault(
        "operator: SIGSTOP beyond its lease, then SIGCONT; a standby leads",
        "3",
        Wish.RAISE,
        "the standby acts, the sleeper wakes and ends without a write",
        deeds.sleep,
        deeds.wake,
        lasts_s=25.0,
        operators=2,
    ),
    Fault(
        "operator: the leader of two is killed for good",
        "1",
        Wish.RAISE,
        "the standby acts after a lease",
        deeds.kill_for_good,
        deeds.nothing,
        lasts_s=1.0,
        operators=2,
    ),
    Fault("operator: wall clock +1 h", "6", Wish.LOWER, NO_MOVE, deeds.hour(1), deeds.hour(0), blind=True),
    Fault("operator: wall clock -1 h", "6", Wish.LOWER, NO_MOVE, deeds.hour(-1), deeds.hour(0), blind=True),
    Fault("API server: token expired, a new one in its file", "23", Wish.RAISE, LATER, deeds.expire, deeds.renew),
    Fault("API server: SIGSTOP", "8", Wish.RAISE, LATER, deeds.stop_api, deeds.continue_api, early=True),
    Fault("etcd: SIGSTOP", "9", Wish.RAISE, LATER, deeds.stop_etcd, deeds.continue_etcd, early=True),
    Fault(
        "Prometheus: stopped, back with a hole",
        "24",
        Wish.LOWER,
        NO_MOVE,
        deeds.stop_prometheus,
        deeds.start_prometheus,
        blind=True,
    ),
    Fault(
        "Prometheus: stopped, back empty",
        "25",
        Wish.LOWER,
        NO_MOVE,
        deeds.wipe_prometheus,
        deeds.start_prometheus,
        blind=True,
    ),
)
FAULTS = (NONE, *PROCESSES, *API, *METRICS)
