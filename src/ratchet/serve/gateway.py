"""Serve a gateway: its routes behind the key, the socket and the graceful end that a bundle has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ratchet.endpoint.key import Key
from ratchet.errors import ExtraMissing, RatchetError
from ratchet.gateway.config import GatewayConfig
from ratchet.recipe.endpoint import EndpointSpec
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import listen

if TYPE_CHECKING:
    from ratchet.gateway.guard import Watch


@dataclass(kw_only=True)
class Standing:
    """How a server without a model of its own stands: what a server asks of an engine."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)
    failure: None = None
    served: None = None
    waiting: int = 0
    draining: bool = False

    @property
    def standing(self) -> str:
        """One of the states of an engine."""
        return "draining" if self.draining else "ready"


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
        watch: looks at the texts of requests; ``None``: Ratchet's own guard, by the settings.
        say: gets the lines for people.

    Raises:
        RatchetError: an address, a key or the file of usage is not usable.
        ExtraMissing: a package of the ``serve`` extra is not installed.
    """
    for package in ("starlette", "uvicorn", "msgspec", "prometheus_client"):
        if find_spec(package) is None:
            raise ExtraMissing(package, extra="serve", why="The gateway")
    from ratchet.gateway.accounts import Accounts
    from ratchet.gateway.app import Gateway, build_app
    from ratchet.gateway.arms import Arm, OneArm
    from ratchet.gateway.injections import guard_of
    from ratchet.gateway.upstream import Upstream
    from ratchet.serve.certificate import Certificate
    from ratchet.serve.front import fronted

    _require_address(backend, key_env=key_env)
    upstream = Upstream(backend, key=Key.from_environment(key_env), timeouts=config.timeouts)
    gateway = Gateway(
        config,
        router=OneArm(arm=Arm(name="backend", backend=upstream)),
        guard=guard_of(config, watch),
        accounts=Accounts(prices=config.prices, file=Path(config.usage) if config.usage else None),
    )
    key = listen.single_key()
    listen.asks_for_key(at)
    certificate = Certificate(Path(at.tls_cert), Path(at.tls_key)) if at.tls_cert else None
    app = build_app(gateway)
    app.state.engine = Standing()
    front = fronted(app, config=at, api_key=key, certificate=certificate)
    with listen.listening(at) as listener, listen.quiet_signals():
        url = listen.url_of(listener, secure=certificate is not None)

        def greet() -> None:
            say(f"The gateway to {upstream.authority} is on {url}/v1. Stop with Ctrl-C.")

        app.state.engine.settled.set()
        listen.run(app, listener, front=front, config=at, greet=greet, say=say, certificate=certificate)


def _require_address(backend: str, *, key_env: str) -> None:
    try:
        EndpointSpec(url=backend, key=key_env)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        message = message.replace("url must", "--backend must").replace("key must", "--backend-key-env must")
        raise RatchetError(message) from None
