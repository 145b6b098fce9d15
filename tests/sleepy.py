"""An engine with sleep endpoints that fail in one way or another, in memory."""

from dataclasses import dataclass, field

from foretide.operator.engine_sleep import EngineError
from foretide.operator.pods import Replica


@dataclass
class Engine:
    """Sleeps as it is told, unless it fails in one way or another."""

    asleep: bool = False
    refuses: tuple[str, ...] = ()
    lies: bool = False
    """It answers 200 to /sleep and stays awake."""
    wakes: bool = True
    asked: list[str] = field(default_factory=list)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what in self.refuses:
            raise EngineError(f"{what}: answered 500")

    async def sleep(self, pod: Replica, *, namespace: str, port: int) -> None:
        self._ask("sleep")
        self.asleep = not self.lies

    async def wake(self, pod: Replica, *, namespace: str, port: int) -> None:
        self._ask("wake")
        self.asleep = self.asleep and not self.wakes

    async def is_sleeping(self, pod: Replica, *, namespace: str, port: int) -> bool:
        self._ask("is_sleeping")
        return self.asleep
