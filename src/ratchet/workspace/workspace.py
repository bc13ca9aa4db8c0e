"""The workspace: the folder of a recipe's runs, its one-run-at-a-time lock, and writes that are whole or absent."""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ratchet.errors import WorkspaceError
from ratchet.workspace.refused import refused

_NOT_ONLY_WRITING = (errno.EACCES, errno.EPERM, errno.EEXIST, errno.EISDIR, errno.ENOTDIR)
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<kind>new|old)-[0-9a-f]{8}", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds the run lock, and since when (UTC, ISO 8601)."""

    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid}, since {self.since}"


class Workspace:
    """The folder ``root`` (usually ``.ratchet`` beside the recipe); it is created by the first write, not before.

    Reading commands need no lock.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @property
    def ledger(self) -> Path:
        """File of the ledger."""
        return self.root / "ledger.jsonl"

    @property
    def data(self) -> Path:
        """Folder of the prepared rows and the parts."""
        return self.root / "data"

    @property
    def models(self) -> Path:
        """Folder with one folder a trained model."""
        return self.root / "models"

    @property
    def bundles(self) -> Path:
        """Folder with one folder a bundle."""
        return self.root / "bundles"

    @property
    def runs(self) -> Path:
        """Folder with one folder a run."""
        return self.root / "runs"

    def create(self) -> None:
        """Make the folder, and keep it out of version control."""
        with writing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            ignore = self.root / ".gitignore"
            if not ignore.exists():
                write_atomic(ignore, b"*\n")

    @contextmanager
    def lock(
        self, *, wait: bool = False, on_wait: Callable[[Holder | None], None] | None = None
    ) -> Iterator[tuple[Path, ...]]:
        """Hold the workspace for one run and yield what killed runs had left behind (now swept).

        The lock belongs to the process: the kernel drops it however the process ends, so a stale one cannot be.

        Args:
            wait: wait until the other run ends, instead of refusing.
            on_wait: called once before waiting, with the holder where it is known.

        Raises:
            WorkspaceError: another run holds the workspace, or the folder cannot be written.
        """
        self.create()
        path, owner = self.root / "lock", os.getpid()
        with writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        _held.add(handle)
        try:
            self._take(handle, wait=wait, on_wait=on_wait)
            with writing(path):
                since = datetime.now(UTC).isoformat(timespec="seconds")
                _fill(handle, json.dumps({"pid": owner, "since": since}).encode())
                swept = sweep(self.root)
            try:
                yield swept
            finally:
                if os.getpid() == owner:
                    with suppress(OSError):
                        os.ftruncate(handle, 0)
        finally:
            if os.getpid() == owner:  # a child made by fork() has closed the handle already
                _held.discard(handle)
                os.close(handle)

    def _take(self, handle: int, *, wait: bool, on_wait: Callable[[Holder | None], None] | None) -> None:
        path = self.root / "lock"
        if _flocked(handle, path=path):
            return
        for _ in range(20):  # the holder writes its name a moment after it takes the lock
            holder = self.holder()
            if holder is not None and _lives(holder.pid):
                break
            time.sleep(0.01)
        if not wait:
            raise WorkspaceError(
                f"The workspace {self.root} must be used by one run at a time but another run holds it"
                f" ({holder or 'its process is not known yet'}).",
                next_step="Wait until that run ends, or name another `workspace:` in the recipe.",
            )
        if on_wait is not None:
            on_wait(holder)
        with writing(path):
            fcntl.flock(handle, fcntl.LOCK_EX)

    def holder(self) -> Holder | None:
        """Who holds the run lock, as the lock file has it; after a killed run it names that run until the next one."""
        try:
            found = json.loads((self.root / "lock").read_bytes())
            return Holder(pid=int(found["pid"]), since=str(found["since"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def write_atomic(path: str | Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write ``data`` to ``path`` so that, whatever happens, it holds either the old bytes or the new ones.

    Args:
        path: the file.
        data: what it will hold.
        mode: who may read it, before the process's mask; 0o600 for what is nobody else's business.

    Raises:
        WorkspaceError: the disk is full, read-only or forbidden; ``path`` is as it was before.
    """
    with atomic_file(path, mode=mode) as write:
        write(data)


