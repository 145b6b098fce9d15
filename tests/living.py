"""A target that lives: pods start, serve and die in virtual time, engines are scraped, and the truth is known.

Ten requests/s per replica, as `shell.py` has it; starts take a minute. What the operator sees of it can be spoiled:
scrapes missed, engines that lie, sources that fail. The truth stays, and says which lowering was wrong.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from shell import World, world
from twins import START, pod

SCRAPE_S = 15.0
START_S = 60.0
PER_REPLICA = 10.0
PROMPT, OUTPUT = 1000.0, 200.0
WORDS = ("finished", "running", "waiting", "prompt_tokens", "output_tokens")


@dataclass
class Engine:
    """One pod: when it is ready, what it did so far, and its scrapes."""

    name: str
    ready_at: float
    gone: bool = False
    finished: float = 0.0
    rows: list[tuple[float, ...]] = field(default_factory=list)

    def serve(self, requests: float) -> None:
        self.finished += requests

    def scraped(self, at: float, *, lie: float | None = None) -> None:
        done = self.finished if lie is None else lie
        self.rows.append((at, done, 2.0, 0.0, PROMPT * done, OUTPUT * done))

    def table(self) -> dict[str, Any]:
        columns = np.array(self.rows[-400:]).reshape(-1, 1 + len(WORDS)).T
        return dict(zip(("at", *WORDS), columns, strict=True))


@dataclass
class Life:
    """The world around one target, `llama` in `prod`, and what is true of it."""

    rate: float
    replicas: int
    world: World = field(default_factory=world)
    engines: dict[str, Engine] = field(default_factory=dict)
    """All that ever were, as a Prometheus remembers them; a long run forgets those that are long gone."""
    born: int = 0
    rates: list[tuple[float, float]] = field(default_factory=list)
    """(time, true requests/s) of every scrape interval."""
    unscraped: list[float] = field(default_factory=list)
    """Times of scrapes that did not come, or lied."""
    missing: bool = False
    lie: float | None = None

    def __post_init__(self) -> None:
        self.world.deploy(replicas=self.replicas)
        self.world.clock.time = START - 1800.0
        self.world.cluster.pods = self._pods  # type: ignore[method-assign]
        self._settle(at_once=True)
        self.pass_time(1800.0)
        self.world.begin_a_life()

    @property
    def now(self) -> float:
        return self.world.clock.time

    @property
    def there(self) -> dict[str, Engine]:
        return {name: engine for name, engine in self.engines.items() if not engine.gone}

    @property
    def desired(self) -> int:
        return self.world.cluster.replicas["llama"]

    def pass_time(self, seconds: float) -> None:
        """Demand comes, replicas serve it, and every 15 s engines are scraped, or are not."""
        until = self.now + seconds
        while self.now + SCRAPE_S <= until + 1e-9:
            self.world.clock.time += SCRAPE_S
            self._settle()
            ready = [engine for engine in self.there.values() if engine.ready_at <= self.now]
            for engine in ready:
                engine.serve(self.rate * SCRAPE_S / len(ready))
            self.rates.append((self.now, self.rate if ready else 0.0))
            self._scrape(ready)
        self.world.clock.time = until

    def known_demand(self, *, within_s: float) -> float:
        """The least that was truly asked for in the last `within_s` seconds: what nobody may claim not to know."""
        return min(rate for at, rate in self.rates if at > self.now - within_s)

    def unseen_s(self, *, within_s: float) -> float:
        """Seconds of the last `within_s` that no scrape, or only a lie, told of."""
        return SCRAPE_S * sum(at > self.now - within_s for at in self.unscraped)

    def is_silent(self, *, for_s: float) -> bool:
        """Whether no sound scrape came for so long."""
        return self.unseen_s(within_s=for_s) >= for_s

    def kill(self, index: int) -> None:
        """A pod dies; its successor starts."""
        names = sorted(self.there)
        if names:
            self.engines[names[index % len(names)]].gone = True
            self._settle()

    def _scrape(self, ready: list[Engine]) -> None:
        if self.missing or self.lie is not None:
            self.unscraped.append(self.now)
        for engine in ready:
            if not self.missing:
                engine.scraped(self.now, lie=self.lie)
        self._show()

    def _show(self) -> None:
        self.world.metrics.engines = {
            ("prod", name): engine.table() for name, engine in self.engines.items() if engine.rows
        }

    def _settle(self, *, at_once: bool = False) -> None:
        """As many pods as are asked for: the youngest go first, new ones take their time."""
        for name in sorted(self.there)[self.desired :]:
            self.engines[name].gone = True
        for _ in range(self.desired - len(self.there)):
            name = f"llama-{self.born:04d}"
            self.born += 1
            self.engines[name] = Engine(name, self.now if at_once else self.now + START_S)

    async def _pods(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        self.world.cluster._may("pods")
        return [
            pod(name, ready=engine.ready_at <= self.now, ready_at=engine.ready_at)
            for name, engine in self.there.items()
        ]
