"""What was used: requests, tokens and cost by key and model, in bounded memory, and a line for each request in a file."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from ratchet.errors import RatchetError
from ratchet.recipe.endpoint import EndpointPrice

logger = logging.getLogger("ratchet.serve")

MOST = 1_000
"""Pairs of key and model that are told apart; the rest is one row."""
OTHER = "other"


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as the file has it.

    Attributes:
        time: seconds since 1970.
        request: its id.
        client: id of the key.
        model: as the client called it.
        arm: which backend answered; empty where none was asked.
        status: of HTTP; 499 where the client went away.
        code: the word of the error, in the middle of a stream, too; or empty.
        estimated: whether the tokens are a guess, because the backend did not count.
        milliseconds: from the head of the request to the end of its answer.
        first: to the first byte of its answer.
    """

    time: float
    request: str
    client: str
    model: str
    arm: str = ""
    status: int
    code: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    cost: float = 0.0
    milliseconds: float
    first: float = 0.0
    guard: str = ""


class Row(msgspec.Struct, kw_only=True):
    """The sums of one key and model."""

    client: str
    model: str
    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    """Requests whose tokens are a guess."""
    cost: float = 0.0


class Accounts:
    """Adds up what was used.

    Args:
        prices: by the names that clients use for models.
        file: gets a line of JSON for each request.

    Raises:
        RatchetError: the file cannot be written.
    """

    def __init__(self, *, prices: Mapping[str, EndpointPrice], file: Path | None = None) -> None:
        self._prices = prices
        self._rows: dict[tuple[str, str], Row] = {}
        self._file = None if file is None else _opened(file)
        self.lost = 0
        """Lines that could not be written."""

    def add(self, used: Used) -> None:
        """Count a request; what it cost is worked out here."""
        price = self._prices.get(used.model)
        if price is not None:
            cost = (used.prompt_tokens * price.input + used.completion_tokens * price.output) / 1e6
            used = msgspec.structs.replace(used, cost=cost)
        failed = used.status >= 400 or bool(used.code)
        row = self._row(used.client, used.model, known=not failed)
        row.requests += 1
        row.errors += failed
        row.prompt_tokens += used.prompt_tokens
        row.completion_tokens += used.completion_tokens
        row.estimated += used.estimated
        row.cost += used.cost
        if self._file is not None:
            try:
                self._file.write(msgspec.json.encode(used) + b"\n")
            except OSError as error:
                self.lost += 1
                if self.lost == 1:
                    logger.error("no further lines of usage can be written: %s", error.strerror)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The sums so far."""
        return tuple(self._rows.values())

    def _row(self, client: str, model: str, *, known: bool) -> Row:
        """A model that no backend has answered for is whatever somebody wrote: it gets no row of its own."""
        row = self._rows.get((client, model))
        if row is not None:
            return row
        if not known:
            model = OTHER
        if len(self._rows) >= MOST:
            client = model = OTHER
        return self._rows.setdefault((client, model), Row(client=client, model=model))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def now() -> float:
    """Seconds since 1970, to the millisecond."""
    return round(time.time(), 3)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("ab", buffering=0)
    except OSError as error:
        raise RatchetError(
            f"The file of usage must be writable but {file} is not: {error.strerror}.",
            next_step="Name another one, or none.",
        ) from error
