"""The API server read past every shim, without a kubectl for each look: that would take half the processor."""

import http.client
import json
import ssl
from typing import Any

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import LOOPBACK

TIMEOUT_S = 3.0


class Past:
    """As the bed's admin."""

    def __init__(self, bed: Bed) -> None:
        pki = bed.folder / "pki"
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._port = bed.plane.port

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(LOOPBACK, self._port, context=self._tls, timeout=TIMEOUT_S)

    def get(self, path: str) -> dict[str, Any]:
        """The object; an empty one where the API server does not answer, as it may not under a fault."""
        connection = self.connection()
        try:
            connection.request("GET", path)
            found: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        finally:
            connection.close()
        return found
