"""Serve a gateway: its routes behind the key, the socket and the graceful end that a bundle has."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ratchet.endpoint.key import Key
from ratchet.errors import ExtraMissing, RatchetError
from ratchet.gateway.config import GatewayConfig
from ratchet.gateway.refusal import Refusal
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import listen

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ratchet.gateway.guard import Watch

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/healthz", "/readyz")


@dataclass(kw_only=True)
class Standing:
    """How a server without a model of its own stands: what a server asks of an engine."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)
    failure: None = None
    draining: bool = False


def serve_gateway(
    backend: str,
    *,
    key_env: str = "",
    config: GatewayConfig,
    at: ServeConfig,
    watch: Watch | None = None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """Serve the gateway before an OpenAI-compatible server until SIGTERM or Ctrl-C; streams in flight go on to their end.

    Args:
        backend: base of the server, such as http://127.0.0.1:8080/v1.
        key_env: name of the environment variable with the key that the server wants; empty: none.
        config: limits, timeouts, names and prices.
        at: the address to listen on.
        watch: looks at the texts of requests; ``None``: nobody does.
        say: gets the lines for people.

    Raises:
        RatchetError: an address, a key or the file of usage is not usable.
        ExtraMissing: a package of the ``serve`` extra is not installed.
    """
    for package in ("starlette", "uvicorn", "msgspec"):
        if find_spec(package) is None:
            raise ExtraMissing(package, extra="serve", why="The gateway")
    from ratchet.gateway.accounts import Accounts
    from ratchet.gateway.app import Gateway, build_app
    from ratchet.gateway.arms import Arm, OneArm
    from ratchet.gateway.guard import Guard
    from ratchet.gateway.upstream import Upstream

    _require_address(backend, key_env=key_env)
    upstream = Upstream(backend, key=Key.from_environment(key_env), timeouts=config.timeouts)
    gateway = Gateway(
        config,
        router=OneArm(arm=Arm(name="backend", backend=upstream)),
        guard=Guard(watch, mode=config.guard, seconds=config.guard_seconds) if watch is not None else None,
        accounts=Accounts(prices=config.prices, file=Path(config.usage) if config.usage else None),
    )
    key = listen._key(at.host)
    app = build_app(gateway)
    app.state.engine = Standing()
    app.add_middleware(_Door, key=key or "", names=frozenset({*LOOPBACK, at.host.lower(), *at.names}))
    with listen._listening(at) as listener, listen._quiet_signals():
        url = listen._url(listener)

        def greet() -> None:
            say(f"The gateway to {upstream.authority} is on {url}/v1. Stop with Ctrl-C.")

        app.state.engine.settled.set()
        listen._run(app, listener, config=at, greet=greet)


def _require_address(backend: str, *, key_env: str) -> None:
    try:
        EndpointSpec(url=backend, key=key_env)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        message = message.replace("url must", "--backend must").replace("key must", "--backend-key-env must")
        raise RatchetError(message) from None


class _Door:
    """Lets those in who have the key; where there is none, those who call this machine by its name."""

    def __init__(self, app: ASGIApp, *, key: str, names: frozenset[str]) -> None:
        self._app, self._key, self._names = app, key.encode(), names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it pass, or answer that it may not."""
        if scope["type"] != "http" or scope["path"] in _OPEN or self._passes(scope):
            await self._app(scope, receive, send)
            return
        refusal = Refusal(
            401, "unauthorized", "The API key is missing or wrong, or the header Host names another server."
        )
        headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": refusal.body})

    def _passes(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        if not self._key:
            host = headers.get(b"host", b"").decode("latin-1")
            name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
            return name.strip("[]").lower().rstrip(".") in self._names
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        return hmac.compare_digest(given, self._key)
