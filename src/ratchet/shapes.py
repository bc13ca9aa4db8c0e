"""What the bodies of the ledger's records must look like, so that a forged or newer record is refused where it is read."""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal

Shape = Any
"""A type, a union of types, a dataclass (its fields and no more; those with a default may be absent), ``[shape]`` for a list,
or a mapping of keys to shapes (which may have further keys)."""


def misfit(value: object, shape: Shape, *, at: str = "the body") -> str:
    """What is wrong with a JSON value; empty where it has the shape.

    >>> misfit({"files": [{"path": 3}]}, {"files": [{"path": str}]})
    "'path' of item 1 of 'files' must be str but is int"
    """
    if isinstance(shape, Mapping):
        return _misfit_keys(value, shape, at=at, closed=False)
    if isinstance(shape, type) and is_dataclass(shape):
        hints = typing.get_type_hints(shape)
        own = {field.name: hints[field.name] for field in fields(shape)}
        absent = {field.name for field in fields(shape) if field.default is not MISSING}
        return _misfit_keys(value, own, at=at, closed=True, optional=absent)
    origin: Any = typing.get_origin(shape)
    if origin is Literal:
        allowed = typing.get_args(shape)
        return "" if value in allowed else f"{at} must be one of {', '.join(allowed)} but is {value!r}"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{at} must be a list but is {_kind(value)}"
        found = (misfit(item, shape[0], at=f"item {n} of {at}") for n, item in enumerate(value, 1))
        return next((problem for problem in found if problem), "")
    kinds = typing.get_args(shape) if isinstance(shape, types.UnionType) else (shape,)
    if float in kinds:
        kinds = (*kinds, int)
    if isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds):
        return ""
    return f"{at} must be {' or '.join(_named(kind) for kind in kinds)} but is {_kind(value)}"


def _misfit_keys(
    value: object, shape: Mapping[str, Shape], *, at: str, closed: bool, optional: Collection[str] = ()
) -> str:
    if not isinstance(value, Mapping):
        return f"{at} must be an object but is {_kind(value)}"
    for key, inner in shape.items():
        if key not in value and key in optional:
            continue
        if key not in value:
            return f"{at} has no {key!r}"
        problem = misfit(value[key], inner, at=f"{key!r}" if at == "the body" else f"{key!r} of {at}")
        if problem:
            return problem
    unknown = [key for key in value if key not in shape] if closed else []
    return f"{at} has {unknown[0]!r}, which this version does not know: a newer version wrote it" if unknown else ""


def _kind(value: object) -> str:
    return _named(type(value))


def _named(kind: type) -> str:
    return {type(None): "null", dict: "an object", list: "a list"}.get(kind, kind.__name__)
