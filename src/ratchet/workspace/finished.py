"""Finished work: a folder that exists is complete, so a restart skips it; its name holds the hash of all it depends on."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import numpy.typing as npt

from ratchet.bounds import json_value
from ratchet.errors import DataError, WorkspaceError
from ratchet.workspace.workspace import atomic_folder, writing

SUMS = "sums.json"


def key_of(*parts: object) -> str:
    """20 hex digits of sha256 over the parts (JSON values, and recipe sections as their values)."""

    def plain(value: Any) -> Any:
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        raise TypeError(f"not a JSON value: {value!r}")

    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def finished(folder: Path, build: Callable[[Path], None], *, final: bool = False) -> bool:
    """Build the folder unless it is there; ``True`` when it was.

    ``build`` fills a temporary folder, which takes its place in one step when everything is on disk. Where the
    folder is ``final``, what was written is hashed, and looked at before it is used again.

    Raises:
        WorkspaceError: a file of the folder is missing or was changed.
    """
    if folder.is_dir():
        _require_whole(folder)
        return True
    with atomic_folder(folder) as temporary:
        build(temporary)
        if final:
            sums = {path.relative_to(temporary).as_posix(): file_sha256(path) for path in _files(temporary)}
            save_json(temporary / SUMS, sums)
    return False


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)


def _require_whole(folder: Path) -> None:
    if not (folder / SUMS).is_file():
        return  # of an earlier version
    sums = load_json(folder / SUMS)
    for name, sha256 in sums.items() if isinstance(sums, dict) else ():
        path = folder / str(name)
        if not path.is_file() or file_sha256(path) != sha256:
            raise WorkspaceError(
                f"{path} must be as it was written but {'was changed' if path.is_file() else 'is missing'}.",
                next_step=f"Remove the folder {folder} and run again; it is written again.",
            )


def regular_file(path: Path, *, name: str = "") -> None:
    """Refuse a pipe, a socket or a device, which may never end; what is missing or forbidden shows when it is opened.

    Args:
        path: what is about to be opened.
        name: what messages call it; the path when absent.

    Raises:
        DataError: it is no file and no folder.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    kinds = (
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    kind = next((word for holds, word in kinds if holds(mode)), None)
    if kind is not None:
        raise DataError(
            f"{name or path} must be a file but is {kind}.", next_step="Save what it gives, or send it to -."
        )


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes; 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_json(path: Path, value: object) -> None:
    """Write JSON into a folder that `finished` is building."""
    with writing(path):
        path.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load_json(path: Path, *, keys: Mapping[str, type | UnionType] | None = None) -> Any:
    """Read JSON of a finished folder.

    Args:
        path: the file.
        keys: what the object in it must have, and of which type; an older version of Ratchet may have written less.

    Raises:
        WorkspaceError: the file is missing or damaged.
    """
    try:
        found = json_value(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"be readable JSON but is not: {error}") from error
    for key, kind in (keys or {}).items():
        if not isinstance(found, dict) or not isinstance(found.get(key), kind):
            raise _unreadable(path, f"have the key {key!r} as this version writes it but has not")
    return found


def _unreadable(path: Path, must: str) -> WorkspaceError:
    return WorkspaceError(
        f"{path} must {must}.", next_step=f"Remove the folder {path.parent} and run again; it is written again."
    )


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array into a folder that `finished` is building."""
    with writing(path), path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load_array(path: Path) -> npt.NDArray[Any]:
    """Read an array of a finished folder.

    Raises:
        WorkspaceError: the file is missing or damaged.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path, f"be a readable array but is not: {error}") from error
    return array
