"""The front: what every request passes before an application sees it. Keys, scopes, rates, request ids, metrics, audit."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from ratchet import __version__
from ratchet.recipe.sections import ServeConfig
from ratchet.recipe.watch import LOOPBACK
from ratchet.serve.admission import Admission, require_scope
from ratchet.serve.audit import Audit, Line
from ratchet.serve.certificate import Certificate
from ratchet.serve.doors import METRICS, Patterns, scope_of
from ratchet.serve.engine import STATES, Engine
from ratchet.serve.exchange import GONE, Exchange
from ratchet.serve.limits import linger, require_host
from ratchet.serve.messages import Refused
from ratchet.serve.metrics import Metrics
from ratchet.serve.ring import ANONYMOUS, UNKNOWN, Client, Ring
from ratchet.serve.spans import Spans

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ratchet.serve.served_bundle import ServedBundle

logger = logging.getLogger("ratchet.serve")

TEND_SECONDS = 1.0  # between two looks at the files of keys, certificate and audit log
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PREFLIGHT = "GET, POST"
PREFLIGHT_HEADERS = "Authorization, Content-Type, X-API-Key, X-Request-ID"
EXPOSED = b"X-Request-ID, Retry-After"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Whom the front lets in."""

    ring: Ring
    names: Collection[str] = ()
    """Host names by which the server may be called where it asks for no key."""
    origins: Collection[str] = ()
    """Sites whose pages may call it, such as ``https://app.example.org``; none unless named."""


class Front:
    """An ASGI application around another one.

    It puts ``client`` (a ``Client``) and ``request_id`` into ``scope["state"]``, and takes ``rows`` from there, if the
    application has put the number of rows of the request in.

    Args:
        app: the application; where it has ``routes``, their paths are the labels of the metrics.
        policy: whom to let in.
        metrics: what is counted; served at /metrics.
        audit: gets a line a request.
        spans: gets a span a request.
        tended: called once a second while the application runs, beside the ring and the audit log.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: Policy,
        metrics: Metrics,
        audit: Audit | None = None,
        spans: Spans | None = None,
        tended: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.app, self.metrics = app, metrics
        self._policy, self._audit, self._spans = policy, audit, spans
        self._patterns = Patterns(_paths(app))
        self.admission = Admission(policy.ring)
        self._origins = frozenset(origin.encode() for origin in policy.origins)
        self._in_flight = 0
        self._tended = (policy.ring.refresh, *([audit.refresh] if audit else ()), *tended)
        metrics.gauge("in_flight", "Requests that are being answered.", lambda: self._in_flight)
        if audit is not None:
            metrics.gauge("audit_lost", "Lines of the audit log that could not be written.", lambda: audit.lost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the application's beginning and end."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, Exchange(scope, receive, send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    def reopen(self) -> None:
        """Open the audit log anew, as after a rotation."""
        if self._audit is not None:
            self._audit.reopen()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        tending = asyncio.create_task(self._tend())
        try:
            await self.app(scope, receive, send)
        finally:
            tending.cancel()
            if self._spans is not None:
                await asyncio.to_thread(self._spans.close)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            for refresh in self._tended:
                try:
                    refresh()
                except Exception as error:  # noqa: BLE001  one file must not keep the others from being read again
                    logger.error("What changed on disk could not be read: %s: %s.", type(error).__name__, error)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        since = time.perf_counter()
        self._in_flight += 1
        state = scope.setdefault("state", {})
        state["request_id"] = exchange.request_id
        try:
            await self._passed(scope, exchange)
        except Refused as error:
            request = Request(scope, exchange.receive)
            await linger(request, request.headers.get("content-length", ""))
            if not exchange.status:
                await exchange.refuse(error)
        except Exception as error:  # noqa: BLE001  whatever the application raises is one answer, and no secret in the log
            self._say_failed(error, exchange)
            if not exchange.status:
                await exchange.refuse(
                    Refused(500, "internal", "The server failed on this request; its log has the reason.")
                )
        finally:
            self._in_flight -= 1
            self._note(scope, exchange, seconds=time.perf_counter() - since)

    async def _passed(self, scope: Scope, exchange: Exchange) -> None:
        """Let it pass to the application, or answer it here."""
        head, path = exchange.head, scope["path"]
        if self._origins and head.origin in self._origins:
            exchange.headers += [
                (b"access-control-allow-origin", head.origin),
                (b"access-control-expose-headers", EXPOSED),
                (b"vary", b"Origin"),
            ]
            if scope["method"] == "OPTIONS":
                allowed = {
                    "Access-Control-Allow-Methods": PREFLIGHT,
                    "Access-Control-Allow-Headers": PREFLIGHT_HEADERS,
                    "Access-Control-Max-Age": "600",
                }
                await exchange.answer(b"", kind="text/plain", status=200, headers=allowed)
                return
        need = scope_of(path)
        exchange.client = scope["state"]["client"] = UNKNOWN
        if need is not None:
            exchange.client = scope["state"]["client"] = self._admitted(scope, exchange, need)
        if path != METRICS:
            await self.app(scope, exchange.receive, exchange.send)
        elif scope["method"] in ("GET", "HEAD"):
            body, kind = self.metrics.text()
            await exchange.answer(body, kind=kind)
        else:
            raise Refused(405, "method_not_allowed", "This path answers to GET.", headers={"Allow": "GET, HEAD"})

    def _admitted(self, scope: Scope, exchange: Exchange, need: str) -> Client:
        """Who asks, if they may.

        Raises:
            Refused: 401 when the key is unknown, 403 when it lacks the scope, 429 when it is used too often; where no key is
                asked for 421 and 403 when a page of another site sent it.
        """
        if not self.admission.asks:
            require_host(exchange.head.host.decode("latin-1"), names=self._policy.names)
            self._require_origin(exchange)
            client = ANONYMOUS
        else:
            client = self._known(scope, exchange)
        exchange.blamed = need not in client.scopes
        require_scope(client, need)
        return client

    def _known(self, scope: Scope, exchange: Exchange) -> Client:
        exchange.blamed = True
        held = self.admission.held(exchange.head.key, network=_network(scope))
        exchange.client = held.client
        exchange.blamed = time.time() >= held.expires
        self.admission.require_valid(held)
        return held.client

    def _require_origin(self, exchange: Exchange) -> None:
        """A page of another site may send some requests without asking; the browser says which site it is."""
        origin = exchange.head.origin
        if origin and origin.partition(b"://")[2] != exchange.head.host and origin not in self._origins:
            exchange.blamed = True
            raise Refused(403, "wrong_origin", "Pages of other sites may not call this server.")

    def _note(self, scope: Scope, exchange: Exchange, *, seconds: float) -> None:
        route = self._patterns.of(scope["path"])
        status, rows = exchange.status or GONE, scope["state"].get("rows", 0)
        reason = exchange.reason or scope["state"].get("reason", "")
        self.metrics.answered(route, status, seconds=seconds, rows=rows, reason=reason)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        if self._spans is not None:
            parent, name = exchange.head.traceparent, exchange.request_id
            self._spans.note(method, route, status=status, seconds=seconds, request_id=name, parent=parent)
        if self._audit is None:
            return
        line = Line(
            time=datetime.now(UTC),
            request=exchange.request_id,
            key=exchange.client.id,
            method=method,
            route=route,
            status=status,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            milliseconds=round(1000 * seconds, 2),
            rows=rows,
            refused=reason,
            address=_address(scope) if exchange.blamed else "",
        )
        self._audit.write(line)

    def _say_failed(self, error: Exception, exchange: Exchange) -> None:
        """The exception's own text may hold the user's text, which does not belong in a log."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        logger.error("request %s failed: %s at %s:%s", exchange.request_id, name, place.filename, place.lineno)
        logger.debug("its traceback", exc_info=error)


