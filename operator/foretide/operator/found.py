"""What a metric source has of a resource's signals now, and what Foretide does without those that are not there.

What is NOT promised: that what was found means what its name says, or that it will still be there tomorrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from foretide.operator.engines.preset import NEEDED, Preset
from foretide.operator.resource import Resource
from foretide.operator.seams import MetricsSource, Scrape
from foretide.operator.signals import PodSeries, meanings, pod_series, selector, words_of
from foretide.policies.demand import FUTURE_TOLERANCE_S
from foretide.policies.flow import Trust

LOOKED_BACK_S = 300.0
"""At least: a signal that was there a few minutes ago is old, not missing."""
SHOWN = ("held", "rejected", "aborted", "gap_s", "gaps", "kv_use", "ttft_s")
NO_DEMAND = "demand cannot be read; replicas may only rise"
WITHOUT: Mapping[str, str] = {
    "held": "nothing is taken to wait at the gateway, as without flow control",
    "rejected": "while queues stand, more may be asked for than is seen, and replicas only rise",
    "aborted": "requests whose client went away are not told apart",
    "gap_s": "the speed of replicas is not learned; that of the profile is used",
    "gaps": "the speed of replicas is not learned; that of the profile is used",
    "kv_use": "nothing is lost; it decides nothing yet",
    "ttft_s": "nothing is lost; it decides nothing yet",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One signal: `series` and the age of the newest sample in seconds, None where there is none."""

    word: str
    metric: str
    """The name that it was found under, else the preferred one; empty where the engine has none."""
    series: int
    age_s: float | None
    without: str
    """What is done without it; empty where it was found."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether demand can be read, and why, in one line."""

    decides: bool
    message: str
    signals: tuple[Found, ...]


async def found_signals(source: MetricsSource, resource: Resource, *, now: float, scrape_s: float) -> Verdict:
    """Every signal of the resource's engine, and whether Foretide can decide by them."""
    lens, window = resource.lens, max(LOOKED_BACK_S, 4 * scrape_s)
    space = resource.key.namespace
    promql = selector([space], words=(*NEEDED, *SHOWN), pods_of=resource.told_by, preset=lens.preset, model=lens.model)
    scrape = await source.query(f"{promql}[{round(window * 1000)}ms]", at=now)
    decides, message = _verdict(pod_series(scrape, preset=lens.preset), resource, now, scrape_s)
    return Verdict(decides, message, _signals(scrape, lens.preset, now))


def _verdict(series: PodSeries, resource: Resource, now: float, scrape_s: float) -> tuple[bool, str]:
    space, preset = resource.key.namespace, series.preset
    if series.trust not in (Trust.FRESH, Trust.PARTIAL):
        return False, series.why
    told = {pod for where, pod in (*series.pods, *series.lacking) if where == space}
    ages = [now - float(samples.at[-1]) for samples in series.of(space, told).values()]
    if not ages:
        named = "gateway" if preset.gateway else "engine"
        what = f"no {named} of {space}/{resource.lens.gateway or resource.pool.target.name} reports"
        fix = "check that the source scrapes the pods with labels namespace and pod"
        return False, series.lacks(space, told) or "; ".join(filter(None, (what, preset.hint, fix)))
    if min(ages) < -FUTURE_TOLERANCE_S:
        return False, f"samples are {-min(ages):.0f} s ahead of this clock; set the clocks"
    if min(ages) > 2 * scrape_s:
        return False, f"the newest sample is {min(ages):.0f} s old, scrapes come every {scrape_s:g} s"
    return True, f"demand can be read: {len(ages)} of {len(told)} pods, newest sample {max(0.0, min(ages)):.0f} s old"


def _signals(scrape: Scrape, preset: Preset, now: float) -> tuple[Found, ...]:
    found: dict[str, list[tuple[int, float]]] = {}
    meant = words_of(preset)
    for one in scrape.series:
        for word, rank, part in meanings(one, meant):
            if len(part.at):
                found.setdefault(word, []).append((rank, now - float(part.at[-1])))
    absent = dict(preset.absent)
    words = [*NEEDED, *(word for word in SHOWN if preset.metrics(word) or word in absent)]
    return tuple(_found(word, preset, found.get(word, []), absent.get(word, "")) for word in words)


def _found(word: str, preset: Preset, seen: list[tuple[int, float]], absent: str) -> Found:
    """Of several names for one thing, the preferred one that was found."""
    if not seen:
        told = preset.preferred(word) if preset.metrics(word) else ""
        return Found(word, told, 0, None, absent or WITHOUT.get(word, NO_DEMAND))
    rank = min(rank for rank, _ in seen)
    ages = [age for other, age in seen if other == rank]
    return Found(word, str(preset.metrics(word)[rank]), len(ages), min(ages), "")
