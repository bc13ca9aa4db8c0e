"""What goes over the wire: the messages of the REST interface and how a request body becomes texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ratchet.forms import legible
from ratchet.recipe.sections import ServeConfig

BODY_CAP = 8 * 1024 * 1024
ESCAPE = 6  # a one-byte character may be written as \u0041
SHOWN = 200  # characters of a message that quotes the body
ROUNDING = 7  # decimals; float32 holds no more

Text: TypeAlias = Annotated[str, msgspec.Meta(description="One text.", examples=["物流很快，下次还会再来"])]


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One text or many; exactly one of the two fields is given."""

    text: Text | msgspec.UnsetType = msgspec.UNSET
    texts: Annotated[list[str], msgspec.Meta(description="Several texts.")] | msgspec.UnsetType = msgspec.UNSET


class Prediction(msgspec.Struct):
    """The most probable label of one text, and the probability of every label."""

    label: str
    probability: float
    probabilities: dict[str, float]


class PredictResponse(msgspec.Struct):
    """One prediction a text, in the order of the request."""

    model: Annotated[str, msgspec.Meta(description="Name of the model.")]
    bundle: Annotated[str, msgspec.Meta(description="First 12 hex digits of the bundle's sha256.")]
    predictions: list[Prediction]


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


def body_limit(config: ServeConfig) -> int:
    """Bytes that a request body may have: what the texts may need, at most 8 MiB unless one text needs more."""
    one_text = ESCAPE * config.max_text_bytes + 1024
    return max(one_text, min(BODY_CAP, ESCAPE * config.max_texts * config.max_text_bytes + 1024))


_decoder = msgspec.json.Decoder(PredictRequest)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u[dD])[c-fC-F][0-9a-fA-F]{2})",
    re.DOTALL,
)
"""An escape of half a surrogate pair, where the other half is not beside it."""


def read_texts(body: bytes | bytearray, *, config: ServeConfig) -> list[str]:
    """The texts in a request body.

    Raises:
        Refused: 400 when the body is not a JSON object, 422 when it has another shape or a text is empty, 413 when it
            holds too much.
    """
    request = _decode(body, most=2 * config.max_texts)
    if (request.text is msgspec.UNSET) == (request.texts is msgspec.UNSET):
        raise Refused(422, "wrong_shape", "The object must have exactly one of the fields 'text' and 'texts'.")
    texts, one = ([request.text], True) if isinstance(request.text, str) else (request.texts, False)
    assert isinstance(texts, list)
    if len(texts) > config.max_texts:
        message = f"'texts' must hold at most {config.max_texts} texts but got {len(texts)}."
        raise Refused(413, "too_many_texts", message)
    for index, text in enumerate(texts):
        if not text or text.isspace():
            where = "'text'" if one else f"'texts[{index}]'"
            raise Refused(422, "empty_text", f"{where} must hold a text but is empty: there is nothing to predict.")
        size = len(text) if text.isascii() else len(text.encode())
        if size > config.max_text_bytes:
            where = "'text'" if one else f"'texts[{index}]'"
            message = f"{where} must have at most {config.max_text_bytes} bytes of UTF-8 but got {size}."
            raise Refused(413, "text_too_big", message)
    return texts


def _decode(body: bytes | bytearray, *, most: int) -> PredictRequest:
    """The request in a body; up to ``most`` halves of surrogate pairs are mended: a text has two ends."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        if "$" not in str(error) and str(error).startswith("Expected `object`"):
            message = f"The body must be a JSON object but got {_found(error)}."
            raise Refused(400, "not_an_object", message) from error
        raise Refused(422, "wrong_shape", f"{_short(str(error))}.") from error
    except UnicodeDecodeError as error:
        raise Refused(400, "bad_json", f"The body must be UTF-8, but byte {error.start} of a text is not.") from error
    except msgspec.DecodeError as error:
        if most and _SURROGATE_ESCAPE.search(body):
            return _decode_halves(body, error, most=most)
        raise Refused(400, "bad_json", f"The body must be JSON: {_short(str(error))}.") from error


def _short(message: str) -> str:
    """A message that may quote the body, at a length that people read."""
    plain = legible(message)
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN // 2]} ... {plain[-SHOWN // 2 :]}"


def _found(error: msgspec.ValidationError) -> str:
    return str(error).rpartition("got ")[2].strip("`")


def _decode_halves(body: bytes | bytearray, error: msgspec.DecodeError, *, most: int) -> PredictRequest:
    """A text cut inside an emoji by its sender holds half a surrogate pair; it becomes U+FFFD as browsers do."""
    halves = list(islice(_HALF.finditer(body), most + 1))
    if len(halves) > most:
        raise Refused(400, "bad_json", f"The texts must be whole but hold more than {most} halves of surrogate pairs.")
    parts, done = [], 0
    for match in halves:
        at = match.start()
        if not _is_escaped(body, at):
            parts += [body[done:at], rb"\ufffd"]
            done = match.end()
    if not parts:
        raise Refused(400, "bad_json", f"The body must be JSON: {_short(str(error))}.") from error
    return _decode(b"".join([*parts, body[done:]]), most=0)


def _is_escaped(body: bytes | bytearray, at: int) -> bool:
    """Whether the backslash at this place is one that the backslash before it escapes."""
    before = at
    while before and body[before - 1] == ord("\\"):
        before -= 1
    return (at - before) % 2 == 1


def predictions(probabilities: npt.NDArray[np.float32], *, labels: Sequence[str]) -> list[Prediction]:
    """One Prediction for each row of an (n, k) array of probabilities."""
    best = probabilities.argmax(axis=1).tolist()
    rows = np.round(probabilities.astype(np.float64), ROUNDING).tolist()
    return [
        Prediction(label=labels[top], probability=row[top], probabilities=dict(zip(labels, row, strict=True)))
        for row, top in zip(rows, best, strict=True)
    ]
