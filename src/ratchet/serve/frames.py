"""What a server and its worker processes say to each other: a length of four bytes, and a message of msgpack."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import BinaryIO

import msgspec
import numpy as np

from ratchet.models.inputs import Inputs
from ratchet.models.model import Answers

WIDTH = 4
"""Bytes of the length."""


class Load(msgspec.Struct, tag="load"):
    """The first message to a worker: the bundle that it serves, and the cores that it may use."""

    bundle: str
    threads: int


class Ask(msgspec.Struct, tag="ask"):
    """Rows to answer."""

    texts: Sequence[str]
    features: dict[str, Sequence[str | None]] = {}


class Ready(msgspec.Struct, tag="ready"):
    """The model is loaded."""

    labels: tuple[str, ...]


class Answered(msgspec.Struct, tag="answered"):
    """Numbers, one row below the other."""

    columns: int
    numbers: str
    """The type of numpy."""
    cells: bytes


class Failure(msgspec.Struct, tag="failure"):
    """It did not work. Nothing of a text is in it."""

    kind: str
    place: str
    problem: str = ""
    """One sentence for people, of errors that are ours."""
    next_step: str = ""


_to_worker = msgspec.msgpack.Decoder(Load | Ask)
_from_worker = msgspec.msgpack.Decoder(Ready | Answered | Failure)


def frame(message: msgspec.Struct) -> bytes:
    """The bytes of a message."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(WIDTH, "big") + body


def asked(rows: Sequence[str]) -> Ask:
    """The question about rows, with the features beside them."""
    whole = Inputs.of(rows)
    return Ask(list(whole.texts), dict(whole.features))


def rows_of(ask: Ask) -> Inputs:
    """The rows of a question."""
    return Inputs(ask.texts, ask.features)


def answered(answers: Answers) -> Answered:
    """The message of answers in numbers, (n, k)."""
    return Answered(answers.shape[1], answers.dtype.str, np.ascontiguousarray(answers).tobytes())


def answers_of(message: Answered) -> Answers:
    """The answers (n, k) in a message."""
    return np.frombuffer(message.cells, dtype=message.numbers).reshape(-1, message.columns)


def read(stream: BinaryIO) -> Load | Ask | None:
    """What the server says next; ``None`` when it has gone."""
    head = stream.read(WIDTH)
    if len(head) < WIDTH:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    if len(body) < size:
        return None
    found: Load | Ask = _to_worker.decode(body)
    return found


async def heard(stream: asyncio.StreamReader) -> Ready | Answered | Failure:
    """What a worker says next.

    Raises:
        asyncio.IncompleteReadError: it has ended.
    """
    size = int.from_bytes(await stream.readexactly(WIDTH), "big")
    found: Ready | Answered | Failure = _from_worker.decode(await stream.readexactly(size))
    return found
