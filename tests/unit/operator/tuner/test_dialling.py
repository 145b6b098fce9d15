"""Where a name may lead: to other machines, and never to this one or to a cloud's metadata."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from foretide.operator.tuner.dialling import GuardedResolver, NotAllowed, is_refused


class Book(AbstractResolver):
    """Names with their addresses."""

    def __init__(self, **names: list[str]) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._names[host]
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1%eth0",
        "224.0.0.1",
        "0.0.0.0",
        "240.0.0.1",
        "::ffff:127.0.0.1",
        "x",
    ],
)
def test_an_address_of_this_machine_or_of_nobodys_is_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize("address", ["10.0.0.7", "192.168.1.1", "172.20.3.4", "8.8.8.8", "fd00::7", "2a00::1"])
def test_other_machines_may_be_dialled(address: str) -> None:
    assert not is_refused(address)


async def test_a_name_with_one_bad_address_is_not_dialled_at_all() -> None:
    resolver = GuardedResolver(Book(gateway=["10.0.0.7"], astray=["10.0.0.7", "169.254.169.254"]))
    assert [one["host"] for one in await resolver.resolve("gateway", 80)] == ["10.0.0.7"]
    with pytest.raises(NotAllowed, match="leads to an address of this machine"):
        await resolver.resolve("astray", 80)


async def test_localhost_is_the_admins_own_word() -> None:
    resolver = GuardedResolver(Book(localhost=["127.0.0.1"]))
    assert [one["host"] for one in await resolver.resolve("localhost", 80)] == ["127.0.0.1"]
    await resolver.close()
