"""Which network this process asks: artifacts from a folder, checked and looked at again as it changes, or a service.

An artifact that is refused is told once and changes nothing: what served before goes on serving, or the ladder alone.

What is NOT promised: that both heads are of one training. The folder's owner publishes them together.
"""

import logging
from pathlib import Path

from foretide.forecaster.network.card import Refused
from foretide.forecaster.network.pool import Pool, Runner
from foretide.forecaster.network.schema import HEADS
from foretide.forecaster.network.session import opened
from foretide.operator.forecast_client import RemoteHead
from foretide.operator.settings import ForecastSettings

logger = logging.getLogger(__name__)
REHEARSED = 26
"""Origins of a target's past at which the network is asked after a start: what its probation asks for, and the two
whose horizons are not over."""
REHEARSALS = 1000
"""Such questions in one life of the operator. Targets beyond them start with the network on probation, which it can end
within about 25 minutes; without a bound, hundreds of targets would wait minutes for their first plan."""
_Stamp = tuple[int, int, int, int]


class Networks:
    """The pool that all targets share, and where its heads come from."""

    def __init__(self, settings: ForecastSettings) -> None:
        self._folder = settings.network
        self._heads: dict[str, Runner] = {}
        self._seen: dict[str, _Stamp] = {}
        self.refused: dict[str, str] = {}
        """By head, why the newest artifact is not served."""
        if settings.url is not None:
            self._heads = {head: RemoteHead(schema, settings) for head, schema in HEADS.items()}
        self.pool = Pool(self._heads.values())
        self._rehearsals = REHEARSALS

    def rehearsals(self) -> int:
        """At how many origins one more target may ask the network about its past: all that help, or none."""
        if self._rehearsals < REHEARSED:
            return 0
        self._rehearsals -= REHEARSED
        return REHEARSED

    def refresh(self) -> None:
        """Looks for artifacts that are new since last time. Reads files: not for the event loop."""
        if self._folder is None:
            return
        for head in HEADS:
            stamp = _stamp(self._folder, head)
            if stamp is not None and stamp != self._seen.get(head):
                self._seen[head] = stamp
                self._open(self._folder, head)

    def sound(self) -> dict[str, bool]:
        """By head that serves, whether its newest answer was usable."""
        return {schema.head: not self.pool.trouble.get(schema.head) for schema in self.pool.schemas}

    def told(self) -> str:
        """One line for people: what serves, and what does not and why; empty where all is well or nothing is asked."""
        troubles = {**{head: why for head, why in self.pool.trouble.items() if why}, **self.refused}
        return "; ".join(f"network head {head} is left out: {why}" for head, why in sorted(troubles.items()))

    def _open(self, folder: Path, head: str) -> None:
        try:
            session = opened(folder, head)
        except Refused as error:
            self.refused[head] = str(error)
            logger.warning("network refused: %s", error)
            return
        self.refused.pop(head, None)
        self._heads[head] = session
        self.pool.serve(self._heads.values())
        logger.info("network %s serves head %s", session.name, head)


def _stamp(folder: Path, head: str) -> _Stamp | None:
    """What changes when an artifact does; None where there is none."""
    try:
        card, graph = (folder / f"{head}.json").stat(), (folder / f"{head}.onnx").stat()
    except OSError:
        return None
    return card.st_mtime_ns, card.st_size, graph.st_mtime_ns, graph.st_size
