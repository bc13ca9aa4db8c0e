"""A row of a request: a JSON object of texts, numbers and nulls by the names of their columns, as cells of a table."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ratchet.serve.rows import Cells, Fields, listed, nearest


class Wrong(Exception):
    """A row of another shape; one sentence says how."""


def cells_of(raw: bytes, *, fields: Fields, where: str) -> Cells:
    """The cells of a row in the order of the fields; numbers keep their digits, as they do in a table.

    Args:
        raw: a JSON value.
        fields: the columns of the model; a feature that is not given is missing.
        where: what messages call it.

    Raises:
        Wrong: it is no object, or has a column twice, one that the model does not have, or no text.
        UnicodeDecodeError: it is not UTF-8.
    """
    try:
        row = json.loads(raw.decode(), parse_float=_digits, parse_int=_digits, object_pairs_hook=_no_name_twice)
    except (RecursionError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise Wrong(f"{where} must be an object of texts and finite numbers: {error}.") from error
    if not isinstance(row, dict):
        raise Wrong(f"{where} must be an object with {listed(fields.names)} but is {_kind(row)}.")
    require_names(row, fields=fields, where=where)
    for name, value in row.items():
        if value is not None and not isinstance(value, str):
            raise Wrong(f"{where} must have a text, a number or null as {listed([name])} but has {_kind(value)}.")
    return tuple(row.get(name) for name in fields.names)


def require_names(row: Mapping[str, Any], *, fields: Fields, where: str) -> None:
    """Refuse a row that has a column which the model does not have, or lacks a text.

    Raises:
        Wrong: one sentence says which.
    """
    known = set(fields.names)
    unknown = [name for name in row if name not in known]
    missing = [name for name in fields.texts if name not in row]
    if unknown:
        near = nearest(unknown, [name for name in fields.names if name not in row])
        hint = f" Did you mean {listed(near)}?" if near else ""
        raise Wrong(f"{where} must have no columns but {listed(fields.names)} and got {listed(unknown)}.{hint}")
    if missing:
        have = listed([*row]) if row else "nothing"
        raise Wrong(f"{where} must have {listed(missing)} but has {have}.")


def _digits(literal: str) -> str:
    """A number as it was written.

    Raises:
        ValueError: it is too large for a number.
    """
    if not math.isfinite(float(literal)):
        raise ValueError(f"{literal[:40]} is too large")
    return literal


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        raise ValueError(f"{listed(twice)} is there twice")
    return row


def _kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "true or false", list: "a list", dict: "an object", str: "a text or number"}
    return kinds.get(type(value), "null")
