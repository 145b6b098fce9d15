"""Which competitors there are, by name, and how each wants to be run.

Names with a colon are somebody else's: `package.module:attribute` is imported and has to be a `Model`, or something
that gives one when it is called without arguments. That is the door for Chronos-2, TimesFM or Toto where their weights
are at hand.

What is NOT promised: that a name's library is installed. `NotInstalled` says what to install.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.pooled import Pooled
from foretide.forecaster.evaluate.baselines.simple import SIMPLE
from foretide.forecaster.evaluate.baselines.tiers import SHIPPED, TIERS
from foretide.forecaster.evaluate.model import Model


class NoSuchModel(ValueError):
    """The name is nobody's; the message lists those that exist."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A competitor. One that `learns` is fitted several times and with several seeds; others would not change by it."""

    name: str
    opened: Callable[[], Model]
    learns: bool = False
    simple: bool = False
    """A rule without a model: the best of these is the bar."""
    tier: bool = False
    """A tier of the ladder, alone: the pool should be no worse than the best of these."""
    demand: bool = False
    """Forecasts demand, which is never negative: it is shown zero as zero, whatever the unit that is scored."""
    heavy: bool = False
    """Takes minutes per series: not part of `all`, only of `everything`."""


def _named(module: str, attribute: str, library: str, *, extra: str = "bench", **options: Any) -> Callable[[], Model]:
    """Opens a model of a module that needs a library, when it is wanted and not before."""

    def opened() -> Model:
        with needs(str(options.get("name", attribute.lower())), library, extra=extra):
            found = import_module(f"foretide.forecaster.evaluate.baselines.{module}")
        return getattr(found, attribute)(**options)  # type: ignore[no-any-return]

    return opened


def _learner(name: str, module: str, attribute: str, library: str, **options: Any) -> Entry:
    opened = _named(module, attribute, library, name=name, **options)
    return Entry(name, opened, learns=True, heavy=True)


def _network(name: str) -> Callable[[], Model]:
    """Our own network, trained from scratch on the series, on a GPU where there is one."""

    def opened() -> Model:
        with needs(name, "torch and nflows", extra="train"):
            import torch

            found = import_module("foretide.forecaster.network.series_model")
        return found.named(name, device="cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[no-any-return]

    return opened


def _with_network() -> Model:
    return Pooled("pooled-with-flow", learned=_network("flow"))


NETWORK = Entry(SHIPPED.name, lambda: SHIPPED, demand=True)
POOLS = (
    Entry("pooled", Pooled, demand=True),
    Entry("pooled-uncalibrated", lambda: Pooled("pooled-uncalibrated", calibrated=False), demand=True),
    Entry("pooled-with-flow", _with_network, learns=True, heavy=True, demand=True),
)
LEARNERS = (
    Entry("flair", _named("library", "Flair", "flaircast", name="flair"), heavy=True),
    _learner("auto-arima", "library", "Statistical", "statsforecast"),
    _learner("mstl", "library", "Statistical", "statsforecast"),
    _learner("lightgbm-quantiles", "trees", "Trees", "lightgbm"),
    _learner("harmony-as-published", "harmony", "Harmony", "torch", extra="train"),
    _learner("harmony-as-scored", "harmony", "Harmony", "torch", extra="train", coupled=False),
    Entry("flow", _network("flow"), learns=True, heavy=True),
    Entry("gaussian-head", _network("gaussian-head"), learns=True, heavy=True),
    _learner("deepar", "deep", "Gluon", "gluonts[torch]"),
    _learner("patchtst", "deep", "Gluon", "gluonts[torch]"),
    _learner("nhits", "nhits", "Nhits", "neuralforecast"),
)


def _entries() -> dict[str, Entry]:
    rules = [Entry(rule.name, lambda rule=rule: rule, simple=True) for rule in SIMPLE]  # type: ignore[misc]
    tiers = [Entry(tier.name, lambda tier=tier: tier, tier=True, demand=True) for tier in TIERS]  # type: ignore[misc]
    return {entry.name: entry for entry in [*rules, *tiers, NETWORK, *POOLS, *LEARNERS]}


ENTRIES = _entries()
SIMPLE_NAMES = tuple(entry.name for entry in ENTRIES.values() if entry.simple)
TIER_NAMES = tuple(entry.name for entry in ENTRIES.values() if entry.tier)


def chosen(names: str) -> list[Entry]:
    """The entries that a comma-separated list asks for; `all` are those that run in seconds. Raises NoSuchModel."""
    found: dict[str, Entry] = {}
    for name in [name.strip() for name in names.split(",") if name.strip()]:
        for entry in _asked(name):
            found[entry.name] = entry
    if not found:
        raise NoSuchModel(f"name at least one of {', '.join(ENTRIES)}")
    return list(found.values())


def _asked(name: str) -> list[Entry]:
    if name in {"all", "everything"}:
        return [entry for entry in ENTRIES.values() if name == "everything" or not entry.heavy]
    if name == "simple":
        return [entry for entry in ENTRIES.values() if entry.simple]
    if name in ENTRIES:
        return [ENTRIES[name]]
    if ":" in name:
        return [Entry(name, lambda: plugged(name), learns=True)]
    raise NoSuchModel(f"there is no {name}; there are {', '.join(ENTRIES)}, and `module:attribute`")


def plugged(name: str) -> Model:
    """The model at `module:attribute`. Raises NoSuchModel where there is none."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise NoSuchModel(f"{name}: {error}") from error
    model = found() if isinstance(found, type) or not hasattr(found, "fit") else found
    if not callable(getattr(model, "fit", None)):
        raise NoSuchModel(f"{name} has no fit(); see foretide.forecaster.evaluate.model")
    return model  # type: ignore[no-any-return]
