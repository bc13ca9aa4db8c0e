"""Versions of the data: the log of what the tables held, and every recorded file back to the byte.

The files are in ``data/store`` of the workspace (:mod:`ratchet.data.objects`), the log is in its ledger: a version is one
record, written when all its objects are on disk. A version's id is the hash of what it holds, so the same files always have
the same id.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ratchet.data.objects import Objects, read_blocks
from ratchet.data.read import read_table
from ratchet.errors import DataError, WorkspaceError
from ratchet.ledger import Ledger, Record
from ratchet.workspace import Workspace, atomic_file, atomic_folder, sweep_beside

Part = Literal["rows", "test"]
VERSION, TAG = "data-version", "data-tag"
LATEST = "latest"
_ID, _LEAST = 20, 4
_TAG = re.compile(r"\w[\w.-]{0,59}")
REPAIR = "Bring the store back from a copy, or record the original files again: what is damaged is then stored anew."


@dataclass(frozen=True, kw_only=True)
class VersionFile:
    """A file of a version: ``path`` is relative to the workspace's parent folder, or absolute outside it."""

    path: str
    bytes: int
    sha256: str
    object: str
    """Name of the object in the store that says which lines it has."""
    part: Part = "rows"
    """``test``: the file holds the sealed test part."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """What the tables held at one time."""

    id: str
    """Hash of paths and contents: 20 hex digits."""
    time: str
    """UTC, ISO 8601."""
    message: str
    files: tuple[VersionFile, ...]
    rows: int | None
    """Rows of all files; ``None`` where one of them is no table."""
    columns: tuple[str, ...]
    parent: str | None
    """Id of the version before it that has any of its paths."""
    tags: tuple[str, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """Paths of the files."""
        return frozenset(file.path for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Damage:
    """An object of the store that is missing or has changed, and what can not be restored without it."""

    object: str
    trouble: str
    lost: tuple[tuple[str, str], ...]
    """(version id, path) of every file that needs it."""

    def __str__(self) -> str:
        files = ", ".join(f"{path} of version {version}" for version, path in self.lost[:3])
        more = f" and {len(self.lost) - 3} more" if len(self.lost) > 3 else ""
        return f"The object {self.object} ({files}{more}) must be whole but {self.trouble}."


def record(
    files: Sequence[str | Path],
    *,
    workspace: Workspace,
    message: str = "",
    test_files: Sequence[str | Path] = (),
    shape: tuple[int, Sequence[str]] | None = None,
) -> Version:
    """Record files as a version and return it; the newest version of these paths when nothing has changed since.

    Args:
        files: any files; rows and columns are counted where they are tables.
        workspace: made when it is not there.
        message: why, for the log.
        test_files: files that hold the sealed test part.
        shape: rows and columns, where the caller has read the tables already.

    Raises:
        DataError: a file is missing, unreadable or given twice.
        WorkspaceError: the disk is full, or the workspace is not writable; what was recorded before stays.
    """
    wanted = {_named(Path(path), workspace): Path(path) for path in [*files, *test_files]}
    if not wanted or len(wanted) < len(files) + len(test_files):
        raise DataError("A version must be made of different files.", next_step="Name every file once.")
    tests = {_named(Path(path), workspace) for path in test_files}
    for path in wanted.values():
        _sha256(path)  # all are there before the first is stored
    workspace.create()
    known, objects = log(workspace), _objects(workspace)
    stored = tuple(
        _stored(path, name, "test" if name in tests else "rows", known, objects) for name, path in wanted.items()
    )
    identity = _identity(stored)
    before = [version for version in known if wanted.keys() & version.paths]
    same = [version for version in before if wanted.keys() == version.paths]
    if same and same[-1].id == identity and set(same[-1].files) == set(stored):
        return same[-1]
    rows, columns = shape or _shape(list(wanted.values()))
    body = {
        "version": identity,
        "message": message,
        "files": [asdict(file) for file in stored],
        "rows": rows,
        "columns": list(columns),
        "parent": before[-1].id if before else None,
    }
    Ledger(workspace.ledger).append(VERSION, body)
    return next(version for version in reversed(log(workspace)) if version.id == identity)


def log(workspace: Workspace) -> tuple[Version, ...]:
    """Every version, oldest first; one that was returned to is there again.

    Raises:
        LedgerError: the ledger is damaged.
    """
    records = Ledger(workspace.ledger).records()
    tags = {found.body["name"]: found.body["version"] for found in records if found.kind == TAG}
    return tuple(_version(found, tags) for found in records if found.kind == VERSION)


def find(name: str, *, workspace: Workspace) -> Version:
    """The version with this tag or id (four hex digits of it are enough), or ``latest``.

    Raises:
        DataError: there is none, or several.
    """
    versions = log(workspace)
    if not versions:
        raise DataError(f"{workspace.root} has no version yet.", next_step="Record one: ratchet data add FILE")
    tagged = [version for version in versions if name in version.tags]
    named = tagged or [v for v in versions if len(name) >= _LEAST and v.id.startswith(name.lower())]
    if name == LATEST and not tagged:
        named = [versions[-1]]
    if len({version.id for version in named}) == 1:
        return named[-1]
    if named:
        found = ", ".join(sorted({version.id for version in named}))
        raise DataError(
            f"{name!r} must name one version but is the beginning of {found}.", next_step="Give more of it."
        )
    tags = [tag for version in versions for tag in version.tags]
    near = difflib.get_close_matches(name, tags, n=1)
    raise DataError(
        f"A version must be a tag, an id or {LATEST!r} but got {name!r}.",
        next_step=f"Did you mean {near[0]!r}?" if near else "`ratchet data log` lists them.",
    )


def tag(name: str, version: Version, *, workspace: Workspace, move: bool = False) -> None:
    """Name a version.

    Args:
        name: letters (of any script), digits, ``_``, ``.`` and ``-``, at most 60.
        move: take the name from the version that has it.

    Raises:
        DataError: the name is not of this form, or another version has it.
    """
    if not _TAG.fullmatch(name) or name == LATEST:
        raise DataError(
            f"A tag must be letters, digits, '_', '.' and '-' (and not {LATEST!r}) but got {name!r}.",
            next_step="Choose another name, such as v1 or 2026-11.",
        )
    holder = next((known for known in reversed(log(workspace)) if name in known.tags), None)
    if holder is not None and holder.id == version.id:
        return
    if holder is not None and not move:
        raise DataError(
            f"The tag {name!r} must be free but names version {holder.id}.", next_step="Add --move to take it."
        )
    Ledger(workspace.ledger).append(TAG, {"name": name, "version": version.id})


def restore(
    version: Version, target: Path | None = None, *, workspace: Workspace, force: bool = False
) -> tuple[Path, ...]:
    """Bring the files of a version back, byte for byte, and return those that were written.

    Every file is whole at every moment, the old one or the new one; a new ``target`` folder appears complete. A restore
    that was killed is finished by the next.

    Args:
        target: folder to restore into; the places where the files were recorded when absent.
        force: also replace files whose content no version holds; it is recorded first.

    Raises:
        DataError: a file would be replaced whose content no version holds.
        WorkspaceError: the store is damaged (with the object, the version and the file), or the disk is full.
    """
    known, objects = log(workspace), _objects(workspace)
    sources = {file.path: _intact(file, version, known, objects) for file in version.files}
    places = _places(version, target, workspace)
    if target is not None and target not in places.values() and not target.exists():
        with atomic_folder(target) as folder:
            for name, place in places.items():
                with atomic_file(folder / place.relative_to(target)) as write:
                    _pour(objects, sources[name], write)
        return tuple(places.values())
    now = {place: _sha256(place) for place in places.values() if place.exists()}
    held = {file.sha256 for other in known for file in other.files}
    _keep([place for place, sha256 in now.items() if sha256 not in held], version, workspace, force=force)
    due = {file.path: places[file.path] for file in version.files if now.get(places[file.path]) != file.sha256}
    with ExitStack() as stack:
        for name, place in due.items():
            sweep_beside(place)
            _pour(objects, sources[name], stack.enter_context(atomic_file(place)))
    return tuple(due.values())


def verify(workspace: Workspace) -> tuple[Damage, ...]:
    """Read every object and put every recorded file together; return what is damaged.

    Raises:
        LedgerError: the log itself is damaged.
    """
    objects = _objects(workspace)
    seen: dict[str, dict[str, str]] = {}
    lost: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for version in log(workspace):
        for file in version.files:
            if file.object not in seen:
                seen[file.object] = objects.damage(file.object, deep=True)
            for found in seen[file.object].items():
                lost.setdefault(found, {})[version.id, file.path] = None
    return tuple(Damage(object=name, trouble=trouble, lost=tuple(where)) for (name, trouble), where in lost.items())


def _objects(workspace: Workspace) -> Objects:
    return Objects(workspace.data / "store")


def _version(found: Record, tags: Mapping[str, str]) -> Version:
    body = found.body
    return Version(
        id=body["version"],
        time=found.time,
        message=body["message"],
        files=tuple(VersionFile(**file) for file in body["files"]),
        rows=body["rows"],
        columns=tuple(body["columns"]),
        parent=body["parent"],
        tags=tuple(name for name, version in tags.items() if version == body["version"]),
    )


def _named(path: Path, workspace: Workspace) -> str:
    """The path as the log has it: relative to the folder of the workspace where it lies in that."""
    place, folder = path.parent.resolve() / path.name, _folder(workspace)  # a link in the last place stays itself
    return (place.relative_to(folder) if place.is_relative_to(folder) else place).as_posix()


def _folder(workspace: Workspace) -> Path:
    return workspace.root.parent.resolve()


def _identity(files: Iterable[VersionFile]) -> str:
    facts = sorted((file.path, file.part, file.sha256) for file in files)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:_ID]


def _stored(path: Path, name: str, part: Part, known: Sequence[Version], objects: Objects) -> VersionFile:
    """The file as the store has it; it is stored when no intact copy is there."""
    sha256 = _sha256(path)
    for file in dict.fromkeys(file for version in reversed(known) for file in version.files if file.sha256 == sha256):
        if not objects.damage(file.object):
            return replace(file, path=name, part=part)
    stored = objects.put(path)
    return VersionFile(path=name, bytes=stored.bytes, sha256=stored.sha256, object=stored.name, part=part)


def _intact(file: VersionFile, version: Version, known: Sequence[Version], objects: Objects) -> str:
    """An object from which the file can be put together: its own, or of a later copy of the same bytes."""
    trouble = objects.damage(file.object)
    copies = (other for later in reversed(known) for other in later.files if other.sha256 == file.sha256)
    for name in dict.fromkeys([file.object, *(other.object for other in copies)] if trouble else [file.object]):
        if not objects.damage(name):
            return name
    broken, what = next(iter(trouble.items()))
    damage = Damage(object=broken, trouble=what, lost=((version.id, file.path),))
    raise WorkspaceError(str(damage), next_step=REPAIR)


def _shape(paths: Sequence[Path]) -> tuple[int | None, tuple[str, ...]]:
    """Rows of all files and their columns; no rows where one of them is no table."""
    rows, columns = 0, dict[str, None]()
    for path in paths:
        try:
            table = read_table(path).table
        except DataError:
            return None, ()
        rows += table.num_rows
        columns |= dict.fromkeys(table.column_names)
    return rows, tuple(columns)


def _places(version: Version, target: Path | None, workspace: Workspace) -> dict[str, Path]:
    """Where each file goes."""
    if target is not None and len(version.files) == 1 and target.suffix and not target.is_dir():
        return {version.files[0].path: target}
    places = {}
    for file in version.files:
        path = Path(file.path)
        folder = _folder(workspace) if target is None else target
        places[file.path] = folder / (path.name if path.is_absolute() and target is not None else path)
        if ".." in path.parts:
            raise WorkspaceError(f"The path {file.path} of version {version.id} must not leave its folder.")
    if len(set(places.values())) < len(places):
        raise DataError(
            f"The files of version {version.id} must have different names in one folder but two have the same.",
            next_step="Restore them to where they were: leave the target out.",
        )
    return places


def _keep(changed: Sequence[Path], version: Version, workspace: Workspace, *, force: bool) -> None:
    """Record files that are about to be replaced, or refuse."""
    if not changed:
        return
    if not force:
        names = ", ".join(map(str, changed[:3]))
        raise DataError(
            f"{names} must be in a version before {'they are' if len(changed) > 1 else 'it is'} replaced but no version "
            "holds what is there now.",
            next_step="Record it with `ratchet data add`, or add --force, which records it, too.",
        )
    record(changed, workspace=workspace, message=f"before restoring {version.id}")


def _pour(objects: Objects, name: str, write: Callable[[bytes], None]) -> None:
    for data in objects.get(name):
        write(data)


def _sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    digest = hashlib.sha256()
    for data in read_blocks(path):
        digest.update(data)
    return digest.hexdigest()
