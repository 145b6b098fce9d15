"""The gRPC port: open while this operator leads, and at no other time.

Behind a headless Service KEDA holds a connection to every operator that listens. One that stands by does not, so KEDA
reaches the leader without being told who that is.
"""

import logging
from collections.abc import Callable

import grpc

from foretide.operator.keda.ledger import Ledger
from foretide.operator.keda.scaler import Scaler, handlers
from foretide.operator.seams import Clock

logger = logging.getLogger(__name__)
LOOK_S, AGAIN_S, GRACE_S = 0.5, 5.0, 2.0
LARGEST_REQUEST = 64 * 1024
"""Bytes; a ScaledObject's metadata are a few hundred."""
AT_ONCE = 10000
"""Calls under way, of which every ScaledObject holds one open."""
OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_REQUEST),
    ("grpc.max_metadata_size", 16 * 1024),
    # A KEDA that starts anew opens all its streams at once; by default at most 3000 may wait to be taken up.
    ("grpc.server.max_pending_requests", AT_ONCE),
    ("grpc.server.max_pending_requests_hard_limit", 2 * AT_ONCE),
    # Two processes on one port would share its calls, and one of them does not lead.
    ("grpc.so_reuseport", 0),
)


async def serve(
    address: str, ledger: Ledger, *, leads: Callable[[], bool], clock: Clock, count: Callable[[str], None]
) -> None:
    """Listens from when `leads` says so until it is cancelled; then streams end, and calls have GRACE_S to."""
    while not leads():
        await clock.sleep(LOOK_S)
    server = await _listening(address, Scaler(ledger, count=count), clock)
    try:
        await server.wait_for_termination()
    finally:
        await ended(server, ledger)


async def _listening(address: str, scaler: Scaler, clock: Clock) -> grpc.aio.Server:
    while True:
        try:
            server, port = await started(address, scaler)
        except (RuntimeError, OSError) as error:
            logger.error(  # noqa: TRY400 (the line says it all)
                "KEDA is not served: %s: %s; free the port or name another", address, error
            )
            await clock.sleep(AGAIN_S)
        else:
            logger.info("KEDA is served on port %d", port)
            return server


async def started(address: str, scaler: Scaler) -> tuple[grpc.aio.Server, int]:
    """A server that listens on HOST:PORT, and its port. Raises RuntimeError where that cannot be had."""
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=AT_ONCE)
    server.add_generic_rpc_handlers((handlers(scaler),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


async def ended(server: grpc.aio.Server, ledger: Ledger) -> None:
    """The end of a server that `started` gave."""
    ledger.stop()
    await server.stop(GRACE_S)
