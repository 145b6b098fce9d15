"""The fast pass: how many replicas the live backlog asks for. It only ever adds.

How many requests run is not looked at: how many a replica may run depends on their lengths, and a limit that was
measured with other lengths once ordered a thousand replicas for nothing.

What is NOT promised: relief before a cold start is over. A queue that will be gone by then orders nothing.
"""

from foretide.policies.accepted_risk import fewest_carrying
from foretide.policies.ahead import recent_work
from foretide.policies.flow import Evidence, Trust

NOTICEABLE_S = 1.0
"""A backlog of less than this much work per ready replica is the ordinary breathing of a batch, not a queue."""


def relief_count(evidence: Evidence) -> tuple[int, str]:
    """The count that carries the present demand and drains the queue within one cold start, and why, in words."""
    backlog, pool, service = evidence.backlog, evidence.pool, evidence.service
    if backlog is None or backlog.waiting is None or backlog.trust not in (Trust.FRESH, Trust.PARTIAL):
        return pool.desired, "the live backlog could not be read"
    asked = bool(backlog.waiting or backlog.running)
    if asked and pool.asleep and not pool.ready:
        return pool.desired, f"{backlog.waiting:.0f} requests wait for a replica that sleeps"
    if asked and pool.desired == pool.lost:
        # What was to wake and did not is nobody's path: the next colder tier is a start of its own.
        return pool.desired + 1, f"{backlog.waiting:.0f} requests wait for a first replica"
    queued = backlog.waiting * service.waiting_work_s
    if queued <= NOTICEABLE_S * max(1, pool.ready):
        return pool.desired, f"{backlog.waiting:.0f} requests wait, which the running replicas absorb"
    lead = evidence.cold_start.quantile(0.5)
    work = recent_work(evidence.history, service) + queued / max(lead, evidence.history.step)
    wanted = fewest_carrying(work, service.capacity, most=pool.max_replicas)
    wanted = min(wanted, max(pool.max_replicas, pool.desired))
    text = f"{backlog.waiting:.0f} requests wait: {queued:.0f} replica-seconds of work beside the arrivals"
    return max(wanted, pool.desired), text
