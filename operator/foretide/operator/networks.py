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

    def refresh(self) -> None:
        """Looks for artifacts that are new since last time. Reads files: not for the event loop."""
        if self._folder is None:
            return
        for head in HEADS:
            stamp = _stamp(self._folder, head)
            if stamp is not None and stamp != self._seen.get(head):
                self._seen[head] = stamp
                self._open(self._folder, head)

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
