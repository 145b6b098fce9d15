"""From a metric source's series to what the policies read: per-pod engine counters, the live backlog, the past.

All targets of a source are read by one query. PromQL is built here from fixed templates; the only parts that vary are
namespaces and pod names, as escaped label values. vLLM's metric names are understood old and new, and with the colon
that some pipelines turn into an underscore.

What is NOT promised: that labels are true. Whoever controls the scraping can forge them; see the threat model.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from foretide.operator.seams import Scrape, Series
from foretide.policies.demand import EngineSamples
from foretide.policies.flow import Backlog, DemandHistory, Floats, Trust, frozen

ALIASES: Mapping[str, tuple[str, ...]] = {
    "running": ("vllm:num_requests_running",),
    "waiting": ("vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason"),
    "finished": ("vllm:request_success_total", "vllm:e2e_request_latency_seconds_count"),
    "prompt_tokens": ("vllm:request_prompt_tokens_sum",),
    "output_tokens": ("vllm:request_generation_tokens_sum",),
}
"""Our word -> the engine's names for it, the preferred one first. Without all of them, demand cannot be told."""
FURTHER: Mapping[str, tuple[str, ...]] = {
    "gap_s": ("vllm:inter_token_latency_seconds_sum", "vllm:time_per_output_token_seconds_sum"),
    "gaps": ("vllm:inter_token_latency_seconds_count", "vllm:time_per_output_token_seconds_count"),
}
"""Likewise, of what an engine need not tell: without it, its speed is not learned."""
QUEUE = ("running", "waiting")
HTTP = "http_requests_total"
"""What vLLM's API server counts by handler, method and status: the one place where it shows what it turned away."""
_NAMES = {**ALIASES, **FURTHER}
_WORD_OF = {name.replace(":", "_"): (word, rank) for word, names in _NAMES.items() for rank, name in enumerate(names)}
_TURNED_AWAY = ("429", "503", "5xx")
"""Statuses of requests that were not taken in; vLLM groups all of its 500s."""


