"""Values of a JSON file that somebody else wrote, as texts, numbers and objects."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ratchet.bounds import LINE_CHARACTERS, json_value
from ratchet.errors import DataError

_LARGEST = 1e100


def text_of(value: object) -> str | None:
    """A value as text: objects and lists as compact JSON, ``None`` for null and for white space alone."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if text.strip() else None


def name_of(value: object) -> str | None:
    """A value as a name: a text without white space around it."""
    text = text_of(value)
    return text.strip() if text is not None else None


def number_of(value: object) -> float:
    """A number, a text of one, or true and false as 1 and 0; NaN for anything else, and for what is too large to be summed."""
    if isinstance(value, bool | int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return math.nan
        return number if abs(number) < _LARGEST else math.nan
    return math.nan


def numbers_of(values: object) -> dict[str, float]:
    """The numbers of an object, by name."""
    found = {name: number_of(value) for name, value in object_of(values).items() if not isinstance(value, str)}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def object_of(value: object) -> Mapping[str, Any]:
    """The value when it is an object, and else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> Sequence[Any]:
    """The value when it is a list, and else an empty one."""
    return value if isinstance(value, list) else []


def known(**measures: object) -> dict[str, float]:
    """The measures that are numbers, by name."""
    found = {name: number_of(value) for name, value in measures.items()}
    return {name: value for name, value in found.items() if not math.isnan(value)}


def document(path: Path) -> Any:
    """A JSON document.

    Raises:
        DataError: the file cannot be read, or is no JSON in UTF-8.
    """
    try:
        return json_value(path.read_bytes().decode("utf-8-sig"))
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror or problem}.", next_step="Check the file.") from None
    except ValueError as problem:
        raise DataError(
            f"{path} must be a JSON document in UTF-8 but is not: {problem}.", next_step="Export it again."
        ) from None


def lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSONL file with their lines, counted from 1; blank lines are none.

    Raises:
        DataError: the file cannot be read, or a line is no JSON object in UTF-8, or too long.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(iter(lambda: file.readline(LINE_CHARACTERS + 1), ""), 1):
                if line.strip():
                    yield number, _object(line, path=path, number=number)
    except OSError as problem:
        raise DataError(f"{path} cannot be read: {problem.strerror or problem}.", next_step="Check the file.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} must be in UTF-8 but is not.", next_step="Export it again as UTF-8.") from None


def _object(line: str, *, path: Path, number: int) -> Mapping[str, Any]:
    if len(line) > LINE_CHARACTERS:
        raise DataError(
            f"Line {number:,} of {path} must have at most {LINE_CHARACTERS:,} characters but has more.",
            next_step="Write one answer a line.",
        )
    try:
        found = json_value(line)
    except ValueError as problem:
        raise DataError(
            f"Line {number:,} of {path} must be a JSON object but is not: {problem}.",
            next_step="The file may be cut off: copy or export it again.",
        ) from None
    if not isinstance(found, dict):
        raise DataError(
            f"Line {number:,} of {path} must be a JSON object but is {type(found).__name__}.",
            next_step="Write one object a line.",
        )
    return found


def one_of(choices: Sequence[str], part: str, *, path: Path, what: str) -> str:
    """The part of a file that is meant: the one that is named, or the only one.

    Raises:
        DataError: there are several and none is named, or the named one is not there; the message lists them.
    """
    if part in choices:
        return part
    if not part and len(choices) == 1:
        return choices[0]
    listed = f"{', '.join(map(repr, choices[:20]))}{' ...' if len(choices) > 20 else ''}"
    if part:
        problem = f"The {what} of {path} must be one of {listed} but got {part!r}."
    else:
        problem = f"{path} must have one {what} but has {len(choices):,}: {listed}."
    raise DataError(problem, next_step=f"Name one behind a #, such as {path.name}#{choices[0]}.")
