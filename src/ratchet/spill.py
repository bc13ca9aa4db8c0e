"""Tables, and what is computed of each row, too large to be held: they lie in files without a name, and only what is being
looked at is in memory.

The file is mapped. The pages that a pass has read stay in memory until the system needs them, which counts as memory of this
process; so a thread gives them back all the time. What is read again comes from the system's own cache of the file.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ratchet.errors import DataError

LARGE = 1 << 29
"""Bytes from which on a table is not held in memory."""
_SHELVED = 1 << 25  # bytes
_PAUSE = 0.02  # seconds
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_guard = threading.Lock()
_keeper: threading.Thread | None = None


def has_room(size: int) -> bool:
    """Whether the folder for temporary files (``TMPDIR``) can take a file of so many bytes."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free > size + size // 4
    except OSError:
        return False


def spilled(tables: Iterable[pa.Table], *, name: str) -> pa.Table:
    """Tables of one schema as one that lies on disk; its file is gone when the table is.

    Args:
        tables: at least one.
        name: what messages call it.

    Raises:
        DataError: the disk is full.
    """
    with ExitStack() as stack:
        with _on_disk(name):
            file = stack.enter_context(tempfile.TemporaryFile(prefix="ratchet-"))
        writer = None
        for table in tables:  # what goes wrong here is no fault of the disk
            with _on_disk(name):
                writer = writer or pa.ipc.new_file(file, table.schema)
                writer.write_table(table)
        assert writer is not None
        with _on_disk(name):
            writer.close()
            mapped = _mapped(file)
    return pa.ipc.open_file(pa.py_buffer(mapped)).read_all()


@contextmanager
def _on_disk(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise DataError(
            f"{name} must fit into {tempfile.gettempdir()} while it is read but does not: {problem.strerror or problem}.",
            next_step="Free some space there, or name another folder in TMPDIR.",
        ) from None


def shelved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A large array as one that lies on disk and cannot be written to; any other, or where there is no room, as it is."""
    if array.nbytes < _SHELVED or not has_room(array.nbytes):
        return array
    try:
        with tempfile.TemporaryFile(prefix="ratchet-") as file:
            np.ascontiguousarray(array).tofile(file)
            return np.frombuffer(_mapped(file), array.dtype).reshape(array.shape)
    except OSError:
        return array


def _mapped(file: BinaryIO) -> mmap.mmap:
    file.flush()
    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    _watch(mapped)
    return mapped


def _watch(mapped: mmap.mmap) -> None:
    global _keeper
    with _guard:
        _maps.add(mapped)
        if _keeper is None:
            _keeper = threading.Thread(target=_keep_giving_back, name="ratchet-spill", daemon=True)
            _keeper.start()


def give_back() -> None:
    """Let go of the pages of all maps; for who reads here and there, by which the system maps many times as much."""
    if _maps:
        with _guard:
            for mapped in _maps:
                mapped.madvise(mmap.MADV_DONTNEED)


def _keep_giving_back() -> None:
    global _keeper
    while True:
        time.sleep(_PAUSE)
        give_back()
        with _guard:
            if not _maps:
                _keeper = None
                return


def _forget() -> None:
    """In a child of fork no thread runs but the one that forked."""
    global _keeper, _guard
    _keeper, _guard = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
