"""Replays what the real controller was told through our own sync, at the controller's own times, and compares.

Where a remembered moment lies as near to the edge of a window as CLOCK_S, either side of it may be right, since the log
is written a moment before or after the clock is read for the decision. Then every count that either reading gives is
carried on, until what was decided rules one of them out; such syncs are counted as unsure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hpa_recording import Recording, Sync
from hpa_series import DOWNSCALE_S, Case, units

from foretide.policies.flow import Memory
from foretide.simulator.horizontal import Limits, sync
from foretide.simulator.hpa_metrics import average_value, pods_metric

CLOCK_S = 0.05
Outcome = tuple[int, Memory]


@dataclass(slots=True)
class Compared:
    """Counts of syncs, and what differed."""

    series: int = 0
    syncs: int = 0
    """Of which the count that was decided has been compared."""
    unsure: int = 0
    """Where two readings of the clock give two counts; the decided one is among them."""
    metrics: int = 0
    """Of which the count that the metric asks for has been compared."""
    unsure_metrics: int = 0
    """Where the status that was read is not known for sure, and two give two counts."""
    scaled: int = 0
    held_back: int = 0
    """The metric asked for something else than was decided."""
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.series} series, {self.syncs} syncs, {len(self.differences)} differ, {self.unsure} unsure; "
            f"metric compared in {self.metrics}, {self.unsure_metrics} unsure; "
            f"{self.scaled} changed the count, {self.held_back} were held back"
        )


def compare(case: Case, recording: Recording, compared: Compared) -> None:
    """Adds all syncs of one HPA to `compared`."""
    limits = Limits(case.minimum, case.maximum, case.behavior, float(DOWNSCALE_S))
    memories: list[Memory | None] = [None]
    before = case.begins_with
    compared.series += 1
    for one in recording.syncs(case.name):
        if one.current != before:
            compared.differences.append(f"{case.name}: finds {one.current} where {before} was decided: {one}")
        before = one.decided
        _compare_metric(case, one, recording, compared)
        found = list(dict.fromkeys(outcome for memory in memories for outcome in _outcomes(limits, one, memory)))
        compared.syncs += 1
        compared.unsure += len({count for count, _ in found}) > 1
        compared.scaled += one.decided != one.current
        compared.held_back += one.wanted is not None and one.decided != one.wanted
        memories = [memory for count, memory in found if count == one.decided]
        if not memories:
            wrong = sorted({count for count, _ in found})
            compared.differences.append(f"{case.name}: {wrong} instead of {one.decided}: {one}, {limits}")
            return


def _compare_metric(case: Case, one: Sync, recording: Recording, compared: Compared) -> None:
    if one.question is None:
        return
    real = case.kind == "Deployment"
    statuses = recording.statuses_about(case.name, one.question.at) if real else {one.question.status}
    wanted = {_wanted(case, one, status) for status in statuses}
    compared.metrics += 1
    compared.unsure_metrics += len(wanted) > 1
    if one.wanted not in wanted:
        compared.differences.append(f"{case.name}: metric wants {wanted} instead of {one.wanted}: {one}")


def _wanted(case: Case, one: Sync, status: int) -> int | None:
    """What the metric asks for; None where there is none."""
    assert one.question is not None
    told, target = one.question.told, case.target_milli / 1000
    if not told:
        return None
    if case.metric == "external":
        return average_value(total=units(*told.values()), target=target, current=status)
    phases = {f"{case.name}-{number}": phase for number, phase in enumerate(case.phases)}
    used = [units(value) for pod, value in told.items() if phases[pod] == "Running"]
    if not used:
        return None
    missing = sum(phase == "Running" and pod not in told for pod, phase in phases.items())
    return pods_metric(
        used=used, target=target, current=one.current, missing=missing, unready=case.phases.count("Pending")
    )


def _outcomes(limits: Limits, one: Sync, memory: Memory | None) -> Iterator[Outcome]:
    """What our sync decides, and remembers, if the clock was read a little earlier or later than the log says."""
    for late in (0.0, -CLOCK_S, CLOCK_S):
        now = one.at + late
        done = sync(limits, now=now, current=one.current, wanted=one.wanted, memory=memory)
        yield done.replicas, _at_the_times_of_the_log(done.memory, now, one)


def _at_the_times_of_the_log(memory: Memory, now: float, one: Sync) -> Memory:
    return replace(
        memory,
        watching_since=0.0,
        recommendations=tuple(replace(past, at=one.at) if past.at == now else past for past in memory.recommendations),
        events=tuple(replace(past, at=one.scaled_at or one.at) if past.at == now else past for past in memory.events),
    )
