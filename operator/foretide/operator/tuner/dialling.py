"""Which addresses may be dialled: a name is resolved once, its addresses are checked, and those very ones are used.

In an address with the namespace in its host, a team decides what the name means: a Service of type ExternalName can
point anywhere. So no name may lead to this machine, to a link-local address (a cloud's metadata service), to a
multicast, reserved or unspecified one. A literal address, and `localhost`, are the admin's own words and stay.

What is NOT promised: that a private address belongs to the namespace. Cluster-internal services cannot be told apart
by their addresses; a NetworkPolicy can.
"""

import socket
from ipaddress import IPv6Address, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

OWN_WORDS = "localhost"


class NotAllowed(OSError):
    """A name that leads where nobody may be sent."""


class GuardedResolver(AbstractResolver):
    """Raises NotAllowed where any address of a name is refused."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if host != OWN_WORDS and any(is_refused(one["host"]) for one in found):
            raise NotAllowed("its name leads to an address of this machine, a link-local or a reserved one")
        return found

    async def close(self) -> None:
        await self._inner.close()


def is_refused(address: str) -> bool:
    """Whether a name may not lead there; what is no address is refused."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_multicast or found.is_reserved or found.is_unspecified
