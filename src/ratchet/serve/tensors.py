"""Tensors of the Open Inference Protocol: rows from those of a request, and those of an answer from predictions.

The protocol: https://github.com/kserve/open-inference-protocol, version 2. A column of the bundle is a tensor of n elements.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused, checked_row
from ratchet.serve.rows import Fields, listed, nearest

BYTES = "BYTES"
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
LARGEST = {"FP32": float(np.finfo(np.float32).max), "FP64": sys.float_info.max}
FLOATS = tuple(LARGEST)
TEXT = "text"
"""What the only input of a plain bundle may be called, beside the name of its column."""
SHARES = ("probability", "probabilities")
"""Fields of a prediction that are probabilities, which have no more digits than FP32."""
ELSEWHERE = ("binary_data_size", "binary_data", "shared_memory_region", "classification")
"""Parameters that would change what a tensor means; the extensions that they belong to are not served."""

Element: TypeAlias = str | bytes | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a request or an answer; ``data`` has its elements row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Element]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Described:
    """A tensor as the metadata of a model tells it; -1: any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


def require_parameters(parameters: Mapping[str, object], *, where: str) -> None:
    """Refuse parameters that ask for what is not served.

    Raises:
        Refused: 422.
    """
    for name in parameters:
        if name.startswith(ELSEWHERE) and parameters[name] is not False:
            message = f"{where} must have no parameter {name!r}: that extension is not served."
            raise Refused(422, "no_such_extension", message)


def rows_of(tensors: Sequence[Tensor], *, fields: Fields, config: ServeConfig) -> Sequence[str]:
    """What the model is asked by the inputs of a request: n rows.

    Args:
        tensors: one a column; features may be left out.
        fields: the columns of the model.
        config: how many rows there may be, and how large each.

    Raises:
        Refused: 422 when a tensor is unknown, missing, there twice, or of another type or shape; 400 when a text is not UTF-8;
            413 when there is too much.
    """
    columns = _by_column(tensors, fields=fields)
    first = next(iter(columns.values()))
    count = first.shape[0] if first.shape else 0
    if count > config.max_texts:
        message = f"The inputs must hold at most {config.max_texts} rows but got {_shown(count)}."
        raise Refused(413, "too_many_texts", message)
    for name, tensor in columns.items():
        _require_datatype(tensor, text=name in fields.texts)
        _require_shape(tensor, count)
    cells = {name: _cells(columns[name]) for name in fields.names if name in columns}
    missing: Sequence[str | None] = [None] * count
    whole = zip(*(cells.get(name, missing) for name in fields.names), strict=True)
    where = f"{first.name!r}" if fields.plain else "row"
    rows = [
        checked_row(row, fields=fields, where=f"{where}[{place}]", most=config.max_text_bytes)
        for place, row in enumerate(whole)
    ]
    return fields.inputs(rows)


