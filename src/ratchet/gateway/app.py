"""The routes of the gateway: /v1/chat/completions, /v1/completions and /v1/models."""

from __future__ import annotations

import asyncio
import logging
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ratchet.gateway.accounts import Accounts
from ratchet.gateway.arms import Router
from ratchet.gateway.backend import Call, Path, Reply
from ratchet.gateway.body import Bodies, Body, Gone
from ratchet.gateway.config import GatewayConfig
from ratchet.gateway.exchange import Exchange, Out, while_there
from ratchet.gateway.guard import Guard
from ratchet.gateway.passing import pass_on
from ratchet.gateway.refusal import Refusal, busy
from ratchet.gateway.request import Read, read_request

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

logger = logging.getLogger("ratchet.serve")

PREFIX = "/v1"
_RETRIEVED = b"x-ratchet-retrieved"


class Gateway:
    """What the routes share: the arms, the guard, the accounts, and who is being answered.

    Args:
        config: limits, timeouts, names of models.
        router: chooses the arm of each request.
        guard: looks at the texts; ``None``: nobody does.
        accounts: what was used; ``None``: new ones, without a file.
    """

    def __init__(
        self, config: GatewayConfig, *, router: Router, guard: Guard | None = None, accounts: Accounts | None = None
    ) -> None:
        self.config, self.router, self.guard = config, router, guard
        self.accounts = accounts or Accounts(prices=config.prices)
        self.bodies = Bodies(most=config.limits.body_bytes, seconds=config.timeouts.body)
        self.streams: Counter[str] = Counter()
        """Requests that are being answered, by the id of the key."""
        self.routes = [
            Route(f"{PREFIX}/chat/completions", _Posted(self, "/chat/completions"), methods=["POST"]),
            Route(f"{PREFIX}/completions", _Posted(self, "/completions"), methods=["POST"]),
            Route(f"{PREFIX}/models", _Listed(self), methods=["GET"]),
        ]
        """For an application of Starlette."""

    async def ready(self) -> bool:
        """Whether any backend can be asked."""
        return any(await asyncio.gather(*(arm.backend.ready() for arm in self.router.arms)))

    async def close(self) -> None:
        """Free what it holds."""
        for arm in self.router.arms:
            await arm.backend.close()
        if self.guard is not None:
            self.guard.close()
        self.accounts.close()


class _Endpoint(ABC):
    """An ASGI application for one path. Whatever happens, the client gets one answer, in the form of the protocol."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        exchange = Exchange.of(scope)
        out = Out(exchange, send, seconds=self._gateway.config.timeouts.between)
        try:
            await self._answer(scope, receive, exchange, out)
        except Refusal as error:
            await out.refuse(error)
        except Gone:
            pass  # nobody is there to be told
        except Exception as error:  # noqa: BLE001  an answer must follow, and what an exception says may be a user's text
            place = traceback.extract_tb(error.__traceback__)[-1]
            name = type(error).__name__
            logger.error("request %s failed: %s at %s:%s", exchange.request_id, name, place.filename, place.lineno)
            await out.refuse(Refusal(500, "internal", "The gateway failed on this request; its log has the reason."))
        finally:
            self._gateway.accounts.add(exchange.used())

    @abstractmethod
    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange, out: Out) -> None: ...

    async def _pass(self, reply: Reply, exchange: Exchange, out: Out) -> None:
        try:
            await pass_on(reply, exchange=exchange, out=out, most=self._gateway.config.answer_bytes)
        finally:
            reply.close()


class _Posted(_Endpoint):
    """A conversation or a prompt, answered at once or as a stream."""

    def __init__(self, gateway: Gateway, path: Path) -> None:
        super().__init__(gateway)
        self._path: Path = path

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange, out: Out) -> None:
        gateway, client, body = self._gateway, exchange.client, Body()
        self._require_room(client)
        gateway.streams[client] += 1
        try:
            await gateway.bodies.read(scope, receive, body)
            found = self._read(scope, body.data)
            exchange.asked = found.asked
            async with while_there(receive):
                await self._guard(exchange, found)
                reply = await self._open(exchange, found)
                del found  # a stream may last: what was asked is no longer needed
                gateway.bodies.release(body)
                await self._pass(reply, exchange, out)
        finally:
            gateway.bodies.release(body)
            gateway.streams[client] -= 1
            if not gateway.streams[client]:
                del gateway.streams[client]

    def _require_room(self, client: str) -> None:
        config, streams = self._gateway.config, self._gateway.streams
        if streams.total() >= config.streams:
            raise busy(f"{config.streams} requests are being answered already; try again in a second.")
        if streams[client] >= config.streams_each:
            raise busy(f"{config.streams_each} requests of this key are being answered already.")

    def _read(self, scope: Scope, body: bytearray) -> Read:
        config = self._gateway.config
        chat = self._path == "/chat/completions"
        return read_request(body, chat=chat, limits=config.limits, names=config.names, retrieved=_retrieved(scope))

    async def _guard(self, exchange: Exchange, found: Read) -> None:
        guard = self._gateway.guard
        if guard is not None and guard.mode != "off":
            told = await guard.check(found.pieces)
            exchange.guard = "" if guard.mode == "monitor" else told.header

    async def _open(self, exchange: Exchange, found: Read) -> Reply:
        asked, request_id = found.asked, exchange.request_id
        arm = self._gateway.router.choose(request_id=request_id, client=exchange.client, user=asked.user)
        exchange.arm = arm.name
        return await arm.backend.open(Call(path=self._path, body=found.body, asked=asked, request_id=request_id))


class _Listed(_Endpoint):
    """The models of the first arm."""

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange, out: Out) -> None:
        del scope
        arm = self._gateway.router.arms[0]
        exchange.arm = arm.name
        async with while_there(receive):
            reply = await arm.backend.open(Call(path="/models", asked=exchange.asked, request_id=exchange.request_id))
            await self._pass(reply, exchange, out)


def _retrieved(scope: Scope) -> frozenset[int]:
    """The places of messages that hold what was looked up, as the client says them in a header."""
    value = next((value for name, value in scope["headers"] if name == _RETRIEVED), b"")
    parts = [part.strip() for part in value.split(b",")] if value else []
    if not all(part.isdigit() and len(part) < 6 for part in parts):
        raise Refusal(400, "bad_header", "The header X-Ratchet-Retrieved must hold places of messages, such as 1,3.")
    return frozenset(map(int, parts))


def build_app(gateway: Gateway) -> Starlette:
    """The application of a gateway alone: its routes, and whether it is alive and ready."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.close()

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        if await gateway.ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "no backend"}, 503, {"Retry-After": "1"})

    async def usage(_: Request) -> Response:
        return Response(msgspec.json.encode(gateway.accounts.rows), media_type="application/json")

    routes = [*gateway.routes, Route("/healthz", alive), Route("/readyz", ready), Route("/usage", usage)]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app
