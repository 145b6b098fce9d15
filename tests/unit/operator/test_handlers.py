"""Kopf is set up to be loud when it dies and silent otherwise."""

from itertools import islice

from twins import ClockTwin

from foretide.operator.credentials import Credentials
from foretide.operator.handlers import EndlessBackoff, connection, kopf_handlers, kopf_settings
from foretide.operator.loop import Loop
from foretide.operator.registry import Registry
from foretide.operator.watchdog import Limits, Watchdog


async def nothing() -> None:
    pass


def test_only_events_are_handled_so_that_no_finalizer_is_ever_set() -> None:
    clock = ClockTwin()
    dog = Watchdog(limits=Limits(1.0, 1.0), clock=clock, swept_at=clock.monotonic, end=lambda _: None)
    loop: Loop = object()  # type: ignore[assignment]
    handlers = kopf_handlers(
        registry=Registry(), loop=loop, watchdog=dog, credentials=Credentials("http://x"), stop=nothing
    )
    assert len(handlers._watching.get_all_handlers()) == 1
    assert handlers._changing.get_all_handlers() == []
    assert handlers._spawning.get_all_handlers() == []


def test_the_settings_are_the_ones_that_survived_the_faults() -> None:
    settings = kopf_settings()
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert settings.networking.request_timeout == 10
    assert settings.watching.inactivity_timeout == 70


def test_retries_never_end_and_each_request_begins_anew() -> None:
    backoff = EndlessBackoff()
    first, second = list(islice(backoff, 200)), list(islice(backoff, 3))
    assert max(first) <= 6.0
    assert min(first[4:]) >= 4.0
    assert max(second) <= 2.4


def test_kopf_gets_our_credentials() -> None:
    info = connection(Credentials("https://api:6443", token="secret", insecure=True))
    assert (info.server, info.token, info.scheme, info.insecure) == ("https://api:6443", "secret", "Bearer", True)