@dataclass(frozen=True, slots=True, eq=False)
class PodSeries:
    """The engines of one source, by namespace and pod, and how far the answer may be relied on."""

    pods: Mapping[tuple[str, str], EngineSamples]
    trust: Trust
    why: str = ""
    lacking: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Pods that report something and cannot be read -> the metrics that they lack, by their preferred names."""

    def of(self, namespace: str, pods: Collection[str]) -> dict[str, EngineSamples]:
        return {pod: samples for (space, pod), samples in self.pods.items() if space == namespace and pod in pods}

    def in_flight(self, namespace: str, pods: Collection[str]) -> dict[str, float]:
        """Requests that each engine had running and waiting at its newest sample."""
        seen = self.of(namespace, pods)
        return {pod: float(samples.running[-1] + samples.waiting[-1]) for pod, samples in seen.items()}

    def lacks(self, namespace: str, pods: Collection[str]) -> str:
        """What keeps pods that report something from being read, in words; empty where nothing does."""
        names = sorted({name for (space, pod), lack in self.lacking.items() if space == namespace and pod in pods
                        for name in lack})  # fmt: skip
        return (
            f"the engines report, but without {', '.join(names)}: demand cannot be told from throughput"
            if names
            else ""
        )

    def matching(self, namespace: str, prefix: str) -> set[str]:
        """Pods of a namespace whose names begin with `prefix-`."""
        return {pod for space, pod in self.pods if space == namespace and pod.startswith(f"{prefix}-")}


def selector(namespaces: Collection[str], *, words: Collection[str] = tuple(ALIASES), pods_of: str = "") -> str:
    """The one series selector for these namespaces; with `pods_of`, only for pods named after that target.

    Where completions are asked for, so is what was turned away.
    """
    http = (HTTP,) if "finished" in words else ()
    wanted = (*(name for word in words for name in _NAMES[word]), *http)
    names = "|".join(name.replace(":", "[:_]") for name in wanted)
    spaces = "|".join(escaped_regex(name) for name in sorted(set(namespaces)))
    pods = f'pod=~"{escaped_regex(pods_of)}-.+"' if pods_of else 'pod!=""'
    # vLLM's own metrics have no label `method`, and match as well.
    posts = ',method=~"|POST"' if http else ""
    return f'{{__name__=~"{names}",namespace=~"{spaces}",{pods}{posts}}}'


def escaped_regex(text: str) -> str:
    """A label value that a PromQL regular expression matches literally."""
    quoted = "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)
    return quoted.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def pod_series(scrape: Scrape, *, needed: Collection[str] = tuple(ALIASES)) -> PodSeries:
    """Engine counters per pod: the parts of one metric (finished reasons, engines) summed at each scrape."""
    sums: dict[tuple[str, str], dict[str, dict[float, float]]] = defaultdict(dict)
    for word, group in _by_word(scrape.series).items():
        for pod, parts in group.items():
            sums[pod][word] = _summed(parts)
    lacking = {pod: tuple(ALIASES[word][0] for word in needed if word not in words) for pod, words in sums.items()}
    pods = {pod: _samples(words, needed) for pod, words in sums.items() if not lacking[pod]}
    return PodSeries(
        {pod: samples for pod, samples in pods.items() if len(samples.at)},
        scrape.trust,
        scrape.why,
        {pod: names for pod, names in lacking.items() if names},
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
    whole = len(sound) == len(set(ready)) and series.trust is Trust.FRESH
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


def _by_word(series: Iterable[Series]) -> dict[str, dict[tuple[str, str], list[Series]]]:
    """Series by our word and pod; where a pod offers several names of one word, only the preferred one."""
    ranked: dict[tuple[str, tuple[str, str]], dict[int, list[Series]]] = defaultdict(lambda: defaultdict(list))
    for one in series:
        pod = (one.labels.get("namespace", ""), one.labels.get("pod", ""))
        for word, rank, part in _meanings(one):
            if all(pod):
                ranked[word, pod][rank].append(part)
    grouped: dict[str, dict[tuple[str, str], list[Series]]] = defaultdict(dict)
    for (word, pod), by_rank in ranked.items():
        grouped[word][pod] = by_rank[min(by_rank)]
    return grouped


def _meanings(one: Series) -> Iterable[tuple[str, int, Series]]:
    """Our words for a series, each with the rank of its name and the values that count.

    What was turned away, or given up, is zero in the series of all other outcomes: that those are there shows that it
    would be told.
    """
    if found := _WORD_OF.get(one.metric.replace(":", "_")):
        yield *found, one
        if reason := one.labels.get("finished_reason"):
            yield "aborted", 0, one if reason == "abort" else _nothing(one)
    elif one.metric == HTTP and one.labels.get("handler", "").startswith("/v1/"):
        yield "rejected", 0, one if one.labels.get("status") in _TURNED_AWAY else _nothing(one)


def _nothing(one: Series) -> Series:
    return replace(one, values=frozen(np.zeros(len(one.values))))


def _summed(parts: Iterable[Series]) -> dict[float, float]:
    total: dict[float, float] = defaultdict(float)
    for part in parts:
        for at, value in zip(part.at.tolist(), part.values.tolist(), strict=True):
            total[at] += value
    return total


def _samples(words: Mapping[str, Mapping[float, float]], needed: Collection[str]) -> EngineSamples:
    """One row per scrape that has every needed metric.

    An unsound row becomes a gap, unless it is the newest: that one stays and decides the trust.
    """
    shared = sorted(set.intersection(*(set(words[word]) for word in needed)))
    table = np.array([[words[word].get(at, np.nan) if word in words else 0.0 for word in ALIASES] for at in shared])
    at = np.array(shared)
    if len(at):
        keep = np.isfinite(table).all(axis=1) & (table >= 0).all(axis=1)
        keep[-1] = True
        at, table = at[keep], table[keep]
    columns: dict[str, Floats] = {
        word: frozen(table[:, i]) if len(at) else frozen(at) for i, word in enumerate(ALIASES)
    }
    further = {word: _at(at, words[word]) for word in ("rejected", "aborted", *FURTHER) if word in words and len(at)}
    return EngineSamples(at=frozen(at), **columns, **further)


def _at(at: Floats, found: Mapping[float, float]) -> Floats:
    """A counter at the times of other samples; before the first and behind the last it stands."""
    known = {time: value for time, value in sorted(found.items()) if np.isfinite(value) and value >= 0}
    return frozen(np.interp(at, list(known), list(known.values())) if known else np.zeros(len(at)))
