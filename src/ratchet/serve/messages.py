"""What goes over the wire: the messages of the REST interface and how a request body becomes texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from ratchet.forms import legible
from ratchet.gateway.refusal import Refusal
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.row_values import Wrong, cells_of
from ratchet.serve.rows import Cells, Fields, listed

BODY_CAP = 8 * 1024 * 1024
ESCAPE = 6  # a one-byte character may be written as \u0041
SHOWN = 200  # characters of a message that quotes the body

Asked = TypeVar("Asked")
Text: TypeAlias = Annotated[str, msgspec.Meta(description="One text.", examples=["物流很快，下次还会再来"])]


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One text or many, or one row or many with the columns of the training table; exactly one of the fields is given."""

    text: Text | msgspec.UnsetType = msgspec.UNSET
    texts: Annotated[list[str], msgspec.Meta(description="Several texts.")] | msgspec.UnsetType = msgspec.UNSET
    row: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    rows: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class PredictResponse(msgspec.Struct):
    """One prediction a text or row, in the order of the request."""

    model: Annotated[str, msgspec.Meta(description="Name of the model.")]
    bundle: Annotated[str, msgspec.Meta(description="First 12 hex digits of the bundle's sha256.")]
    predictions: list[dict[str, Any]]


class Status(msgspec.Struct, omit_defaults=True):
    """Whether the server is alive or ready."""

    status: str
    model: str = ""
    bundle: str = ""


class ErrorDetail(msgspec.Struct):
    """What went wrong."""

    type: Annotated[str, msgspec.Meta(description="A short, stable word for programs.")]
    message: Annotated[str, msgspec.Meta(description="One sentence for people.")]


class ErrorResponse(msgspec.Struct):
    """Every answer that is not a success has this shape."""

    error: ErrorDetail


