"""`spec.engine` and `spec.metrics` as their owner wrote them, and the preset that they make.

A custom query is one metric with labels, never an expression: what is asked of a source stays a selector that names the
resource's own namespace, and counters arrive raw, so that their resets are seen.

What is NOT promised: that a metric means what its owner says.
"""

import re
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from foretide.operator.base import Written
from foretide.operator.engines import ENGINES
from foretide.operator.engines.preset import NEEDED, Metric, Preset, Signal

Engine = Literal["vllm", "sglang", "tgi", "trtllm", "triton", "dynamo", "epp", "custom"]
LONGEST = 256
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"'
_QUERY = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{((?:{_LABEL})(?:, ?{_LABEL})*)?\}})?")
_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
OURS = ("namespace", "pod")
"""Labels that Foretide sets itself."""


def _query(value: object) -> Metric:
    text = value if isinstance(value, str) else ""
    found = _QUERY.fullmatch(text)
    if not found or len(text) > LONGEST:
        raise ValueError(f'{value!r} is not one metric with labels; write it like my_requests_total{{outcome="ok"}}')
    labels = re.findall(r'([a-zA-Z0-9_]+)="([^"]*)"', found[2] or "")
    if ours := [label for label, _ in labels if label in OURS]:
        raise ValueError(f"{value!r} has the label {ours[0]}, which is set by Foretide; leave it out")
    return Metric(found[1], only=tuple((label, re.escape(text)) for label, text in labels))


Query = Annotated[Metric, BeforeValidator(_query)]


class WrittenQueries(Written):
    """Metrics to read in place of those of the preset."""

    running: Query | None = None
    waiting: Query | None = None
    finished: Query | None = None
    prompt_tokens: Query | None = None
    output_tokens: Query | None = None
    rejected: Query | None = None
    aborted: Query | None = None
    token_gap_seconds: Query | None = None
    token_gaps: Query | None = None

    def signals(self) -> dict[str, Metric]:
        """By our words."""
        found = {word: getattr(self, field) for field, word in _WORDS.items()}
        return {word: metric for word, metric in found.items() if metric is not None}


_OTHERWISE = {"token_gap_seconds": "gap_s", "token_gaps": "gaps"}
_WORDS = {field: _OTHERWISE.get(field, field) for field in WrittenQueries.model_fields}
"""Field -> our word for it."""


def as_written(word: str) -> str:
    """Our word, as users read and write it."""
    names = {word: field for field, word in _WORDS.items()} | {"ttft_s": "ttft_seconds"}
    return str(to_camel(names.get(word, word)))


class WrittenMetrics(Written):
    source: Annotated[str, Field(min_length=1, max_length=63, pattern=_NAME)] = "default"
    gateway: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] | None = None
    queries: WrittenQueries = WrittenQueries()


def lacking(engine: Engine, metrics: WrittenMetrics) -> str:
    """Why demand could never be read so, in one line with the fix; empty where it might."""
    if engine == "epp" and not metrics.gateway:
        return "metrics.gateway: missing; engine epp needs the name of the picker's Deployment, like llama-epp"
    if metrics.gateway and engine not in ("dynamo", "epp", "custom"):
        return f"metrics.gateway: {metrics.gateway!r}: engine {engine} reports from its own pods; leave it out"
    preset = preset_of(engine, metrics)
    if missing := [as_written(word) for word in NEEDED if not preset.metrics(word)]:
        return f"metrics.queries: engine {engine} needs {', '.join(missing)}; name a metric for each"
    return ""


def preset_of(engine: Engine, metrics: WrittenMetrics) -> Preset:
    """The engine's preset with the metrics that the resource names itself."""
    preset, own = ENGINES[engine], metrics.queries.signals()
    if not own:
        return preset
    # What else is told of finished requests was told of those that are not read any more.
    hidden = {*own, *(("rejected", "aborted") if "finished" in own else ())}
    kept = tuple(signal for signal in preset.signals if signal.word not in hidden)
    return replace(
        preset,
        signals=(*kept, *(Signal(word, (metric,)) for word, metric in own.items())),
        absent=tuple(absent for absent in preset.absent if absent[0] not in own),
        asked=() if "finished" in own else preset.asked,
        gateway=preset.gateway or bool(metrics.gateway),
    )
