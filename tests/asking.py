"""A client as KEDA is one: the calls of its proto over a real connection, by their names on the wire."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc

from foretide.operator.keda.externalscaler_pb2 import (
    GetMetricSpecResponse,
    GetMetricsRequest,
    GetMetricsResponse,
    IsActiveResponse,
    ScaledObjectRef,
)
from foretide.operator.keda.scaler import METRIC, SERVICE

LLAMA = {"scalerAddress": "foretide:9091", "autoscaler": "llama"}


class Keda:
    """Asks about the ScaledObject `prod/llama`, whose trigger has `metadata`."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    async def metrics(self, metadata: Mapping[str, str] = LLAMA, *, name: str = METRIC) -> GetMetricsResponse:
        call = self._unary("GetMetrics", GetMetricsRequest, GetMetricsResponse)
        return await call(GetMetricsRequest(scaledObjectRef=ref(metadata), metricName=name))

    async def spec(self, metadata: Mapping[str, str] = LLAMA) -> GetMetricSpecResponse:
        return await self._unary("GetMetricSpec", ScaledObjectRef, GetMetricSpecResponse)(ref(metadata))

    async def active(self, metadata: Mapping[str, str] = LLAMA) -> bool:
        return bool((await self._unary("IsActive", ScaledObjectRef, IsActiveResponse)(ref(metadata))).result)

    def stream(self, metadata: Mapping[str, str] = LLAMA) -> Any:
        """`read()` gives the next IsActiveResponse, or grpc.aio.EOF."""
        call = self._channel.unary_stream(
            f"/{SERVICE}/StreamIsActive",
            request_serializer=ScaledObjectRef.SerializeToString,
            response_deserializer=IsActiveResponse.FromString,
        )
        return call(ref(metadata))

    def _unary(self, name: str, question: Any, answer: Any) -> Any:
        return self._channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=question.SerializeToString,
            response_deserializer=answer.FromString,
        )


def ref(metadata: Mapping[str, str], *, namespace: str = "prod") -> ScaledObjectRef:
    return ScaledObjectRef(name="llama", namespace=namespace, scalerMetadata=dict(metadata))


@asynccontextmanager
async def keda(port: int) -> AsyncIterator[Keda]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Keda(channel)
