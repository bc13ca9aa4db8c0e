"""The REST interface of a bundle: /predict, /healthz, /readyz, /openapi.json and an offline page at /docs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from ratchet.bundle.predict import load_model, require_consent
from ratchet.models.model import Answers, Predictor
from ratchet.recipe.sections import ServeConfig
from ratchet.serve import openapi
from ratchet.serve.engine import SELF_TEST, Engine, Job, threads_each
from ratchet.serve.limits import Intake, require_json
from ratchet.serve.messages import (
    ErrorDetail,
    ErrorResponse,
    PredictResponse,
    Refused,
    Status,
    read_texts,
)
from ratchet.serve.rows import Cells, Fields
from ratchet.tasks.registry import task_of
from ratchet.tasks.task import Task

SHORT = 12  # hex digits of the bundle's sha256 in answers
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
    bundle = Bundle.open(Path(bundle_path))
    far = require_consent(bundle, send_to=send_to)
    load = partial(load_model, bundle, threads=threads_each(config), send_to=send_to)
    answering = _Answering.of(bundle)
    engine = Engine(
        lambda: model or load(),
        config=config,
        rows=answering.fields.inputs([answering.alone(text) for text in SELF_TEST]) if far is None else (),
        probe=lambda answers: answering.written(answers, names=bundle.labels),
    )
    service = _Service(answering=answering, engine=engine, config=config, keyed=keyed)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(engine.start())
        yield
        await loading
        engine.close()

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
    return app


@dataclass(frozen=True, kw_only=True)
class _Answering:
    """What a bundle is asked, and how its answers are written."""

    name: str
    short: str
    task: Task
    fields: Fields
    labels: tuple[str, ...]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, bundle: Bundle) -> _Answering:
        """That of a bundle."""
        manifest = bundle.manifest
        return cls(
            name=bundle.name,
            short=bundle.sha256[:SHORT],
            task=task_of(manifest.task),
            fields=Fields.of(manifest),
            labels=bundle.labels,
            facts=manifest.model,
        )

    def alone(self, text: str) -> Cells:
        """A row of this text and nothing else."""
        return (text, *(None for _ in self.fields.names[1:]))

    def written(self, answers: Answers, *, names: Sequence[str]) -> bytes:
        """The body of an answer."""
        found = self.task.predictions(answers, names=names, facts=self.facts)
        return msgspec.json.encode(PredictResponse(model=self.name, bundle=self.short, predictions=found))

    def document(self, *, keyed: bool) -> bytes:
        """The OpenAPI document."""
        schema = self.task.schema(names=self.labels, facts=self.facts)
        what = openapi.Served(name=self.name, version=self.short, prediction=schema, fields=self.fields)
        return msgspec.json.encode(openapi.document(what, keyed=keyed))


class _Service:
    """The endpoints; each refuses by raising Refused."""

    def __init__(self, *, answering: _Answering, engine: Engine, config: ServeConfig, keyed: bool) -> None:
        self._answering, self._engine = answering, engine
        self._config = config
        self._intake = Intake(config)
        self._document = answering.document(keyed=keyed)
        self._page, self._page_headers = _page()
        self.handlers: dict[Any, Any] = {
            Refused: self._refused,
            HTTPException: self._http_error,
            ClientDisconnect: self._gone,
            Exception: self._crashed,
        }

    async def predict(self, request: Request) -> Response:
        since = time.monotonic()
        require_json(request)
        body = bytearray()
        try:
            await self._intake.read(request, body, admit=self._engine.require_room)
            answer = await self._engine.run(
                partial(self._predicted, body, request.scope.setdefault("state", {})), since=since
            )
        finally:
            self._intake.release(body)
        return self._json(answer)

    def _predicted(self, body: bytearray, state: dict[str, Any], job: Job) -> bytes:
        """From the bytes of the body to those of the answer; runs in a thread, so that neighbours do not wait."""
        rows = read_texts(body, config=self._config, fields=self._answering.fields)
        state["rows"] = len(rows)
        return self._answering.written(job.predict(rows), names=job.model.labels)

    async def healthz(self, _: Request) -> Response:
        return self._answer(Status(status="alive"))

    async def readyz(self, _: Request) -> Response:
        if self._engine.failure is not None:
            raise Refused(503, "failed", "The model could not be loaded; the server's log has the reason.")
        if not self._engine.ready:
            message = "The server is about to stop." if self._engine.draining else "The model is still loading."
            raise Refused(503, "not_ready", message, headers={"Retry-After": "1"})
        return self._answer(Status(status="ready", model=self._answering.name, bundle=self._answering.short))

    async def document(self, _: Request) -> Response:
        return Response(self._document, media_type="application/json")

    async def docs(self, _: Request) -> Response:
        return Response(self._page, media_type="text/html; charset=utf-8", headers=self._page_headers)

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

    async def _gone(self, _: Request, __: ClientDisconnect) -> Response:
        return self._error(400, "disconnected", "The client went away.")

    async def _crashed(self, _: Request, __: Exception) -> Response:
        return self._error(500, "internal", "The server failed on this request; its log has the reason.")


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