def fronted(app: Starlette, *, config: ServeConfig, api_key: str = "", certificate: Certificate | None = None) -> Front:
    """The front of a server for a bundle, as its configuration wants it.

    Args:
        app: what ``build_app`` made; if it has put a ``Metrics`` into ``app.state.metrics``, its numbers are told too.
        config: the key file, the audit log, names and origins.
        api_key: a key beside those of the file, with all scopes but admin.
        certificate: whose end /metrics tells, and which is read again when its files change.

    Raises:
        RatchetError: the key file or the audit log is not usable.
    """
    engine: Engine[ServedBundle] = app.state.engine
    metrics: Metrics = getattr(app.state, "metrics", None) or Metrics()
    metrics.facts("build", "What serves.", {"version": __version__})
    text = "1 for the bundle that is served, by the first digits of its sha256."
    metrics.gauge("bundle", text, partial(_bundle, engine), label="bundle")
    metrics.gauge("queue_length", "Requests that wait for a worker.", lambda: engine.waiting)
    metrics.gauge("engine_state", "1 for the state that the engine is in.", partial(_states, engine), label="state")
    metrics.gauge(
        "workers", "Workers that compute or could.", lambda: 0 if engine.served is None else engine.served.crew.alive
    )
    text = "How far the last 1,000 rows are from those of the training, 0 to 1 (Cramer's V)."
    metrics.gauge("drift", text, partial(_drift, engine), label="trait")
    metrics.gauge("drift_alarm", "1 for what is no longer like the training.", partial(_alarms, engine), label="trait")
    if certificate is not None:
        text = "Seconds until the certificate ends."
        metrics.gauge("certificate_seconds", text, lambda: certificate.seconds_left)
    return Front(
        app,
        policy=Policy(
            ring=Ring(Path(config.keys) if config.keys else None, single=api_key),
            names=frozenset({*LOOPBACK, *(name.lower() for name in (config.host, *config.names))}),
            origins=config.origins,
        ),
        metrics=metrics,
        audit=Audit(Path(config.audit)) if config.audit else None,
        spans=Spans.wanted(),
        tended=(certificate.refresh,) if certificate else (),
    )


def _bundle(engine: Engine[ServedBundle]) -> dict[str, float]:
    return {} if engine.served is None else {engine.served.what.short: 1.0}


def _drift(engine: Engine[ServedBundle]) -> dict[str, float]:
    live = None if engine.served is None else engine.served.what.live
    return {} if live is None else {shift.trait: shift.distance for shift in live.latest}


def _alarms(engine: Engine[ServedBundle]) -> dict[str, float]:
    live = None if engine.served is None else engine.served.what.live
    return {} if live is None else {shift.trait: float(shift.trait in live.alarms) for shift in live.latest}


def _states(engine: Engine[ServedBundle]) -> dict[str, float]:
    return {state: float(state == engine.standing) for state in STATES}


def _paths(app: ASGIApp) -> Iterable[str]:
    return (path for route in getattr(app, "routes", ()) if (path := getattr(route, "path", "")))


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _network(scope: Scope) -> str:
    """The address, or its network of 64 bits: so many IPv6 addresses belong to one client."""
    address = _address(scope)
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
