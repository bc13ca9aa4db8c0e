"""Calls over gRPC: who may make them, what becomes of a refusal, and how a message is answered by the engine."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.admission import Admission
from ratchet.serve.answering import Question, answered
from ratchet.serve.engine import Engine
from ratchet.serve.limits import Intake
from ratchet.serve.messages import CRASHED, Refused
from ratchet.serve.ring import key_of
from ratchet.serve.served_bundle import ServedBundle

logger = logging.getLogger("ratchet.serve")

CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""The code of a refusal by its HTTP status; of all others INVALID_ARGUMENT."""
KIND = "ratchet-error"
"""The trailing metadata with the short word of a refusal."""

Context: TypeAlias = grpc.aio.ServicerContext
Unary: TypeAlias = Callable[[bytes, Context], Awaitable[bytes]]
Streamed: TypeAlias = Callable[[Context], Awaitable[None]]
Some = TypeVar("Some", bound=Message)


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method that may be called.

    Attributes:
        handler: answers it.
        scope: what a key must be for; empty: anybody may call it.
        asks: whether it asks the engine, so that a full queue refuses it before its message is read.
    """

    handler: grpc.RpcMethodHandler
    scope: str = ""
    asks: bool = False


class Doors(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method that is called, and refuses before anything of its message is read.

    Args:
        methods: by path, such as ``/ratchet.v1.Predictor/Predict``.
        admission: who may call.
        engine: has room or not.
    """

    def __init__(self, methods: Mapping[str, Method], *, admission: Admission, engine: Engine[ServedBundle]) -> None:
        self._methods, self._admission, self._engine = methods, admission, engine

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a call; there is none of a method that nobody has."""
        method = self._methods.get(call.method)
        if method is None:
            return None
        try:
            if method.scope:
                given = dict(call.invocation_metadata)
                key = key_of(*(_text(given.get(name, "")).encode() for name in ("authorization", "x-api-key")))
                self._admission.admit(key, scope=method.scope, network="gRPC")
            if method.asks:
                self._engine.require_room()
        except Refused as error:
            # One of a stream is not read before it is answered.
            return grpc.stream_stream_rpc_method_handler(partial(_refuse, error))
        return method.handler


class Asking:
    """Answers messages by the engine.

    Args:
        engine: is asked.
        intake: counts the bytes of the messages together with those of other interfaces.
        config: limits and deadline.
    """

    def __init__(self, engine: Engine[ServedBundle], *, intake: Intake, config: ServeConfig) -> None:
        self._engine, self._intake, self.config = engine, intake, config

    async def answer(self, raw: bytes, context: Context, read: Callable[[bytes, ServedBundle], Question]) -> bytes:
        """The bytes of the answer to a message.

        Raises:
            Refused: it is refused by its size or its contents, or cannot be answered now.
        """
        seconds, left = self.config.deadline, context.time_remaining()
        until = time.monotonic() + (seconds if left is None else min(seconds, left))
        self._intake.keep(raw)
        try:
            served = self._engine.require_room()
            return await answered(self._engine, served, partial(read, raw), size=len(raw), until=until)
        finally:
            self._intake.release(raw)


def unary(call: Unary) -> grpc.RpcMethodHandler:
    """The handler of a method with one message and one answer, both as bytes."""

    async def handle(raw: bytes, context: Context) -> bytes:
        try:
            return await call(raw, context)
        except Refused as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - whatever fails is one answer, and no secret in the log
            refused = _crashed(error)
        await _abort(refused, context)
        raise AssertionError

    return grpc.unary_unary_rpc_method_handler(handle)


def told(message: type[Some], answer: Callable[[Some], Message | Awaitable[Message]]) -> grpc.RpcMethodHandler:
    """The handler of a method that does not ask the engine: from a message to its answer."""

    async def call(raw: bytes, _: Context) -> bytes:
        found = answer(parsed(message, raw))
        whole = found if isinstance(found, Message) else await found
        return bytes(whole.SerializeToString())

    return unary(call)


def streamed(call: Streamed) -> grpc.RpcMethodHandler:
    """The handler of a method with streams of bytes both ways, which reads and writes its context."""

    async def handle(_: object, context: Context) -> None:
        try:
            await call(context)
            return
        except Refused as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - as above
            refused = _crashed(error)
        await _abort(refused, context)

    return grpc.stream_stream_rpc_method_handler(handle)


def parsed(message: type[Some], raw: bytes) -> Some:
    """The message that these bytes are.

    Raises:
        Refused: 400 when they are none, or a text in it is not UTF-8.
    """
    try:
        found: Some = message.FromString(raw)
    except DecodeError as error:
        what = f"The message must be a {message.DESCRIPTOR.full_name} of protocol buffers, with texts in UTF-8, but is not."
        raise Refused(400, "bad_message", what) from error
    return found


async def _refuse(error: Refused, _: object, context: Context) -> None:
    await _abort(error, context)


async def _abort(error: Refused, context: Context) -> None:
    """End the call with the code of a refusal, its sentence, and its word in the trailing metadata."""
    code = CODES.get(error.status, grpc.StatusCode.INVALID_ARGUMENT)
    further = [("retry-after", error.headers["Retry-After"])] if "Retry-After" in error.headers else []
    await context.abort(code, error.message, ((KIND, error.kind), *further))


def _crashed(error: Exception) -> Refused:
    """The exception's own text may hold the user's text, which does not belong in a log."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("a call failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    logger.debug("its traceback", exc_info=error)
    return CRASHED


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
