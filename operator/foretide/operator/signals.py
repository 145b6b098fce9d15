"""From a metric source's series to what the policies read: per-pod engine counters, the live backlog, the past.

All targets of a source that share an engine are read by one query. PromQL is built here from fixed templates; the only
parts that vary are namespaces, pod names and models, as escaped label values, and metric names of an engine's preset.
Names are understood with the colon that some pipelines turn into an underscore.

What is NOT promised: that labels are true. Whoever controls the scraping can forge them; see the threat model.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from foretide.operator.engines.preset import FURTHER, NEEDED, QUEUE, Labels, Metric, Preset, matches
from foretide.operator.engines.vllm import VLLM
from foretide.operator.seams import Scrape, Series
from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Backlog, DemandHistory, Floats, Trust, frozen

REPLICAS = frozenset({"prometheus_replica", "__replica__"})
"""Labels by which replicas of one Prometheus tell themselves apart: what they all report happened once."""
Parts = dict[str, dict[float, float]]
"""Of one pod: our word -> value by time."""
Meanings = Mapping[str, tuple[tuple[str, int, Metric], ...]]
"""A metric's name with underscores -> our words for it, each with the rank of that name and the labels that count."""


@dataclass(frozen=True, slots=True, eq=False)
class PodSeries:
    """The engines of one source, by namespace and pod, and how far the answer may be relied on."""

    pods: Mapping[tuple[str, str], EngineSamples]
    trust: Trust
    why: str = ""
    lacking: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Pods that report something and cannot be read -> the metrics that they lack, by their preferred names."""
    preset: Preset = VLLM

    def of(self, namespace: str, pods: Collection[str]) -> dict[str, EngineSamples]:
        """What tells the demand on these pods: themselves, or the gateway in front of them."""
        if self.preset.gateway:
            return {pod: samples for (space, pod), samples in self.pods.items() if space == namespace}
        # Asked for each target of thousands: looking each pod up costs its own pods, not everybody's.
        return {pod: self.pods[namespace, pod] for pod in sorted(pods) if (namespace, pod) in self.pods}

    def replicas(self, namespace: str, pods: Collection[str]) -> dict[str, EngineSamples]:
        """What each of these pods tells of itself; nothing where only a gateway reports."""
        return {} if self.preset.gateway else self.of(namespace, pods)

    def in_flight(self, namespace: str, pods: Collection[str]) -> dict[str, float]:
        """Requests that each engine had running and waiting at its newest sample."""
        seen = self.replicas(namespace, pods)
        return {pod: float(samples.running[-1] + samples.waiting[-1]) for pod, samples in seen.items()}

    def lacks(self, namespace: str, pods: Collection[str]) -> str:
        """What keeps pods that report something from being read, and the fix, in words; empty where nothing does."""
        if not self.lacking:
            return ""
        names = sorted({name for (space, pod), lack in self.lacking.items()
                        if space == namespace and (self.preset.gateway or pod in pods) for name in lack})  # fmt: skip
        if not names:
            return ""
        later = "counters appear with the first finished request" if self.preset.appears_with_use else ""
        told = f"the engines report, but without {', '.join(names)}: demand cannot be told from throughput"
        fix = ", or ".join(filter(None, (self.preset.hint, "name others in metrics.queries")))
        return "; ".join(filter(None, (told, later, fix)))

    def matching(self, namespace: str, prefix: str) -> set[str]:
        """Pods of a namespace whose names begin with `prefix-`."""
        return {pod for space, pod in self.pods if space == namespace and pod.startswith(f"{prefix}-")}


def selector(
    namespaces: Collection[str],
    *,
    words: Collection[str] = NEEDED,
    pods_of: str = "",
    preset: Preset = VLLM,
    model: str = "",
) -> str:
    """The one series selector for these namespaces; with `pods_of`, only for pods named after that workload.

    Where completions are asked for, so is what was turned away. With `model`, only what the preset's label for models
    gives that name, in any case of letters: gateways differ in how they write it.
    """
    names = "|".join(name.replace(":", "[:_]") for name in preset.names(words))
    spaces = "|".join(escaped_regex(name) for name in sorted(set(namespaces)))
    pods = f'pod=~"{escaped_regex(pods_of)}-.+"' if pods_of else 'pod!=""'
    asked = preset.asked if "finished" in words else ()
    labels = "".join(f',{label}=~"{pattern}"' for label, pattern in asked)
    meant = f',{preset.model_label}=~"(?i:{escaped_regex(model)})"' if preset.model_label and model else ""
    return f'{{__name__=~"{names}",namespace=~"{spaces}",{pods}{labels}{meant}}}'


def escaped_regex(text: str) -> str:
    """A label value that a PromQL regular expression matches literally."""
    quoted = "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)
    return quoted.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def pod_series(scrape: Scrape, *, needed: Collection[str] = NEEDED, preset: Preset = VLLM) -> PodSeries:
    """Engine counters per pod: the parts of one metric (finished reasons, engines) summed at each scrape."""
    sums: dict[tuple[str, str], Parts] = defaultdict(dict)
    for word, group in _by_word(scrape.series, preset).items():
        for pod, parts in group.items():
            sums[pod][word] = _summed(parts, REPLICAS.union(preset.copies))
    if preset.appears_with_use:
        _count_from_nought(sums.values())
    lacking = {
        pod: tuple(preset.preferred(word) for word in needed if word not in words) for pod, words in sums.items()
    }
    pods = {pod: _samples(words, needed, preset) for pod, words in sums.items() if not lacking[pod]}
    return PodSeries(
        {pod: samples for pod, samples in pods.items() if len(samples.at)},
        scrape.trust,
        scrape.why,
        {pod: lack for pod, lack in lacking.items() if lack},
        preset,
    )


def judged(history: DemandHistory, series: PodSeries) -> DemandHistory:
    """The history, trusted no further than the answer that it was made from."""
    if series.trust is Trust.FRESH or (series.trust is Trust.PARTIAL and history.trust is not Trust.FRESH):
        return history
    return replace(history, trust=series.trust, why=series.why)


def settled(history: DemandHistory, *, until: float) -> DemandHistory:
    """The history without newest bins that are not known yet and could not be: those that end after `until`.

    What was to be known by then and is not stays a gap.
    """
    known, end = len(history.values), history.end
    while known and end > until and not np.isfinite(history.values[known - 1]).all():
        known, end = known - 1, end - history.step
    return history if known == len(history.values) else history.first_rows(known)


def backlog(series: PodSeries, *, namespace: str, ready: Collection[str], now: float, scrape_s: float) -> Backlog:
    """What runs and waits in the ready pods, from samples no older than two scrapes."""
    seen = series.of(namespace, ready)
    sound = {pod: samples for pod, samples in seen.items() if _newest_is_sound(samples, now, scrape_s)}
    if not sound:
        trust = series.trust if series.trust not in (Trust.FRESH, Trust.PARTIAL) else _missing(seen)
        return Backlog(now, None, None, trust)
    expected = len(seen) if series.preset.gateway else len(set(ready))
    whole = len(sound) == expected and series.trust is Trust.FRESH
    return Backlog(
        at=now,
        waiting=sum(float(samples.waiting[-1]) for samples in sound.values()),
        running=sum(float(samples.running[-1]) for samples in sound.values()),
        trust=Trust.FRESH if whole else Trust.PARTIAL,
    )


def _missing(seen: Mapping[str, EngineSamples]) -> Trust:
    if not seen:
        return Trust.ABSENT
    good = all(np.isfinite(samples.waiting[-1]) and np.isfinite(samples.running[-1]) for samples in seen.values())
    return Trust.STALE if good else Trust.INVALID


def _newest_is_sound(samples: EngineSamples, now: float, scrape_s: float) -> bool:
    age = now - float(samples.at[-1])
    values = np.array([samples.waiting[-1], samples.running[-1]])
    return -15.0 <= age <= 2 * scrape_s and bool(np.isfinite(values).all() and (values >= 0).all())


def _by_word(series: Iterable[Series], preset: Preset) -> dict[str, dict[tuple[str, str], list[Series]]]:
    """Series by our word and pod; where a pod offers several names of one word, only the preferred one."""
    ranked: dict[tuple[str, tuple[str, str]], dict[int, list[Series]]] = defaultdict(lambda: defaultdict(list))
    meant = words_of(preset)
    for one in series:
        pod = (one.labels.get("namespace", ""), one.labels.get("pod", ""))
        for word, rank, part in meanings(one, meant):
            if all(pod):
                ranked[word, pod][rank].append(part)
    grouped: dict[str, dict[tuple[str, str], list[Series]]] = defaultdict(dict)
    for (word, pod), by_rank in ranked.items():
        grouped[word][pod] = by_rank[min(by_rank)]
    return grouped


def meanings(one: Series, meant: Meanings) -> Iterable[tuple[str, int, Series]]:
    """Our words for a series, each with the rank of its name and the values that count.

    What was turned away, or given up, is zero in the series of all other outcomes: that those are there shows that it
    would be told.
    """
    for word, rank, metric in meant.get(one.metric.replace(":", "_"), ()):
        if metric.means(one.labels):
            yield word, rank, one if matches(metric.counts, one.labels) else _nothing(one)


@lru_cache(maxsize=256)
def words_of(preset: Preset) -> Meanings:
    """What each metric of the preset may mean."""
    found: dict[str, list[tuple[str, int, Metric]]] = defaultdict(list)
    for signal in preset.signals:
        for rank, metric in enumerate(signal.metrics):
            found[metric.name.replace(":", "_")].append((signal.word, rank, metric))
    return {name: tuple(meanings) for name, meanings in found.items()}


def _nothing(one: Series) -> Series:
    return replace(one, values=frozen(np.zeros(len(one.values))))


def _summed(parts: Iterable[Series], copies: Collection[str]) -> dict[float, float]:
    """The sum at each time; of parts that are copies of one another, the largest."""
    largest: dict[Labels, dict[float, float]] = defaultdict(dict)
    for part in parts:
        kept = tuple(sorted((label, value) for label, value in part.labels.items() if label not in copies))
        told = largest[kept]
        for at, value in zip(part.at.tolist(), part.values.tolist(), strict=True):
            told[at] = max(told[at], value) if at in told else value
    total: dict[float, float] = defaultdict(float)
    for told in largest.values():
        for at, value in told.items():
            total[at] += value
    return total


def _count_from_nought(pods: Collection[Parts]) -> None:
    """Adds the zeros of counters that are exposed from their first count on.

    A pod that shows its queue and not yet a counter has counted nothing, if only another pod shows that the engine has
    that counter at all.
    """
    counters = {word for words in pods for word in words} - {*QUEUE, "held"}
    for words in pods:
        scraped = words.get("running", {})
        for word in counters & {*words, *NEEDED}:
            first = min(words.get(word, {}), default=np.inf)
            words[word] = {at: 0.0 for at in scraped if at < first} | words.get(word, {})


def _samples(words: Mapping[str, Mapping[float, float]], needed: Collection[str], preset: Preset) -> EngineSamples:
    """One row per scrape that has every needed metric.

    An unsound row becomes a gap, unless it is the newest: that one stays and decides the trust.
    """
    shared = sorted(set.intersection(*(set(words[word]) for word in needed)))
    table = np.array([[words[word].get(at, np.nan) if word in words else 0.0 for word in NEEDED] for at in shared])
    at = np.array(shared)
    if len(at):
        keep = np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1)
        keep[-1] = True
        at, table = at[keep], table[keep]
    columns: dict[str, Floats] = {word: frozen(table[:, i]) if len(at) else frozen(at) for i, word in enumerate(NEEDED)}
    columns |= _queue(columns["running"], columns["waiting"], at, words, preset)
    further = {word: _at(at, words[word]) for word in ("rejected", "aborted", *FURTHER) if word in words and len(at)}
    return EngineSamples(at=frozen(at), **columns, **further)


def _queue(
    running: Floats, waiting: Floats, at: Floats, words: Mapping[str, Mapping[float, float]], preset: Preset
) -> dict[str, Floats]:
    """What runs and what waits, told apart; what a gateway still holds waits as well."""
    if preset.running_holds_waiting:
        running = np.maximum(running - waiting, 0.0)
    if held := words.get("held"):
        # A queue that is empty may have no series.
        waiting = waiting + np.array([held.get(time, 0.0) for time in at.tolist()])
    return {"running": frozen(running), "waiting": frozen(waiting)}


def _at(at: Floats, found: Mapping[float, float]) -> Floats:
    """A counter at the times of other samples; before the first and behind the last it stands."""
    known = {time: value for time, value in sorted(found.items()) if np.isfinite(value) and value >= 0}
    return frozen(np.interp(at, list(known), list(known.values())) if known else np.zeros(len(at)))
