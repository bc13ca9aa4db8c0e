"""How large a thing may be that somebody else made. Every reader asks here, so that no input can take the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ratchet.errors import DataError

CELL_BYTES = 1_000_000
"""One cell of a table. A quote that is never closed also makes one."""
LINE_CHARACTERS = 64 << 20
"""One line of a file that is read line by line."""
COLUMNS = 5_000
SHEET_COLUMNS = 16_384
"""Places in a row of a workbook, XFD the last."""
SHEET_CELLS = 50_000_000
"""Rows times columns of a sheet, empty cells included."""
UNPACKED_BYTES, PACKED_RATIO = 1 << 30, 200
"""What is packed may become more bytes than the first only if it shrank them by less than the second."""
BOOK_BYTES, BOOK_RATIO = 1 << 27, 100
"""The same of the parts of a workbook, each element of which costs far more than its bytes."""
LOG_MEMBERS, LOG_MEMBER_BYTES = 1_000_000, 1 << 28
"""Members of a packed log of answers, and the bytes of one, which is a sample with all that happened in it."""
YAML_CHARACTERS, YAML_VALUES, YAML_DEPTH = 1_000_000, 20_000, 40
"""A document, its values once aliases are written out, and how deep they lie."""
MANIFEST_BYTES = 16 << 20
"""The manifest of a bundle."""
NUMBER = 1e30
"""A number that a model learns or learns from, on either side of 0: its square can be summed over any table."""


def unpacks_too_far(unpacked: int, packed: int, *, book: bool = False) -> bool:
    """Whether so many bytes out of so few were made to fill the memory; real text shrinks by 3 to 30."""
    most, ratio = (BOOK_BYTES, BOOK_RATIO) if book else (UNPACKED_BYTES, PACKED_RATIO)
    return unpacked > most and unpacked > ratio * packed


def require_columns(count: int, *, name: str) -> None:
    """Refuse a table of more than `COLUMNS` columns.

    Raises:
        DataError: it has more.
    """
    if count > COLUMNS:
        raise DataError(
            f"{name} must have at most {COLUMNS:,} columns but has {count:,}.",
            next_step="Keep the text, the label and what describes a row; if each row is one text, the file has no header "
            "or another separator.",
        )


def json_value(data: str | bytes, **how: Any) -> Any:
    """``json.loads``, for which too many levels are one more way of being no JSON, as a number of too many digits is.

    Raises:
        ValueError: the data are no JSON that can be read.
    """
    try:
        return json.loads(data, **how)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Cores that this process may use: those that it may run on, and no more than its container may use at a time.

    Args:
        quota: where Linux tells the microseconds of computing that the container has in a period, and the period.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = quota.read_text(encoding="ascii").split()
        return cores if most == "max" else max(1, min(cores, round(int(most) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):
        return cores
