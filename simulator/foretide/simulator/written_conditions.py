"""What users write about replicas and what befalls them: cold starts, nodes, failures, power and faults.

Promised: figures that cannot be are refused with what to write instead. NOT promised: that a fault falls into the part
of a trace that is judged; its time is one of the trace's clock.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from foretide.simulator.conditions import REFILL_S, Conditions
from foretide.simulator.faults import NEVER, Crash, Dropout, Failures, Fault, Slowdown, SlowStart, StockOut
from foretide.simulator.power import PREFILL_SLOWDOWN, PowerCap, published
from foretide.simulator.starts import SUGGESTED, StartTier
from foretide.simulator.stock import ENDLESS, Stock
from foretide.simulator.written import Written, moment

Moment = BeforeValidator(moment)
Positive = Field(gt=0)
Share = Annotated[float, Field(gt=0, le=1)]
Gpus = Annotated[int, Field(ge=0, le=1_000_000)]


class _Tier(Written):
    median_s: Annotated[float, Positive] | None = None
    sigma: Annotated[float, Field(ge=0, le=3)] | None = None
    nodes: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    def tier(self, name: str) -> StartTier:
        """A tier of a suggested name may leave out its figures."""
        usual = SUGGESTED.get(name)
        median_s = self.median_s if self.median_s is not None else usual.median_s if usual else None
        if median_s is None:
            raise ValueError(f"tiers.{name} has no median_s; give it, or use one of {', '.join(SUGGESTED)}")
        sigma = self.sigma if self.sigma is not None else usual.sigma if usual and self.median_s is None else 0.3
        return StartTier(median_s=median_s, sigma=sigma, nodes=self.nodes)


class WrittenColdStart(Written):
    """Tiers in the order in which they are taken; the last one never runs out."""

    tiers: Annotated[dict[str, _Tier], Field(min_length=1)]
    contention: Annotated[float, Field(ge=0, le=10)] = 0.0
    refill: Annotated[float, Moment] = REFILL_S

    @model_validator(mode="after")
    def _has_figures_and_an_end(self) -> "WrittenColdStart":
        self.start_tiers()
        last = list(self.tiers)[-1]
        if self.tiers[last].nodes is not None:
            raise ValueError(f"tiers.{last} is the last and cannot run out; remove its nodes or add a slower tier")
        return self

    def start_tiers(self) -> tuple[StartTier, ...]:
        return tuple(replace(tier.tier(name), name=name) for name, tier in self.tiers.items())


class _Change(Written):
    at: Annotated[float, Moment]
    gpus: Gpus


class WrittenNodes(Written):
    """GPUs that can be had, from the start and after each change."""

    gpus: Gpus
    changes: tuple[_Change, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> "WrittenNodes":
        times = [change.at for change in self.changes]
        if any(later <= earlier for earlier, later in zip([0.0, *times], times, strict=False)):
            raise ValueError("changes must come in the order of time, the first after 0; sort them")
        return self

    @property
    def most(self) -> int:
        """GPUs that can be had at the best of times."""
        return max(self.gpus, *(change.gpus for change in self.changes), 0)

    def stock(self) -> Stock:
        return Stock(((0.0, self.gpus), *((change.at, change.gpus) for change in self.changes)))


class WrittenFailures(Written):
    per_replica_hour: Annotated[float, Field(ge=0, le=1000)]
    retry: Annotated[float, Moment] | None = None

    def failures(self) -> Failures:
        return Failures(per_replica_hour=self.per_replica_hour, retry_s=self.retry)


class WrittenPower(Written):
    cap_w: Annotated[float, Positive]
    prefill_slowdown: Annotated[float, Field(ge=1, le=100)] = PREFILL_SLOWDOWN

    def cap(self, gpu: str) -> PowerCap:
        """Raises ValueError for a cap that would slow decode as well, where the GPU's watts are known."""
        power = published(gpu)
        if power is not None and self.cap_w < power.token_w:
            why = f"is below the {power.token_w:g} W that decode draws on {gpu}, so decode would slow too, which is"
            raise ValueError(f"{why} not modelled; raise it")
        return PowerCap(watts=self.cap_w, prefill_slowdown=self.prefill_slowdown)


_OWN_FIELDS: Mapping[str, frozenset[str]] = {
    "slowdown": frozenset({"duration", "factor", "share"}),
    "slow-start": frozenset({"duration", "factor"}),
    "dropout": frozenset({"duration", "share"}),
    "crash": frozenset({"replicas"}),
    "stock-out": frozenset({"duration", "gpus"}),
}


class WrittenFault(Written):
    """One scripted fault; without a duration it lasts to the end."""

    kind: Literal["slowdown", "slow-start", "dropout", "crash", "stock-out"]
    at: Annotated[float, Moment]
    duration: Annotated[float, Moment, Positive] | None = None
    factor: Annotated[float, Field(ge=1, le=1000)] | None = None
    share: Share | None = None
    replicas: Annotated[int, Field(ge=1, le=10000)] | None = None
    gpus: Gpus | None = None

    @model_validator(mode="after")
    def _has_its_own_fields(self) -> "WrittenFault":
        own = _OWN_FIELDS[self.kind]
        strange = sorted(self.model_fields_set - own - {"kind", "at"})
        if strange:
            takes = f"; it takes at, {', '.join(sorted(own))}"
            raise ValueError(f"a {self.kind} has no {' and no '.join(strange)}{takes}")
        return self

    def fault(self) -> Fault:
        given: dict[str, Any] = {
            name: value for name in _OWN_FIELDS[self.kind] if (value := getattr(self, name)) is not None
        }
        if "duration" in given:
            given["duration_s"] = given.pop("duration")
        return _KINDS[self.kind](at=self.at, **given)


_KINDS: Mapping[str, type[Fault]] = {kind.kind: kind for kind in (Slowdown, SlowStart, Dropout, Crash, StockOut)}


def conditions_of(
    *,
    cold_start: WrittenColdStart,
    nodes: WrittenNodes | None,
    failures: WrittenFailures | None,
    faults: tuple[WrittenFault, ...],
) -> Conditions:
    """All of it but the first tier, which a scenario keeps by itself."""
    return Conditions(
        further_tiers=cold_start.start_tiers()[1:],
        contention=cold_start.contention,
        refill_s=cold_start.refill,
        stock=nodes.stock() if nodes else ENDLESS,
        failures=failures.failures() if failures else NEVER,
        faults=tuple(fault.fault() for fault in faults),
    )
