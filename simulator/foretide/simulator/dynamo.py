"""NVIDIA Dynamo's planner for aggregated engines: a throughput loop that looks ahead, and a load loop that reacts.

After components/src/dynamo/planner/core (ai-dynamo/dynamo). Throughput, every 180 s: request count, mean prompt and
mean output length of the next interval are predicted one step ahead, each by itself; replicas = ceil(rate / what one
engine carries within the targets at those mean lengths). Load, every 5 s: one more when every engine's estimated TTFT
(or every engine's ITL) is above its target; one fewer when, with N / (N - 1) of the load on the rest, every engine
would stay under 80 % of the ITL target and the queue would take under 80 % of what prefill leaves of the TTFT target.
The throughput loop's count is the load loop's lower bound. While pods start, or engines do not all report, it waits.

Without the load loop, which is upstream's default, the throughput loop scales by itself. What is NOT promised: engine
metrics of every step. A view has scrapes; the load loop uses each one once. Engine times come from a profile. The share
of prompts found in prefix caches, by which the planner shortens its prompts, is not in a view.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, inf

import numpy as np

from foretide.policies.flow import OUTPUT_TOKENS, PROMPT_TOKENS, REQUESTS, DemandHistory
from foretide.simulator.autoscaler import Choice, View
from foretide.simulator.engine import Engine, Lengths, Limits
from foretide.simulator.predictors import Arima, Constant, Kalman, Predictor
from foretide.simulator.prophet_like import ProphetLike
from foretide.simulator.scenario import Pace
from foretide.simulator.traffic import Traffic, arrived, of_row

THROUGHPUT_S, LOAD_S = 180.0, 5.0
DOWN_SHARE = 0.8
PREDICTORS: Mapping[str, Callable[[], Predictor]] = {
    "constant": Constant,
    "arima": Arima,
    "kalman": Kalman,
    "prophet": ProphetLike,
}
USUAL_LENGTHS = Lengths(3000.0, 150.0)
"""The planner's `isl` and `osl` before it has seen any."""


@dataclass(frozen=True, slots=True)
class Planner:
    """The planner's own settings; times in seconds."""

    limits: Limits
    """TTFT and ITL targets."""
    predictor: str = "arima"
    load_loop: bool = True
    down_share: float = DOWN_SHARE
    """`load_scaling_down_sensitivity`."""
    throughput_s: float = THROUGHPUT_S


class Dynamo:
    """The policy `dynamo`. `history` is demand before the run, which the predictors begin with."""

    name = "dynamo"
    interval_s = LOAD_S
    begins_with = None

    def __init__(
        self,
        *,
        engine: Engine,
        planner: Planner,
        pace: Pace,
        min_replicas: int,
        max_replicas: int,
        history: DemandHistory | None = None,
    ) -> None:
        self._engine, self._planner, self._pace = engine, planner, pace
        self._min, self._max = max(1, min_replicas), max_replicas
        make = PREDICTORS[planner.predictor]
        self._count, self._prompt, self._output = make(), make(), make()
        self._lengths = USUAL_LENGTHS
        self._bound: int | None = None
        self._next_throughput: float | None = None
        self._used_scrape = -inf
        for traffic in intervals(history, planner.throughput_s) if history else ():
            self._learn(traffic)
        for predictor in (self._count, self._prompt, self._output):
            predictor.rest()

    def decide(self, view: View) -> Choice:
        if self._next_throughput is None:
            self._next_throughput = view.now + self._planner.throughput_s
        if view.now >= self._next_throughput - 1e-6:
            self._next_throughput += self._planner.throughput_s
            return self._throughput(view)
        if not self._planner.load_loop:
            return Choice(None, "Waiting", "the next interval is not over", planned=False)
        return self._load(view)

    def _throughput(self, view: View) -> Choice:
        """Predicts, and sets the lower bound; scales only where there is no load loop."""
        traffic = arrived(view, window_s=self._planner.throughput_s, pace=self._pace)
        if traffic is not None:
            self._learn(traffic)
        ahead = [predictor.predict() for predictor in (self._count, self._prompt, self._output)]
        count, prompt, output = (float(values[0]) if values is not None else 0.0 for values in ahead)
        each = self._engine.largest_rate(Lengths(prompt, output), self._planner.limits) if prompt and output else 0.0
        if each <= 0:
            return Choice(None, "NotReady", "no traffic to predict from")
        rate = count / self._planner.throughput_s
        self._bound = ceil(rate / each)
        text = f"predicts {rate:.2f} requests/s of {prompt:.0f} + {output:.0f} tokens, {each:.2f} per engine"
        if self._planner.load_loop:
            return Choice(None, "LowerBound", f"{text}: at least {self._bound}")
        return self._chosen(view, self._bound, "Throughput", text, planned=True)

    def _learn(self, traffic: Traffic) -> None:
        idle = traffic.requests <= 0
        if not idle:
            self._lengths = Lengths(traffic.prompt_tokens, traffic.output_tokens)
        self._count.add(traffic.requests * self._planner.throughput_s)
        self._prompt.add(0.0 if idle else traffic.prompt_tokens)
        self._output.add(0.0 if idle else traffic.output_tokens)

    def _load(self, view: View) -> Choice:
        if view.starting or view.ready != view.desired:
            return Choice(None, "ScalingInProgress", "observes only", planned=False)
        if view.scraped_at is None or len(view.newest) != view.ready:
            return Choice(None, "WorkerCountMismatch", "not every engine reports, or one too many", planned=False)
        if view.scraped_at <= self._used_scrape:
            return Choice(None, "Waiting", "no newer scrape", planned=False)
        self._used_scrape = view.scraped_at
        wanted, text = self._step(view)
        return self._chosen(view, max(wanted, self._bound or 0), "Load", text, planned=False)

    def _step(self, view: View) -> tuple[int, str]:
        """One more, one fewer, or as many as there are."""
        pods, workers, limits = view.newest.values(), view.ready, self._planner.limits
        ttft = [self._engine.ttft_s(pod, self._lengths) for pod in pods]
        itl = [self._engine.itl_s(pod, self._lengths) for pod in pods]
        text = f"TTFT {max(ttft):.3f} s, ITL {max(itl):.4f} s at worst"
        if min(ttft) > limits.ttft_s or min(itl) > limits.itl_s:
            return workers + 1, text
        if workers > 1 and all(self._engine.bears(pod, self._lengths, self._more(workers), limits) for pod in pods):
            return workers - 1, text
        return workers, text

    def _more(self, workers: int) -> tuple[float, float]:
        """How many times its load an engine gets with one fewer, and the share of the targets it may then use."""
        return workers / (workers - 1), self._planner.down_share

    def _chosen(self, view: View, wanted: int, code: str, text: str, *, planned: bool) -> Choice:
        bounded = min(max(wanted, self._min), self._max)
        return Choice(None if bounded == view.desired else bounded, code, f"{text}: wants {bounded}", planned=planned)


def intervals(history: DemandHistory, interval_s: float) -> list[Traffic]:
    """Earlier demand in the planner's intervals, whole ones only, up to the end; those with a gap are left out."""
    rows = max(1, round(interval_s / history.step))
    whole = len(history.values) // rows
    bins = history.values[len(history.values) - whole * rows :].reshape(whole, rows, 3)
    columns = [REQUESTS, PROMPT_TOKENS, OUTPUT_TOKENS]
    return [of_row(mean) for mean in bins.mean(axis=1)[:, columns] if np.isfinite(mean).all()]