def inputs_of(fields: Fields) -> list[Described]:
    """The tensors that a bundle takes."""
    return [Described(name=name, datatype=BYTES, shape=(-1,)) for name in fields.names]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The tensors that a bundle gives: one for each field of its predictions."""

    described: tuple[Described, ...]
    labels: tuple[str, ...]
    listed: str
    """The labels as JSON: parameters of tensors hold no lists."""

    @classmethod
    def of(cls, schema: Mapping[str, Any], *, labels: tuple[str, ...]) -> Outputs:
        """Those of predictions with this JSON schema."""
        found = (_described(name, facts, labels=labels) for name, facts in schema["properties"].items())
        return cls(described=tuple(found), labels=labels, listed=_json(labels))

    def wanted(self, names: Sequence[str]) -> Sequence[str]:
        """The outputs that a request names; none: all.

        Raises:
            Refused: 422 when the bundle has no such output, or one is named twice.
        """
        known = [one.name for one in self.described]
        for name, times in Counter(names).items():
            if name not in known:
                message = f"The outputs must be of {listed(known)} but got {listed([name])}."
                raise Refused(422, "no_such_output", message)
            if times > 1:
                message = f"An output must be named once but {listed([name])} is there {times} times."
                raise Refused(422, "wrong_shape", message)
        return names

    def answered(self, predictions: Sequence[Mapping[str, Any]], *, wanted: Sequence[str] = ()) -> list[Tensor]:
        """The predictions of n rows; of the outputs those that `wanted` gave."""
        return [self._column(one, predictions) for one in self.described if not wanted or one.name in wanted]

    def _column(self, one: Described, predictions: Sequence[Mapping[str, Any]]) -> Tensor:
        """One field of all predictions."""
        count = len(predictions)
        found: list[Any] = [prediction.get(one.name) for prediction in predictions]
        if len(one.shape) == 2:
            data: list[Element] = [row[label] for row in found for label in self.labels]
            shape, parameters = (count, len(self.labels)), {"labels": self.listed}
            return Tensor(name=one.name, datatype=one.datatype, shape=shape, data=data, parameters=parameters)
        parameters = {}
        if one.datatype == BYTES:
            empty = [place for place, value in enumerate(found) if value is None]
            parameters = {"missing": _json(empty)} if empty else {}
            found = ["" if value is None else value if isinstance(value, str) else _json(value) for value in found]
        return Tensor(name=one.name, datatype=one.datatype, shape=(count,), data=found, parameters=parameters)


def _by_column(tensors: Sequence[Tensor], *, fields: Fields) -> dict[str, Tensor]:
    """The tensors by the name of their column, each once, and none missing that must be there."""
    found: dict[str, Tensor] = {}
    for tensor in tensors:
        name = fields.names[0] if fields.plain and tensor.name == TEXT else tensor.name
        if name not in fields.names:
            near = nearest([name], [one for one in fields.names if one not in found])
            hint = f" Did you mean {listed(near)}?" if near else ""
            message = f"The inputs must be of {listed(fields.names)} but got {listed([tensor.name])}.{hint}"
            raise Refused(422, "no_such_input", message)
        if name in found:
            raise Refused(422, "wrong_shape", f"An input must be there once but {listed([name])} is there twice.")
        found[name] = tensor
    missing = [name for name in fields.texts if name not in found]
    if missing:
        have = listed([*found]) if found else "nothing"
        raise Refused(422, "missing_columns", f"The inputs must have {listed(missing)} but have {have}.")
    return found


def _require_shape(tensor: Tensor, count: int) -> None:
    """Refuse a tensor that is no column of so many rows."""
    shape = tensor.shape
    if shape not in ((count,), (count, 1)) or count < 0:
        shown = [*shape[:8]]
        message = (
            f"{listed([tensor.name])} must have the shape [n] or [n, 1], with one n for all inputs, but got {shown}."
        )
        raise Refused(422, "wrong_shape", message)
    if len(tensor.data) != count:
        has = f"{count} elements, as its shape says, but has {len(tensor.data)}"
        message = f"The data of {listed([tensor.name])} must have {has}."
        raise Refused(422, "wrong_shape", message)


def _require_datatype(tensor: Tensor, *, text: bool) -> None:
    kinds = (BYTES,) if text else (BYTES, *INTEGERS, *FLOATS)
    if tensor.datatype not in kinds:
        message = f"{listed([tensor.name])} must be {' or '.join(kinds)} but is {tensor.datatype[:40]!r}."
        raise Refused(422, "wrong_datatype", message)


def _cells(tensor: Tensor) -> list[str]:
    """The elements of a column as cells of a table."""
    name, datatype = listed([tensor.name]), tensor.datatype
    if datatype == BYTES:
        return [_text(value, name=name, place=place) for place, value in enumerate(tensor.data)]
    return [number_cell(value, datatype, name=name, place=place) for place, value in enumerate(tensor.data)]


def _text(value: Element, *, name: str, place: int) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        message = (
            f"{name} must hold texts but has {_kind(value)} at {place}; a feature that is missing is left out or empty."
        )
        raise Refused(422, "wrong_shape", message)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        message = f"{name} must be UTF-8, but byte {error.start} of its text {place} is not."
        raise Refused(400, "not_utf8", message) from error


def number_cell(value: Element, datatype: str, *, name: str, place: int) -> str:
    """A number as a table has it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(422, "wrong_shape", f"{name} must hold numbers but has {_kind(value)} at {place}.")
    if datatype in INTEGERS:
        low, high = _bounds(datatype)
        if not (low <= value <= high and value == int(value)):
            raise Refused(422, "wrong_shape", f"{name} must hold {datatype} but has {_shown(value)} at {place}.")
        return str(int(value))
    if not abs(value) <= LARGEST[datatype]:
        raise Refused(
            422, "wrong_shape", f"{name} must hold finite numbers ({datatype}) but has {_shown(value)} at {place}."
        )
    written = str(np.float32(value)) if datatype == "FP32" else repr(float(value))
    return written.removesuffix(".0")


def _shown(value: float) -> str:
    """A number for people; one of thousands of digits is not written out."""
    return f"{value}" if not isinstance(value, int) or abs(value) < 2**128 else "a larger one"


def _bounds(datatype: str) -> tuple[int, int]:
    bits = int(datatype.lstrip("UINT"))
    return (0, 2**bits - 1) if datatype.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _kind(value: object) -> str:
    kinds: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        type(None): "null",
    }
    return kinds.get(type(value), "a list or an object")


def _described(name: str, facts: Mapping[str, Any], *, labels: Sequence[str]) -> Described:
    """A field of a prediction, by its JSON schema."""
    kind = facts.get("type")
    if kind == "object" and facts.get("additionalProperties") == {"type": "number"} and labels:
        return Described(name=name, datatype="FP32", shape=(-1, len(labels)))
    if kind == "number":
        return Described(name=name, datatype="FP32" if name in SHARES else "FP64", shape=(-1,))
    return Described(name=name, datatype="BOOL" if kind == "boolean" else BYTES, shape=(-1,))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def flattened(data: Iterable[Any]) -> list[Element]:
    """The elements of a tensor whose rows may be lists."""
    found: list[Element] = []
    for one in data:
        if isinstance(one, list):
            found.extend(one)
        else:
            found.append(one)
    return found
