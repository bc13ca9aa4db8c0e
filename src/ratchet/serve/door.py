"""Who may enter the routes of the OpenAI protocol: whoever has the key; without one, whoever calls this machine by its name."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ratchet.gateway.refusal import Refusal
from ratchet.recipe.sections import ServeConfig

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/healthz", "/readyz")


class Door:
    """Lets those in who have the key; where there is none, those who call this machine by its name."""

    def __init__(self, app: ASGIApp, *, key: str, at: ServeConfig) -> None:
        self._app, self._key = app, key.encode()
        self._names = frozenset({*LOOPBACK, *(name.lower() for name in (at.host, *at.names))})

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
