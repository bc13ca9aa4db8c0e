"""The standard health and reflection services of gRPC, for load balancers and for people with a command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ratchet.serve.admission import PREDICT
from ratchet.serve.messages import Refused
from ratchet.serve.rpc_calls import Context, Method, parsed, streamed, told

SERVICE = "grpc.health.v1.Health"
REFLECTIONS = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
"""Both names of one protocol, whose bytes are the same."""
LOOK = 0.25  # seconds between two looks of who watches


class Health:
    """Whether services can be asked.

    Args:
        services: their names; of others nothing is known.
        ready: whether the model can be asked.
    """

    def __init__(self, services: Collection[str], *, ready: Callable[[], bool]) -> None:
        self._services, self._ready = frozenset({"", *services}), ready
        self._ends = False

    @property
    def methods(self) -> dict[str, Method]:
        """The methods by their paths; they want no key."""
        return {
            f"/{SERVICE}/Check": Method(handler=told(health_pb2.HealthCheckRequest, self._check)),
            f"/{SERVICE}/Watch": Method(handler=streamed(self._watch)),
        }

    def end(self) -> None:
        """End the streams of who watches."""
        self._ends = True

    def _check(self, request: health_pb2.HealthCheckRequest) -> health_pb2.HealthCheckResponse:
        if request.service not in self._services:
            raise Refused(404, "no_such_service", f"There is no service {request.service[:100]!r}.")
        return health_pb2.HealthCheckResponse(status=self._status(request.service))

    def _status(self, service: str) -> int:
        kinds = health_pb2.HealthCheckResponse
        if service not in self._services:
            return int(kinds.SERVICE_UNKNOWN)
        return int(kinds.SERVING if self._ready() else kinds.NOT_SERVING)

    async def _watch(self, context: Context) -> None:
        raw = await context.read()
        if not isinstance(raw, bytes):
            return
        request = parsed(health_pb2.HealthCheckRequest, raw)
        said = None
        while True:
            status, ends = self._status(request.service), self._ends
            if status != said:
                said = status
                await context.write(health_pb2.HealthCheckResponse(status=status).SerializeToString())
            if ends:
                return
            await asyncio.sleep(LOOK)


def reflected(services: Collection[str]) -> dict[str, Method]:
    """The methods of reflection, which tell these services."""
    servicer = reflection.aio.ReflectionServicer((*services, SERVICE, *REFLECTIONS[:1]))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return {f"/{name}/ServerReflectionInfo": Method(handler=handler, scope=PREDICT) for name in REFLECTIONS}