def write_named(path: Path, data: bytes) -> None:
    """Write to a file that a user named; see :func:`named_stream`. Its folder is made.

    Raises:
        WorkspaceError: as :func:`write_atomic`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with named_stream(path) as stream:
            stream.write(data)


@contextmanager
def named_stream(path: Path) -> Iterator[BinaryIO]:
    """A stream to a file that a user named, which is whole or as it was; what killed processes left of it goes.

    Of a link it is what the link leads to. A device or a pipe stays one, and standard output under one of its names
    (``/dev/stdout``) is written on, not begun anew.

    Raises:
        OSError: as the operating system says.
    """
    if (number := _standard(path)) is not None:
        (sys.stdout if number == 1 else sys.stderr).flush()
        with os.fdopen(os.dup(number), "wb") as stream:
            yield stream
    elif path.exists() and not (path.is_file() or path.is_dir()):
        with path.open("wb") as stream:
            yield stream
    else:
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        sweep_beside(path)
        with _whole_or_absent(path) as handle, os.fdopen(os.dup(handle), "wb") as stream:
            yield stream


def _standard(path: Path) -> int | None:
    """The descriptor of standard output or standard error where this is a name of it."""
    if not str(path).startswith(("/dev/", "/proc/")) or None in (sys.stdout, sys.stderr):
        return None
    for number in (1, 2):
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(number)):
                return number
    return None


@contextmanager
def atomic_file(path: str | Path, *, mode: int = 0o666) -> Iterator[Callable[[bytes | memoryview], None]]:
    """Yield what writes further bytes; the file appears as ``path``, complete and on disk, when the block ends well.

    Raises:
        WorkspaceError: the disk is full, read-only or forbidden; ``path`` is as it was before.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _whole_or_absent(path, mode=mode) as handle:
            yield partial(_write, handle)


