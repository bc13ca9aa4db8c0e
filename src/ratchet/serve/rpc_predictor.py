"""Predictions of a bundle over gRPC: the service ``ratchet.v1.Predictor``, one message or a stream of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from ratchet.models.model import Answers
from ratchet.serve.admission import PREDICT
from ratchet.serve.answering import Question
from ratchet.serve.messages import Refused, checked_row
from ratchet.serve.protos import predictor_pb2 as pb
from ratchet.serve.row_values import Wrong, require_names
from ratchet.serve.rows import Cells, Fields, listed
from ratchet.serve.rpc_calls import Asking, Context, Method, parsed, streamed, unary
from ratchet.serve.served_bundle import ServedBundle
from ratchet.serve.tensors import number_cell

SERVICE = "ratchet.v1.Predictor"
KINDS: Mapping[str, type | tuple[()]] = {
    "label": str,
    "probability": float,
    "probabilities": dict,
    "labels": list,
    "abstain": bool,
    "value": float,
    "low": float,
    "high": float,
    "text": str,
}
"""Fields of a prediction that the message has."""


class Predictor:
    """The service.

    Args:
        asking: asks the engine.
    """

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._silent: set[asyncio.Timeout] = set()
        self._ends = False

    @property
    def methods(self) -> dict[str, Method]:
        """The methods by their paths."""
        return {
            f"/{SERVICE}/Predict": Method(handler=unary(self._predict), scope=PREDICT, asks=True),
            f"/{SERVICE}/PredictStream": Method(handler=streamed(self._stream), scope=PREDICT, asks=True),
        }

    def end(self) -> None:
        """End the streams: what they have sent is answered, and nothing more is read."""
        self._ends = True
        now = asyncio.get_running_loop().time()
        for wait in self._silent:
            wait.reschedule(now)

    async def _predict(self, raw: bytes, context: Context) -> bytes:
        return await self._asking.answer(raw, context, self._read)

    async def _stream(self, context: Context) -> None:
        """Answer each message before the next is read: who sends faster than it is answered waits."""
        while True:
            raw = await self._next(context)
            if raw is None:
                return
            try:
                answer = await self._asking.answer(raw, context, self._read)
            except Refused as error:
                answer = _refused(raw, error)
            await context.write(answer)

    async def _next(self, context: Context) -> bytes | None:
        """The next message of a stream; ``None``: it has ended.

        Raises:
            Refused: 503 when the server is about to stop, 504 when none came for too long.
        """
        try:
            async with asyncio.timeout(0 if self._ends else self._asking.config.deadline) as wait:
                self._silent.add(wait)
                found = await context.read()
        except TimeoutError:
            if self._ends:
                message = "The server is about to stop."
                raise Refused(503, "not_ready", message, headers={"Retry-After": "1"}) from None
            message = f"No message came for {self._asking.config.deadline:g} seconds."
            raise Refused(504, "too_slow", message) from None
        finally:
            self._silent.discard(wait)
        return found if isinstance(found, bytes) else None

    def _read(self, raw: bytes, what: ServedBundle) -> Question:
        """What a message asks."""
        request = parsed(pb.PredictRequest, raw)
        config, fields = self._asking.config, what.fields
        if request.texts and request.rows:
            raise Refused(422, "wrong_shape", "The message must have texts or rows but has both.")
        name = "rows" if request.rows else "texts"
        size = len(request.rows) or len(request.texts)
        if size > config.max_texts:
            message = f"{name!r} must hold at most {config.max_texts} {name} but got {size}."
            raise Refused(413, "too_many_texts", message)
        if request.texts and not fields.plain:
            message = f"'texts' must be 'rows' with {listed(fields.names)}: the model wants more than a text."
            raise Refused(422, "missing_columns", message)
        found = []
        for place in range(size):
            where = f"'{name}[{place}]'"
            row = _cells(request.rows[place], fields=fields, where=where) if request.rows else (request.texts[place],)
            found.append(checked_row(row, fields=fields, where=where, most=config.max_text_bytes))
        return Question(rows=fields.inputs(found), written=partial(_written, what, request.id))


def _cells(row: pb.Row, *, fields: Fields, where: str) -> Cells:
    """The cells of a row in the order of the fields."""
    cells = dict(row.cells)
    try:
        require_names(cells, fields=fields, where=where)
    except Wrong as error:
        raise Refused(422, "wrong_shape", str(error)) from error
    return tuple(_cell(cells[name], name=name, where=where) if name in cells else None for name in fields.names)


def _cell(cell: pb.Cell, *, name: str, where: str) -> str | None:
    kind = cell.WhichOneof("value")
    if kind == "number":
        return number_cell(cell.number, "FP64", name=f"{listed([name])} of {where}", place=0)
    return cell.text if kind else None


def _written(what: ServedBundle, request_id: str, answers: Answers) -> bytes:
    """The message of an answer."""
    response = pb.PredictResponse(id=request_id, model=what.name, bundle=what.short)
    for one in what.predictions(answers):
        _add(response, one)
    return bytes(response.SerializeToString())


def _add(response: pb.PredictResponse, found: Mapping[str, Any]) -> None:
    """Add a prediction; what the message has no field for is JSON."""
    known: dict[str, Any] = {name: value for name, value in found.items() if isinstance(value, KINDS.get(name, ()))}
    prediction = response.predictions.add(**known)
    if len(known) < len(found):
        rest = {name: value for name, value in found.items() if name not in known and value is not None}
        prediction.other.update({name: json.dumps(value, ensure_ascii=False) for name, value in rest.items()})


def _refused(raw: bytes, error: Refused) -> bytes:
    """The answer to a message of a stream that is refused."""
    try:
        request_id = parsed(pb.PredictRequest, raw).id
    except Refused:
        request_id = ""
    refusal = pb.Refusal(status=error.status, type=error.kind, message=error.message)
    return bytes(pb.PredictResponse(id=request_id, refusal=refusal).SerializeToString())
