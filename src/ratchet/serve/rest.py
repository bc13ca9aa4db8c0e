"""The REST interface of a bundle: /predict, /healthz, /readyz, /openapi.json and an offline page at /docs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import require_consent
from ratchet.models.model import Predictor
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.engine import Engine, Served
from ratchet.serve.limits import Intake, require_json
from ratchet.serve.messages import (
    ErrorDetail,
    ErrorResponse,
    Refused,
    Status,
    read_texts,
)
from ratchet.serve.scheduler import Gone
from ratchet.serve.served_bundle import ServedBundle, loading

SMALL = 16 * 1024  # bytes of a body that is read while all others wait
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def build_app(
    bundle_path: Path | str,
    *,
    config: ServeConfig,
    model: Predictor | None = None,
    keyed: bool = False,
    send_to: str = "",
) -> Starlette:
    """The application for one bundle; ``app.state.engine`` is its Engine.

    Args:
        bundle_path: folder of the bundle; it is verified here.
        config: limits, queue, workers and deadline.
        model: used instead of the bundle's own model (tests, null models for measurements).
        keyed: whether the front before it asks for a key (``front.py``); the document and the page say so.
        send_to: the address that texts may be sent to, where the model is behind one.

    Raises:
        BundleError: the bundle is incomplete or was changed, or sends texts to another address than ``send_to``.
        RatchetError: its task is not installed.
    """
    folder = Path(bundle_path)
    bundle = Bundle.open(folder)
    far = require_consent(bundle, send_to=send_to)
    load = partial(loading, config=config, model=model, send_to=send_to)
    engine: Engine[ServedBundle] = Engine(partial(load, bundle), config=config)
    service = _Service(first=ServedBundle.of(bundle), engine=engine, config=config, keyed=keyed)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        begun = asyncio.create_task(engine.start())
        yield
        await begun
        await engine.close()

    routes = [
        Route("/", _to_docs),
        Route("/predict", service.predict, methods=["POST"]),
        Route("/healthz", service.healthz),
        Route("/readyz", service.readyz),
        Route("/openapi.json", service.document),
        Route("/docs", service.docs),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=service.handlers)
    app.router.redirect_slashes = False
    app.state.engine = engine
    app.state.bundle, app.state.destination = bundle, far
    app.state.swap = partial(engine.swap, partial(load, folder))
    return app


class _Service:
    """The endpoints; each refuses by raising Refused."""

    def __init__(self, *, first: ServedBundle, engine: Engine[ServedBundle], config: ServeConfig, keyed: bool) -> None:
        self._first, self._engine = first, engine
        self._config = config
        self._intake = Intake(config)
        self._keyed = keyed
        self._documents: dict[str, bytes] = {}
        self._page, self._page_headers = _page()
        self.handlers: dict[Any, Any] = {
            Refused: self._refused,
            HTTPException: self._http_error,
            ClientDisconnect: self._left,
            Gone: self._left,
            Exception: self._crashed,
        }

    async def predict(self, request: Request) -> Response:
        since = time.monotonic()
        require_json(request)
        body = bytearray()
        try:
            await self._intake.read(request, body, admit=self._engine.require_room)
            served = self._engine.require_room()
            with served.used():
                answer = await self._predicted(request, body, served=served, since=since)
        finally:
            self._intake.release(body)
        return self._json(answer)

    async def _predicted(
        self, request: Request, body: bytearray, *, served: Served[ServedBundle], since: float
    ) -> bytes:
        """From the bytes of the body to those of the answer; large ones are read and written in a thread, beside the others."""
        read = partial(read_texts, body, config=self._config, fields=served.what.fields)
        rows = read() if len(body) <= SMALL else await asyncio.to_thread(read)
        request.scope.setdefault("state", {})["rows"] = len(rows)
        if not len(rows):
            return served.what.written(np.zeros((0, len(served.what.labels)), dtype=np.float32))
        left = since + self._config.deadline - time.monotonic()
        answers = await self._engine.ask(served, rows, seconds=left, gone=partial(_gone, request))
        if served.what.live is not None:
            served.what.live.see(rows, answers)
        if answers.size <= SMALL // 64:
            return served.what.written(answers)
        return await asyncio.to_thread(served.what.written, answers)

    async def healthz(self, _: Request) -> Response:
        return self._answer(Status(status="alive"))

    async def readyz(self, _: Request) -> Response:
        if self._engine.failure is not None:
            raise Refused(503, "failed", "The model could not be loaded; the server's log has the reason.")
        if not self._engine.ready:
            self._engine.require_room()
            raise Refused(503, "not_ready", "The server is about to stop.", headers={"Retry-After": "1"})
        return self._answer(Status(status="ready", model=self._now.name, bundle=self._now.short))

    async def document(self, _: Request) -> Response:
        now = self._now
        if now.short not in self._documents:
            self._documents = {now.short: now.document(keyed=self._keyed)}
        return Response(self._documents[now.short], media_type="application/json")

    async def docs(self, _: Request) -> Response:
        return Response(self._page, media_type="text/html; charset=utf-8", headers=self._page_headers)

    @property
    def _now(self) -> ServedBundle:
        """What is served, or about to be."""
        return self._first if self._engine.served is None else self._engine.served.what

    def _answer(self, message: msgspec.Struct, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return self._json(msgspec.json.encode(message), status=status, headers=headers)

    def _json(self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        headers = dict(headers or {})
        if self._engine.draining:
            headers["Connection"] = "close"
        return Response(body, status, headers, media_type="application/json")

    def _error(self, status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
        error = ErrorResponse(error=ErrorDetail(type=kind, message=message))
        return self._answer(error, status=status, headers=headers)

    async def _refused(self, _: Request, error: Refused) -> Response:
        return self._error(error.status, error.kind, error.message, error.headers)

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        kinds = {404: "not_found", 405: "method_not_allowed"}
        messages = {
            404: "There is nothing at this path; /docs lists what there is.",
            405: f"This path does not answer to {request.method}.",
        }
        status = error.status_code
        headers = dict(error.headers or {})
        return self._error(status, kinds.get(status, "refused"), messages.get(status, str(error.detail)), headers)

    async def _left(self, _: Request, __: ClientDisconnect | Gone) -> Response:
        return self._error(400, "disconnected", "The client went away.")

    async def _crashed(self, _: Request, __: Exception) -> Response:
        return self._error(500, "internal", "The server failed on this request; its log has the reason.")


async def _gone(request: Request) -> None:
    """Ends when the client of a request whose body was read has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _to_docs(_: Request) -> Response:
    return RedirectResponse("docs")


def _page() -> tuple[str, dict[str, str]]:
    """The page at /docs and its headers: only its own script may run, and it may talk to this server only."""
    page = files("ratchet.serve").joinpath("static/docs.html").read_text(encoding="utf-8")
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() + "'"
        for code in _SCRIPT.findall(page)
    ]
    policy = (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
