"""The port: closed while another operator leads, open from when we do, free again afterwards."""

import asyncio
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import grpc
import pytest
from asking import keda
from turned import turn
from twins import ClockTwin, resource

from foretide.operator.clock import SystemClock
from foretide.operator.keda.externalscaler_pb2 import DESCRIPTOR
from foretide.operator.keda.ledger import SPARE, Ledger
from foretide.operator.keda.serving import serve
from foretide.operator.registry import Registry
from foretide.operator.seams import Key

FIELDS = {
    "ScaledObjectRef": {"name": 1, "namespace": 2, "scalerMetadata": 3},
    "IsActiveResponse": {"result": 1},
    "GetMetricSpecResponse": {"metricSpecs": 1},
    "MetricSpec": {"metricName": 1, "targetSize": 2, "targetSizeFloat": 3},
    "GetMetricsRequest": {"scaledObjectRef": 1, "metricName": 2},
    "GetMetricsResponse": {"metricValues": 1},
    "MetricValue": {"metricName": 1, "metricValue": 2, "metricValueFloat": 3},
}
"""KEDA's, as of v2.20."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def listening(port: int) -> None:
    async with asyncio.timeout(5):
        while not listens(port):  # noqa: ASYNC110 (another thread opens it)
            await asyncio.sleep(0.02)


def ledger(leads: bool = True) -> Ledger:
    registry = Registry()
    registry.see(resource(actuation="keda"))
    return Ledger(registry, clock=SystemClock(), leads=lambda: leads, stale_s=180.0)


def test_the_messages_have_kedas_names_and_numbers() -> None:
    messages = {name: message.fields_by_name for name, message in DESCRIPTOR.message_types_by_name.items()}
    assert {name: {field: fields[field].number for field in fields} for name, fields in messages.items()} == FIELDS
    assert DESCRIPTOR.package == "externalscaler"
    (service,) = DESCRIPTOR.services_by_name.values()
    assert set(service.methods_by_name) == {"IsActive", "StreamIsActive", "GetMetricSpec", "GetMetrics"}


async def test_the_port_opens_with_the_lead_and_closes_with_the_operator() -> None:
    port, lead = free_port(), [False]
    book = ledger()
    task = asyncio.create_task(
        serve(f"127.0.0.1:{port}", book, leads=lambda: lead[0], clock=SystemClock(), count=lambda _: None)
    )
    await asyncio.sleep(0.1)
    assert not listens(port)
    lead[0] = True
    await listening(port)
    async with keda(port) as client:
        stream = client.stream()
        reading = asyncio.create_task(stream.read())
        assert (await client.spec()).metricSpecs[0].targetSize == 1
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert await reading is grpc.aio.EOF
    assert not listens(port)


async def test_a_port_that_is_taken_is_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        work = serve(address, ledger(), leads=lambda: True, clock=SystemClock(), count=lambda _: None)
        task = asyncio.create_task(work)
        await asyncio.sleep(0.2)
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert f"KEDA is not served: {address}" in caplog.text


def test_what_stands_of_resources_that_are_gone_does_not_pile_up() -> None:
    registry, clock = Registry(), ClockTwin()
    book = Ledger(registry, clock=clock, leads=lambda: True, stale_s=180.0)
    finished = turn(live=3, ordered=None, proposed=3)
    for number in range(3 * SPARE):
        book.take(replace(finished, entry=replace(finished.entry, key=Key("prod", f"gone-{number}"))))
    assert len(book._standings) <= SPARE


def test_who_does_not_use_keda_loads_nothing_of_grpc() -> None:
    line = "import sys, foretide.operator.serve, foretide.cli.operate; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", line], check=False).returncode == 0