@contextmanager
def _whole_or_absent(path: Path, *, mode: int = 0o666) -> Iterator[int]:
    temporary, handle = _claim_file(path, mode=mode)
    try:
        yield handle
        os.fsync(handle)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # what cannot be written cannot be removed either
            temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    _sync(path.parent)


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it appears as ``target``, complete and on disk, when the block ends well.

    A folder that stands at ``target`` is replaced. When the block fails, or the process is killed, ``target`` is as
    it was before.

    Raises:
        WorkspaceError: the disk is full, read-only or forbidden.
    """
    target = Path(target)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary, handle = _claim_folder(target)
        try:
            yield temporary
            _sync_tree(temporary)
            _install(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            os.close(handle)


def sweep(folder: str | Path) -> tuple[Path, ...]:
    """Remove what killed processes left half-written anywhere under ``folder``, and return the names removed.

    What a living process is writing at the moment is locked by it and stays. A folder that was moved aside to be
    replaced, and never was, goes back to its place.
    """
    swept: list[Path] = []
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            found = _LEFTOVER.fullmatch(name)
            path = Path(parent, name)
            if found is None or path.is_symlink():
                continue
            if name in folders:
                folders.remove(name)
            if _discard(path, home=path.with_name(found["name"]) if found["kind"] == "old" else None):
                swept.append(path)
    return tuple(sorted(swept))


def sweep_beside(path: Path) -> None:
    """Remove what killed processes left half-written of this one file or folder, which need not lie in a workspace."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.new-*"):
        if _LEFTOVER.fullmatch(leftover.name) and not leftover.is_symlink():
            _discard(leftover, home=None)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn the failures of a disk inside the block into a WorkspaceError that names the file and the next step.

    Wrap only what writes to the workspace: a file that cannot be read is another kind of mistake.
    """
    try:
        yield
    except Exception as error:
        found = refused(error)
        explained = None if found is None else _explain(found, Path(path))
        if explained is None:
            raise
        raise explained from error


def _explain(error: OSError, path: Path) -> WorkspaceError | None:
    """The WorkspaceError for what the operating system refused, or ``None`` when it is not about writing."""
    number = error.errno
    if number is None and str(error).endswith("written"):
        number = errno.ENOSPC  # NumPy reports a short write ("8 requested and 0 written") without a number
    named = error.filename2 or error.filename  # of a rename, the place that refused
    where = _meant(Path(os.fsdecode(named)) if isinstance(named, str | bytes) else path)
    if number in _NOT_ONLY_WRITING and not _related(where, path):
        return None
    folder = next(parent for parent in (*where.parents, Path()) if parent.exists())
    reasons = _reasons(folder)
    if number not in reasons:
        return None
    problem, next_step = reasons[number]
    return WorkspaceError(f"{where} {problem}.", next_step=next_step)


def _reasons(folder: Path) -> dict[int, tuple[str, str]]:
    """By error number of the operating system: what is wrong with a place in this folder, and what to do."""
    elsewhere = f"Make {folder} writable, or write to another place (for a run: `workspace:` in the recipe)."
    return {
        errno.ENOSPC: (
            "must fit on the disk but no space is left",
            f"Free some space (see `df -h {folder}`) and run again: finished work is kept.",
        ),
        errno.EDQUOT: (
            "must fit into the disk quota but the quota is used up",
            "Free some space, or raise the quota, and run again: finished work is kept.",
        ),
        errno.EFBIG: (
            "must fit into the limit for the size of a file but the limit is reached",
            "Raise it (see `ulimit -f`) and run again: finished work is kept.",
        ),
        errno.EROFS: ("must be writable but the file system is read-only", elsewhere),
        errno.EACCES: ("must be writable but the permission is denied", elsewhere),
        errno.EPERM: ("must be writable but the operation is not permitted", elsewhere),
        errno.EIO: (
            "must be on a working disk but the disk reported an input/output error",
            "Check the disk, then run again: finished work is kept.",
        ),
        errno.EEXIST: ("must be a folder but is a file", "Move that file away."),
        errno.EISDIR: ("must be a file but is a folder", "Move that folder away."),
        errno.ENOTDIR: ("must lie in folders but one of its parents is a file", "Move that file away."),
        errno.ELOOP: ("must be a file but is a link", "Remove the link."),
        errno.ENOLCK: ("must be on a file system with locks but this one has none", elsewhere),
        errno.ENOTSUP: ("must be on a file system with locks but this one has none", elsewhere),
    }


def _meant(path: Path) -> Path:
    """The path as it will be called when it is whole."""
    return Path(*(found["name"] if (found := _LEFTOVER.fullmatch(part)) else part for part in path.parts))


def _related(where: Path, path: Path) -> bool:
    """Whether ``where`` is a folder above ``path``, or lies in the folder of ``path``."""
    where, path = where.absolute(), path.absolute()
    return path.is_relative_to(where) or where.is_relative_to(path.parent)


def _claim_file(target: Path, *, mode: int) -> tuple[Path, int]:
    """A new empty file beside ``target``, open, and locked so that no sweep takes it."""
    while True:
        temporary = _beside(target, "new")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        if _own(temporary, handle):
            return temporary, handle
        os.close(handle)


def _claim_folder(target: Path) -> tuple[Path, int]:
    """A new empty folder beside ``target``, open, and locked so that no sweep takes it."""
    while True:
        temporary = _beside(target, "new")
        temporary.mkdir()
        try:
            handle = os.open(temporary, os.O_RDONLY)
        except FileNotFoundError:  # swept before it was opened
            continue
        if _own(temporary, handle):
            return temporary, handle
        os.close(handle)


def _own(path: Path, handle: int) -> bool:
    """Lock what was just created; false when a sweep took it first."""
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _discard(path: Path, *, home: Path | None) -> bool:
    """Remove a leftover, or put it back to an empty ``home``; false when a living process owns it."""
    if not path.is_file() and not path.is_dir():  # also a pipe, which Ratchet never makes: to open it would wait
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        if not _flocked(handle, path=path):
            return False
        if home is not None and not home.exists():
            path.rename(home)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _install(temporary: Path, target: Path) -> None:
    """Give the finished folder its name; what stood there goes aside first and away afterwards."""
    try:
        temporary.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        aside = _beside(target, "old")
        target.rename(aside)
        temporary.rename(target)
        _sync(target.parent)
        shutil.rmtree(aside, ignore_errors=True)
    _sync(target.parent)


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{secrets.token_hex(4)}")


def _flocked(handle: int, *, path: Path) -> bool:
    """Take the exclusive lock; false when another open file has it."""
    with writing(path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _fill(handle: int, data: bytes) -> None:
    """Make the open file hold exactly ``data``, on disk."""
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    _write(handle, data)
    os.fsync(handle)


def _write(handle: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_tree(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for path in (Path(parent, name) for name in files):
            if not path.is_symlink():
                _sync(path)
        _sync(Path(parent))


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lives(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


_held: set[int] = set()


def _forget_locks() -> None:
    """Close the parent's lock files in a forked child, so that they cannot outlive the parent."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget_locks)
