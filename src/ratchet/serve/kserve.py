"""The Open Inference Protocol (KServe v2) over REST: /v2, its models, and the repository of one bundle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ratchet import __version__
from ratchet.models.model import Answers
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.answering import Answering, Question
from ratchet.serve.messages import SHOWN, Refused, decoded
from ratchet.serve.repository import Repository
from ratchet.serve.served_bundle import ServedBundle
from ratchet.serve.tensors import Tensor, flattened, inputs_of, require_parameters, rows_of

SERVER = "ratchet"
EXTENSIONS = ("model_repository",)
"""Extensions of the protocol that are served."""
BINARY = "inference-header-content-length"


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """A tensor of a request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Output(msgspec.Struct, forbid_unknown_fields=True):
    """An output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Rows as tensors, one a column."""

    inputs: list[Input]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Output] = []


class IndexRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Which models are wanted: all, or those that can be asked."""

    ready: bool = False


class LoadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A load has nothing to say: the bundle tells all."""


Body = TypeVar("Body", IndexRequest, LoadRequest)
_index, _load = msgspec.json.Decoder(IndexRequest), msgspec.json.Decoder(LoadRequest)
_decoder = msgspec.json.Decoder(InferRequest)


class KServe:
    """The routes of the protocol.

    Args:
        repository: the bundle, and who may load another.
        answering: takes in bodies, and asks the engine.
        config: limits of a request.
    """

    def __init__(self, repository: Repository, *, answering: Answering, config: ServeConfig) -> None:
        self._repository, self._answering, self._config = repository, answering, config

    @property
    def routes(self) -> list[Route]:
        """All of them."""
        model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
        found = [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2/repository/index", self.index, methods=["GET", "POST"]),
            Route("/v2/repository/models/{name}/load", self.load, methods=["POST"]),
        ]
        for path in (model, version):
            found += [
                Route(path, self.metadata),
                Route(f"{path}/ready", self.model_ready),
                Route(f"{path}/infer", self.infer, methods=["POST"]),
            ]
        return found

    async def live(self, _: Request) -> Response:
        """Whether the process answers."""
        return self._json({"live": True})

    async def ready(self, _: Request) -> Response:
        """Whether its model can be asked."""
        self._repository.require_ready()
        return self._json({"ready": True})

    async def server(self, _: Request) -> Response:
        """Which server this is."""
        return self._json({"name": SERVER, "version": __version__, "extensions": EXTENSIONS})

    async def metadata(self, request: Request) -> Response:
        """Which tensors the model takes and gives."""
        what = self._repository.now
        what.require(*_asked(request))
        tensors = {"inputs": inputs_of(what.fields), "outputs": what.outputs.described}
        return self._json({"name": what.name, "versions": [what.short], "platform": what.platform, **tensors})

    async def model_ready(self, request: Request) -> Response:
        """Whether this model can be asked."""
        what = self._repository.require_ready(*_asked(request))
        return self._json({"name": what.name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """Predictions for the rows in the tensors."""
        if BINARY in request.headers:
            raise Refused(415, "no_such_extension", f"The header {BINARY} must not be there: tensors are sent as JSON.")
        return await self._answering.answer(request, partial(self._read, *_asked(request)))

    async def index(self, request: Request) -> Response:
        """The model that is served, and its state; a body may hold ``{"ready": true}``: only what can be asked."""
        body = await self._body(request, _index)
        return self._json(self._repository.index(ready=body.ready))

    async def load(self, request: Request) -> Response:
        """Serve what stands in the bundle's folder now."""
        await self._body(request, _load)
        await self._repository.load(request.path_params["name"])
        return self._json({})

    async def _body(self, request: Request, decoder: msgspec.json.Decoder[Body]) -> Body:
        """A small body, which may be absent."""
        body = bytearray()
        try:
            await self._answering.intake.read(request, body, admit=lambda: None)
            return decoded(body or b"{}", decoder)
        finally:
            self._answering.intake.release(body)

    def _read(self, name: str, version: str, body: bytearray, what: ServedBundle) -> Question:
        what.require(name, version)
        request = decoded(body, _decoder)
        require_parameters(request.parameters, where="The request")
        for output in request.outputs:
            require_parameters(output.parameters, where=f"The output {output.name[:SHOWN]!r}")
        wanted = what.outputs.wanted([output.name for output in request.outputs])
        rows = rows_of([_tensor(one) for one in request.inputs], fields=what.fields, config=self._config)
        return Question(rows=rows, written=partial(_written, what, request.id, wanted))

    def _json(self, answer: object) -> Response:
        return self._answering.json(msgspec.json.encode(answer))


def _asked(request: Request) -> tuple[str, str]:
    """The model and the version in the path."""
    return request.path_params["name"], request.path_params.get("version", "")


def _tensor(one: Input) -> Tensor:
    require_parameters(one.parameters, where=f"The input {one.name[:SHOWN]!r}")
    return Tensor(name=one.name, datatype=one.datatype, shape=tuple(one.shape), data=flattened(one.data))


def _written(what: ServedBundle, request_id: str, wanted: Sequence[str], answers: Answers) -> bytes:
    """The body of an answer."""
    outputs = [
        {
            "name": one.name,
            "datatype": one.datatype,
            "shape": one.shape,
            **({"parameters": one.parameters} if one.parameters else {}),
            "data": one.data,
        }
        for one in what.outputs.answered(what.predictions(answers), wanted=wanted)
    ]
    named = {"id": request_id} if request_id else {}
    return msgspec.json.encode({"model_name": what.name, "model_version": what.short, **named, "outputs": outputs})
