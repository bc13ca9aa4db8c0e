"""A file of lines that an augmenter looks things up in."""

from __future__ import annotations

from pathlib import Path

from ratchet.errors import DataError
from ratchet.text.encodings import to_utf8


def read_lines(path: Path, *, key: str) -> list[str]:
    """The lines of a file in UTF-8 or GB18030, without remarks, which begin with ``#``.

    Args:
        path: the file.
        key: of the recipe, for messages.

    Raises:
        DataError: it cannot be read.
    """
    try:
        text = to_utf8(path.read_bytes(), encoding="auto", name=str(path))[0].decode("utf-8")
    except OSError as error:
        raise DataError(f"{key} must name a file that can be read but got {path}: {error.strerror}.") from None
    return [line.partition("#")[0] for line in text.splitlines()]
