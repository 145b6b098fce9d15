"""A bed with the manifests of kind-config, and what plays its pods."""

import http.client
from dataclasses import dataclass
from pathlib import Path

from podlike import PodLike

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import LOOPBACK, Process, free_port, wait_for

KIND = Path(__file__).parents[1] / "kind-config"


@dataclass(frozen=True, slots=True)
class KindLike:
    """The bed with the manifests of kind-config applied, and their KWOK running."""

    bed: Bed
    folder: Path
    audit: Path
    kwok: PodLike

    def pod(self, namespace: str, name: str) -> PodLike:
        return PodLike(self.bed, namespace, name, self.folder / name)


def start_kwok(bed: Bed, kwok: PodLike) -> Process:
    port = free_port()
    here = {"0.0.0.0:10247": f"{LOOPBACK}:{port}", "$(POD_IP)": LOOPBACK}
    running = kwok.start(bed.programs["kwok"], here=here)
    wait_for(lambda: answer(port, kwok.probe) is not None, what="kwok", by=[running])
    return running


def answer(port: int, path: str) -> bytes | None:
    """What stands there; None where nothing does, or no success."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
