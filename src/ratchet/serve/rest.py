"""The REST interface of a bundle: /predict, /healthz, /readyz, /openapi.json and an offline page at /docs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ratchet.bundle.bundle import Bundle
from ratchet.bundle.predict import require_consent
from ratchet.models.model import Predictor
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.answering import Answering, Question
from ratchet.serve.chat import chat_of, writes
from ratchet.serve.engine import Engine
from ratchet.serve.kserve import KServe
from ratchet.serve.messages import CRASHED, Refused, Status, error_body, read_texts
from ratchet.serve.repository import Repository
from ratchet.serve.scheduler import Gone
from ratchet.serve.served_bundle import ServedBundle, loading

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
    answering = Answering(engine, config=config)
    repository = Repository(engine, first=ServedBundle.of(bundle), load=lambda name: load(_named(folder, name)))
    service = _Service(repository, answering=answering, config=config, keyed=keyed)
    chat = chat_of(engine, config=config) if writes(bundle) else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        begun = asyncio.create_task(engine.start())
        yield
        await begun
        if chat is not None:
            await chat.close()
        await engine.close()

    routes = [
        Route("/", _to_docs),
        Route("/predict", service.predict, methods=["POST"]),
        Route("/healthz", service.healthz),
        Route("/readyz", service.readyz),
        Route("/openapi.json", service.document),
        Route("/docs", service.docs),
        *KServe(repository, answering=answering, config=config).routes,
        *(chat.routes if chat is not None else ()),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=service.handlers)
    app.router.redirect_slashes = False
    app.state.engine = engine
    app.state.bundle, app.state.destination = bundle, far
    app.state.swap, app.state.repository = repository.swap, repository
    app.state.intake = answering.intake
    return app


class _Service:
    """The endpoints; each refuses by raising Refused."""

    def __init__(self, repository: Repository, *, answering: Answering, config: ServeConfig, keyed: bool) -> None:
        self._repository, self._answering = repository, answering
        self._config, self._keyed = config, keyed
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
        return await self._answering.answer(request, self._read)

    def _read(self, body: bytearray, what: ServedBundle) -> Question:
        return Question(rows=read_texts(body, config=self._config, fields=what.fields), written=what.written)

    async def healthz(self, _: Request) -> Response:
        return self._answer(Status(status="alive"))

    async def readyz(self, _: Request) -> Response:
        now = self._repository.require_ready()
        return self._answer(Status(status="ready", model=now.name, bundle=now.short))

    async def document(self, _: Request) -> Response:
        now = self._repository.now
        if now.short not in self._documents:
            self._documents = {now.short: now.document(keyed=self._keyed)}
        return Response(self._documents[now.short], media_type="application/json")

    async def docs(self, _: Request) -> Response:
        return Response(self._page, media_type="text/html; charset=utf-8", headers=self._page_headers)

    def _answer(self, message: msgspec.Struct) -> Response:
        return self._answering.json(msgspec.json.encode(message))

    async def _refused(self, request: Request, error: Refused) -> Response:
        request.scope.setdefault("state", {})["reason"] = error.kind
        body = error_body(error, path=request.url.path)
        return self._answering.json(body, status=error.status, headers=error.headers)

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        kinds = {404: "not_found", 405: "method_not_allowed"}
        messages = {
            404: "There is nothing at this path; /docs lists what there is.",
            405: f"This path does not answer to {request.method}.",
        }
        status = error.status_code
        headers = dict(error.headers or {})
        message = messages.get(status, str(error.detail))
        return await self._refused(request, Refused(status, kinds.get(status, "refused"), message, headers=headers))

    async def _left(self, request: Request, _: ClientDisconnect | Gone) -> Response:
        return await self._refused(request, Refused(400, "disconnected", "The client went away."))

    async def _crashed(self, request: Request, _: Exception) -> Response:
        return await self._refused(request, CRASHED)


def _named(folder: Path, name: str) -> Bundle:
    """The bundle that stands there now, if it has this name; empty: any."""
    bundle = Bundle.open(folder)
    if name not in ("", bundle.name):
        raise Refused(404, "no_such_model", f"The bundle in the folder must be {name[:100]!r} but is {bundle.name!r}.")
    return bundle


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
