"""KEDA's external scaler over gRPC. The metric is the number of replicas to run, with a target of 1 per replica.

KEDA must read it as an AverageValue: HPA multiplies a Value by the ready pods, and the fleet would run away. Whole and
fractional fields are both filled: up to v2.16 KEDA reads the first, since v2.17 the second where it is above 0.

What is NOT promised: who may ask. That is the network policy's; an answer tells a count that `kubectl get` tells too.
"""

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import grpc

from foretide.operator.keda.answer import Answer, Decisions, Refusal, Why
from foretide.operator.keda.externalscaler_pb2 import (
    GetMetricSpecResponse,
    GetMetricsRequest,
    GetMetricsResponse,
    IsActiveResponse,
    MetricSpec,
    MetricValue,
    ScaledObjectRef,
)
from foretide.operator.keda.metadata import METRIC, Asked, BadMetadata, asked

logger = logging.getLogger(__name__)
SERVICE = "externalscaler.ExternalScaler"
PER_REPLICA = 1
CODES = {
    Why.NOT_LEADING: grpc.StatusCode.UNAVAILABLE,
    Why.NOT_DECIDED: grpc.StatusCode.UNAVAILABLE,
    Why.STALE: grpc.StatusCode.UNAVAILABLE,
    Why.UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Why.NOT_OURS: grpc.StatusCode.FAILED_PRECONDITION,
    Why.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
}
Context = Any
"""grpc.aio.ServicerContext[Request, Response]"""


class Scaler:
    """The four calls. `count` is told of every answer: `ok`, or the name of a gRPC status."""

    def __init__(self, decisions: Decisions, *, count: Callable[[str], None]) -> None:
        self._decisions = decisions
        self._count = count

    async def is_active(self, request: ScaledObjectRef, context: Context) -> IsActiveResponse:
        return IsActiveResponse(result=(await self._answer(request, context)).active)

    async def stream_is_active(self, request: ScaledObjectRef, context: Context) -> AsyncIterator[IsActiveResponse]:
        """Whether the target is to run: now, and whenever that changes. Nothing is said while there is no answer."""
        target, told = await self._asked(request, context), None
        with self._decisions.watching(target.key) as news:
            while not self._decisions.stopping:
                # Before the answer: a turn that comes while it is being sent is seen at the next round.
                news.clear()
                found = self._decisions.answer(target.key, pool=target.pool)
                if isinstance(found, Refusal) and found.why in (Why.NOT_LEADING, Why.BAD_REQUEST):
                    await self._abort(context, found)
                if isinstance(found, Answer) and found.active is not told:
                    told = found.active
                    yield IsActiveResponse(result=told)
                await news.wait()

    async def get_metric_spec(self, request: ScaledObjectRef, context: Context) -> GetMetricSpecResponse:
        """The same for every target, so that an HPA can be made before anything was decided."""
        await self._asked(request, context)
        spec = MetricSpec(metricName=METRIC, targetSize=PER_REPLICA, targetSizeFloat=float(PER_REPLICA))
        return GetMetricSpecResponse(metricSpecs=[spec])

    async def get_metrics(self, request: GetMetricsRequest, context: Context) -> GetMetricsResponse:
        if request.metricName != METRIC:
            line = f"metricName: {request.metricName[:80] or '(empty)'}: only {METRIC} is known here"
            await self._abort(context, Refusal(Why.BAD_REQUEST, line))
        count = (await self._answer(request.scaledObjectRef, context)).replicas
        value = MetricValue(metricName=METRIC, metricValue=count, metricValueFloat=float(count))
        return GetMetricsResponse(metricValues=[value])

    async def _answer(self, request: ScaledObjectRef, context: Context) -> Answer:
        target = await self._asked(request, context)
        found = self._decisions.answer(target.key, pool=target.pool)
        if isinstance(found, Refusal):
            await self._abort(context, found)
        self._count("ok")
        return found

    async def _asked(self, request: ScaledObjectRef, context: Context) -> Asked:
        try:
            return asked(request.namespace, request.scalerMetadata)
        except BadMetadata as error:
            await self._abort(context, Refusal(Why.BAD_REQUEST, str(error)))

    async def _abort(self, context: Context, refusal: Refusal) -> NoReturn:
        code = CODES[refusal.why]
        self._count(code.name.lower())
        logger.debug("refused: %s", refusal.message)
        await context.abort(code, refusal.message)
        raise AssertionError("abort raises")


def handlers(scaler: Scaler) -> grpc.GenericRpcHandler:
    """The calls by their names on the wire."""
    ref = ScaledObjectRef.FromString
    active = IsActiveResponse.SerializeToString
    calls = {
        "IsActive": grpc.unary_unary_rpc_method_handler(scaler.is_active, ref, active),
        "StreamIsActive": grpc.unary_stream_rpc_method_handler(scaler.stream_is_active, ref, active),
        "GetMetricSpec": grpc.unary_unary_rpc_method_handler(
            scaler.get_metric_spec, ref, GetMetricSpecResponse.SerializeToString
        ),
        "GetMetrics": grpc.unary_unary_rpc_method_handler(
            scaler.get_metrics, GetMetricsRequest.FromString, GetMetricsResponse.SerializeToString
        ),
    }
    return grpc.method_handlers_generic_handler(SERVICE, calls)
