"""The Open Inference Protocol (KServe v2) over gRPC: the service ``inference.GRPCInferenceService``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ratchet import __version__
from ratchet.models.model import Answers
from ratchet.serve.admission import ADMIN, PREDICT
from ratchet.serve.answering import Question
from ratchet.serve.kserve import EXTENSIONS, SERVER
from ratchet.serve.messages import SHOWN, Refused
from ratchet.serve.protos import inference_pb2 as pb
from ratchet.serve.repository import Repository
from ratchet.serve.rpc_calls import Asking, Context, Method, parsed, told, unary
from ratchet.serve.served_bundle import ServedBundle
from ratchet.serve.tensors import BYTES, Described, Element, Tensor, inputs_of, require_parameters, rows_of

SERVICE = "inference.GRPCInferenceService"
CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The field of the elements of each data type."""
RAW = {
    "BOOL": "?",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""How each number is written as raw bytes."""
LENGTH = 4  # bytes of the length before each text of a raw tensor


def methods(repository: Repository, asking: Asking) -> dict[str, Method]:
    """The methods of the service by their paths."""
    found = {
        "ServerLive": Method(handler=told(pb.ServerLiveRequest, lambda _: pb.ServerLiveResponse(live=True))),
        "ServerReady": Method(
            handler=told(pb.ServerReadyRequest, lambda _: pb.ServerReadyResponse(ready=repository.ready))
        ),
        "ModelReady": Method(handler=told(pb.ModelReadyRequest, partial(_model_ready, repository)), scope=PREDICT),
        "ServerMetadata": Method(handler=told(pb.ServerMetadataRequest, _server), scope=PREDICT),
        "ModelMetadata": Method(handler=told(pb.ModelMetadataRequest, partial(_metadata, repository)), scope=PREDICT),
        "ModelInfer": Method(handler=unary(partial(_infer, asking)), scope=PREDICT, asks=True),
        "RepositoryIndex": Method(handler=told(pb.RepositoryIndexRequest, partial(_index, repository)), scope=ADMIN),
        "RepositoryModelLoad": Method(
            handler=told(pb.RepositoryModelLoadRequest, partial(_load, repository)), scope=ADMIN
        ),
    }
    return {f"/{SERVICE}/{name}": method for name, method in found.items()}


def _server(_: pb.ServerMetadataRequest) -> pb.ServerMetadataResponse:
    return pb.ServerMetadataResponse(name=SERVER, version=__version__, extensions=EXTENSIONS)


def _model_ready(repository: Repository, request: pb.ModelReadyRequest) -> pb.ModelReadyResponse:
    repository.now.require(request.name, request.version)
    return pb.ModelReadyResponse(ready=repository.ready)


def _metadata(repository: Repository, request: pb.ModelMetadataRequest) -> pb.ModelMetadataResponse:
    what = repository.now
    what.require(request.name, request.version)
    return pb.ModelMetadataResponse(
        name=what.name,
        versions=[what.short],
        platform=what.platform,
        inputs=_described(inputs_of(what.fields)),
        outputs=_described(what.outputs.described),
    )


def _described(tensors: Sequence[Described]) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    kind = pb.ModelMetadataResponse.TensorMetadata
    return [kind(name=one.name, datatype=one.datatype, shape=one.shape) for one in tensors]


def _index(repository: Repository, request: pb.RepositoryIndexRequest) -> pb.RepositoryIndexResponse:
    found = repository.index(ready=request.ready)
    kind = pb.RepositoryIndexResponse.ModelIndex
    models = [kind(name=one.name, version=one.version, state=one.state, reason=one.reason) for one in found]
    return pb.RepositoryIndexResponse(models=models)


async def _load(repository: Repository, request: pb.RepositoryModelLoadRequest) -> pb.RepositoryModelLoadResponse:
    if request.parameters:
        raise Refused(422, "wrong_shape", "A load must have no parameters: the bundle tells all.")
    await repository.load(request.model_name)
    return pb.RepositoryModelLoadResponse()


async def _infer(asking: Asking, raw: bytes, context: Context) -> bytes:
    return await asking.answer(raw, context, partial(_read, asking))


def _read(asking: Asking, raw: bytes, what: ServedBundle) -> Question:
    """What a message asks."""
    request = parsed(pb.ModelInferRequest, raw)
    what.require(request.model_name, request.model_version)
    require_parameters(_parameters(request.parameters), where="The request")
    for output in request.outputs:
        require_parameters(_parameters(output.parameters), where=f"The output {output.name[:SHOWN]!r}")
    wanted = what.outputs.wanted([output.name for output in request.outputs])
    rows = rows_of(_tensors(request), fields=what.fields, config=asking.config)
    return Question(rows=rows, written=partial(_written, what, request.id, wanted))


def _tensors(request: pb.ModelInferRequest) -> list[Tensor]:
    """The inputs, whose elements stand in them or are raw bytes beside them."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        message = (
            f"raw_input_contents must have {len(request.inputs)} elements, one for each input, but has {len(raw)}."
        )
        raise Refused(422, "wrong_shape", message)
    found = []
    for place, one in enumerate(request.inputs):
        require_parameters(_parameters(one.parameters), where=f"The input {one.name[:SHOWN]!r}")
        if raw and one.HasField("contents"):
            message = f"{one.name[:SHOWN]!r} must have its contents once but has raw ones, too."
            raise Refused(422, "wrong_shape", message)
        data = _unpacked(raw[place], one) if raw else getattr(one.contents, CONTENTS.get(one.datatype, CONTENTS[BYTES]))
        found.append(Tensor(name=one.name, datatype=one.datatype, shape=tuple(one.shape), data=data))
    return found


def _unpacked(raw: bytes, one: pb.ModelInferRequest.InferInputTensor) -> Sequence[Element]:
    """The elements in raw bytes."""
    name = f"{one.name[:SHOWN]!r}"
    if one.datatype != BYTES:
        kind = np.dtype(RAW.get(one.datatype, "<u1"))
        if len(raw) % kind.itemsize:
            message = f"The raw contents of {name} must be {one.datatype} of {kind.itemsize} bytes but have {len(raw)}."
            raise Refused(422, "wrong_shape", message)
        numbers: list[Element] = np.frombuffer(raw, kind).tolist()
        return numbers
    found: list[Element] = []
    at = 0
    while at < len(raw):
        end = at + LENGTH + int.from_bytes(raw[at : at + LENGTH], "little")
        if end > len(raw):
            message = (
                f"The raw contents of {name} must be texts after their length of 4 bytes, but at byte {at} they end."
            )
            raise Refused(422, "wrong_shape", message)
        found.append(raw[at + LENGTH : end])
        at = end
    return found


def _parameters(given: Mapping[str, pb.InferParameter]) -> dict[str, object]:
    return {name: getattr(one, one.WhichOneof("parameter_choice") or "bool_param") for name, one in given.items()}


def _written(what: ServedBundle, request_id: str, wanted: Sequence[str], answers: Answers) -> bytes:
    """The message of an answer."""
    response = pb.ModelInferResponse(model_name=what.name, model_version=what.short, id=request_id)
    for one in what.outputs.answered(what.predictions(answers), wanted=wanted):
        output = response.outputs.add(name=one.name, datatype=one.datatype, shape=one.shape)
        for name, value in one.parameters.items():
            output.parameters[name].string_param = value
        data = [str(text).encode() for text in one.data] if one.datatype == BYTES else one.data
        getattr(output.contents, CONTENTS[one.datatype]).extend(data)
    return bytes(response.SerializeToString())