class Refused(Exception):
    """A request that gets an error answer: the status, a stable word, a sentence and extra headers."""

    def __init__(self, status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = dict(headers or {})


CRASHED = Refused(500, "internal", "The server failed on this request; its log has the reason.")
INFERENCE = "/v2"
OPENAI = "/v1/"
"""Where the paths of the Open Inference Protocol begin."""


def error_body(error: Refused, *, path: str) -> bytes:
    """The body of a refusal, in the form of the protocol that the path belongs to: Open Inference, OpenAI's, or our own."""
    if path.startswith(OPENAI):
        return Refusal(error.status, error.kind, error.message).body
    if path == INFERENCE or path.startswith(f"{INFERENCE}/"):
        return msgspec.json.encode({"error": error.message})
    return msgspec.json.encode(ErrorResponse(error=ErrorDetail(type=error.kind, message=error.message)))


def body_limit(config: ServeConfig) -> int:
    """Bytes that a request body may have: what the texts may need, at most 8 MiB unless one text needs more."""
    one_text = ESCAPE * config.max_text_bytes + 1024
    return max(one_text, min(BODY_CAP, ESCAPE * config.max_texts * config.max_text_bytes + 1024))


FIELDS = ("text", "texts", "row", "rows")
_decoder = msgspec.json.Decoder(PredictRequest)
_ESCAPED = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
"""An escape, a backslash that is escaped itself among them; a group has the number of a character."""


ONE_TEXT = Fields(texts=("text",))


def read_texts(body: bytes | bytearray, *, config: ServeConfig, fields: Fields = ONE_TEXT) -> Sequence[str]:
    """The texts in a request body, with the features beside them where the model has such.

    Args:
        body: JSON.
        config: how many rows it may have, and how large each may be.
        fields: the columns of the model.

    Raises:
        Refused: 400 when the body is not a JSON object or has half of a character, 422 when it has another shape, lacks a
            column or a text is empty, 413 when it holds too much.
    """
    request = decoded(body, _decoder)
    given = [name for name in FIELDS if getattr(request, name) is not msgspec.UNSET]
    if len(given) != 1:
        message = "The object must have exactly one of the fields 'text', 'texts', 'row' and 'rows'."
        raise Refused(422, "wrong_shape", message)
    value, many = getattr(request, given[0]), given[0].endswith("s")
    found = value if many else [value]
    if len(found) > config.max_texts:
        message = f"'{given[0]}' must hold at most {config.max_texts} {given[0]} but got {len(found)}."
        raise Refused(413, "too_many_texts", message)
    if given[0].startswith("text") and not fields.plain:
        message = (
            f"'{given[0]}' must be 'row{'s' * many}' with {listed(fields.names)}: the model wants more than a text."
        )
        raise Refused(422, "missing_columns", message)
    rows = []
    for index, one in enumerate(found):
        where = f"'{given[0]}[{index}]'" if many else f"'{given[0]}'"
        rows.append(_row(one, fields=fields, where=where, most=config.max_text_bytes))
    return fields.inputs(rows)


def _row(value: str | msgspec.Raw, *, fields: Fields, where: str, most: int) -> Cells:
    """The cells of a row of the body."""
    try:
        row = (value,) if isinstance(value, str) else cells_of(bytes(value), fields=fields, where=where)
    except Wrong as error:
        raise Refused(422, "wrong_shape", _short(str(error), most=2 * SHOWN)) from error
    except UnicodeDecodeError as error:
        raise Refused(400, "bad_json", f"The body must be UTF-8, but byte {error.start} of {where} is not.") from error
    return checked_row(row, fields=fields, where=where, most=most)


def checked_row(row: Cells, *, fields: Fields, where: str, most: int) -> Cells:
    """A row that has something to predict and is not too large.

    Args:
        row: its cells.
        fields: the columns of the model.
        where: what messages call it.
        most: bytes that it may have.

    Raises:
        Refused: 400 when a cell has half of a character, 422 when every text is blank, 413 when it is too large.
    """
    broken = fields.broken(row)
    if broken is not None:
        message = f"{where} must hold whole characters but {broken!r} has half of one, of a surrogate pair."
        raise Refused(400, "bad_json", message)
    if fields.is_blank(row):
        raise Refused(422, "empty_text", f"{where} must hold a text but is empty: there is nothing to predict.")
    size = sum(len(cell) if cell.isascii() else len(cell.encode()) for cell in row if cell)
    if size > most:
        message = f"{where} must have at most {most} bytes of UTF-8 but got {size}."
        raise Refused(413, "text_too_big", message)
    return row


def decoded(body: bytes | bytearray, decoder: msgspec.json.Decoder[Asked]) -> Asked:
    """The request in a body.

    Raises:
        Refused: 400 when it is not a JSON object or has half of a character, 422 when it has another shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "$" not in str(error) and str(error).startswith("Expected `object`"):
            message = f"The body must be a JSON object but got {_found(error)}."
            raise Refused(400, "not_an_object", message) from error
        raise Refused(422, "wrong_shape", f"{_short(str(error))}.") from error
    except UnicodeDecodeError as error:
        raise Refused(400, "bad_json", f"The body must be UTF-8, but byte {error.start} of a text is not.") from error
    except RecursionError as error:
        raise Refused(400, "bad_json", "The body must be JSON: it is nested too deeply.") from error
    except msgspec.DecodeError as error:
        at = _half_at(body)
        if at is not None:
            half = body[at : at + ESCAPE].decode("ascii")
            message = f"The body must be JSON of whole characters but has half of one, {half}, at byte {at}."
            raise Refused(400, "bad_json", message) from error
        raise Refused(400, "bad_json", f"The body must be JSON: {_short(str(error))}.") from error


def _short(message: str, *, most: int = SHOWN) -> str:
    """A message that may quote the body, at a length that people read."""
    plain = legible(message)
    return plain if len(plain) <= most else f"{plain[: most // 2]} ... {plain[-most // 2 :]}"


def _found(error: msgspec.ValidationError) -> str:
    return str(error).rpartition("got ")[2].strip("`")


def _half_at(body: bytes | bytearray) -> int | None:
    """Where an escape of half a surrogate pair begins, the other half of which is not beside it."""
    first: re.Match[bytes] | None = None
    for match in _ESCAPED.finditer(body):
        code = int(match[1] or b"0", 16)
        low = 0xDC00 <= code < 0xE000
        if first is not None and not (low and match.start() == first.end()):
            return first.start()
        if low and first is None:
            return match.start()
        first = match if 0xD800 <= code < 0xDC00 else None
    return None if first is None else first.start()
