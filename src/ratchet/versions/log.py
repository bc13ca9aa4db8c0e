"""Versions of the data: the log of what the tables held, and every recorded file back to the byte.

The files are in ``data/store`` of the workspace (:mod:`ratchet.versions.object_store`), the log is in its ledger: a version is
one record, written when all its objects are on disk. A version's id is the hash of what it holds, so the same files always have
the same id.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ratchet.errors import DataError
from ratchet.gate.ledger import Ledger, Record, require_shape
from ratchet.shapes import Shape
from ratchet.tables.hub import HUB
from ratchet.tables.read import read_table
from ratchet.tables.sources import STDIN, locate
from ratchet.versions.object_store import Objects, read_blocks
from ratchet.workspace.workspace import Workspace

Part = Literal["rows", "test"]
VERSION, TAG = "data-version", "data-tag"
SHORT = 12
"""Digits of an id that people are shown."""
LATEST = "latest"
_ID, _LEAST = 20, 4
_TAG = re.compile(r"\w[\w.-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class VersionFile:
    """A file of a version: ``path`` is relative to the workspace's parent folder, or absolute outside it."""

    path: str
    bytes: int
    sha256: str
    object: str
    """Name of the object in the store that says which lines it has."""
    source: str
    """What the file was recorded as: itself, a sheet of it (``book.xlsx#May``), or a folder that it is in."""
    part: Part = "rows"
    """``test``: the file holds the sealed test part."""


_VERSION: Shape = {
    "version": str,
    "message": str,
    "files": [VersionFile],
    "rows": int | None,
    "columns": [str],
    "parent": str | None,
}
_NAMES: Shape = {"name": str, "version": str}


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


def version_label(version: str | None, tags: Sequence[str]) -> str:
    """A version for people: "15f3f25fa6e3 [raw]"; empty where there is none."""
    return "" if version is None else " ".join([version[:SHORT], *(f"[{tag}]" for tag in tags)])


def record(
    sources: Sequence[str | Path],
    *,
    workspace: Workspace,
    message: str = "",
    test_sources: Sequence[str | Path] = (),
    shape: tuple[int, Sequence[str]] | None = None,
) -> Version:
    """Record files as a version and return it; the newest version of these paths when nothing has changed since.

    Args:
        sources: any files; folders and sheets of workbooks as tables are named elsewhere, for their files.
        workspace: made when it is not there.
        message: why, for the log.
        test_sources: the same for the sealed test part.
        shape: rows and columns, where the caller has read the tables already.

    Raises:
        DataError: a file is missing or unreadable, or a source is not on this disk.
        WorkspaceError: the disk is full, or the workspace is not writable; what was recorded before stays.
    """
    parts: dict[Part, Sequence[str | Path]] = {"rows": sources, "test": test_sources}
    wanted = _wanted(parts, workspace)
    workspace.create()
    known, objects = log(workspace), store(workspace)
    stored = tuple(
        replace(_stored(path, known, objects), path=name, source=source, part=part)
        for (name, source), (path, part) in wanted.items()
    )
    identity, paths = _identity(stored), {file.path for file in stored}
    before = [version for version in known if paths & version.paths]
    same = [version for version in before if paths == version.paths]
    if same and same[-1].id == identity and set(same[-1].files) == set(stored):
        return same[-1]
    rows, columns = shape or _shape([Path(source) for named in parts.values() for source in named])
    body = {
        "version": identity,
        "message": message,
        "files": [asdict(file) for file in stored],
        "rows": rows,
        "columns": list(columns),
        "parent": before[-1].id if before else None,
    }
    # Two that record the same at the same time have seen the same log: what they append is one record.
    Ledger(workspace.ledger).append(VERSION, body, key=f"{VERSION} {identity} after {len(known)}")
    return next(version for version in reversed(log(workspace)) if version.id == identity)


def _wanted(
    parts: Mapping[Part, Sequence[str | Path]], workspace: Workspace
) -> dict[tuple[str, str], tuple[Path, Part]]:
    """The files of the sources by (path in the log, name of the source), each with the part that it is of."""
    wanted: dict[tuple[str, str], tuple[Path, Part]] = {}
    for part, named in parts.items():
        for given in named:
            if not str(given).strip():
                raise DataError(
                    "A source must be the name of a file or folder but is empty.", next_step="Name the table."
                )
            name, files = _local(Path(given), workspace)
            for file in files:
                _require_own(file, workspace)
                wanted.setdefault((_named(file, workspace), name), (file, part))
    if not wanted:
        raise DataError("A version must have files but none was named.", next_step="Name the tables.")
    return wanted


def _require_own(file: Path, workspace: Workspace) -> None:
    whole = file.resolve()
    if ".git" in whole.parts or whole.is_relative_to(workspace.root.resolve()):
        owner = "git" if ".git" in whole.parts else "the workspace"
        raise DataError(
            f"A version must hold tables but {file} belongs to {owner}.", next_step="Name the tables themselves."
        )


def record_inputs(
    files: Sequence[str],
    test_files: Sequence[str],
    *,
    workspace: Workspace,
    message: str,
    shape: tuple[int, Sequence[str]],
) -> Version | None:
    """Record what a run reads; standard input and data sets of the hub, which are not on this disk, are left out.

    Returns:
        The version; ``None`` where nothing is left.
    """
    here, tests = ([name for name in names if is_local(Path(name))] for names in (files, test_files))
    if not here and not tests:
        return None
    return record(here, workspace=workspace, message=message, test_sources=tests, shape=shape)


def log(workspace: Workspace) -> tuple[Version, ...]:
    """Every version, oldest first; one that was returned to is there again.

    Raises:
        LedgerError: the ledger is damaged.
    """
    records = Ledger(workspace.ledger).records()
    for found in records:
        if found.kind in (VERSION, TAG):
            require_shape(found, _VERSION if found.kind == VERSION else _NAMES)
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
    require_tag(name)
    holder = next((known for known in reversed(log(workspace)) if name in known.tags), None)
    if holder is not None and holder.id == version.id:
        return
    if holder is not None and not move:
        raise DataError(
            f"The tag {name!r} must be free but names version {holder.id}.", next_step="Add --move to take it."
        )
    Ledger(workspace.ledger).append(TAG, {"name": name, "version": version.id})


def require_tag(name: str) -> None:
    """Refuse what can be no tag, as :func:`tag` does."""
    if not _TAG.fullmatch(name) or name == LATEST:
        raise DataError(
            f"A tag must be letters, digits, '_', '.' and '-' (and not {LATEST!r}) but got {name!r}.",
            next_step="Choose another name, such as v1 or 2026-11.",
        )


def store(workspace: Workspace) -> Objects:
    """The objects of a workspace."""
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
    place, folder = path.parent.resolve() / path.name, project(workspace)  # a link in the last place stays itself
    return (place.relative_to(folder) if place.is_relative_to(folder) else place).as_posix()


def project(workspace: Workspace) -> Path:
    """The folder that the paths of versions are relative to."""
    return workspace.root.parent.resolve()


def _identity(files: Iterable[VersionFile]) -> str:
    facts = sorted((file.path, file.source, file.part, file.sha256) for file in files)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:_ID]


def _stored(path: Path, known: Sequence[Version], objects: Objects) -> VersionFile:
    """The file as the store has it; it is stored when no intact copy is there."""
    sha256 = file_hash(path)
    for file in dict.fromkeys(file for version in reversed(known) for file in version.files if file.sha256 == sha256):
        if not objects.damage(file.object):
            return file
    stored = objects.put(path)
    return VersionFile(path="", bytes=stored.bytes, sha256=stored.sha256, object=stored.name, source="")


def is_local(source: Path) -> bool:
    """Whether a source is on this disk, and neither standard input nor a data set of the hub."""
    return source.exists() or (source.name != STDIN and HUB.search(source.as_posix()) is None)


def _local(source: Path, workspace: Workspace) -> tuple[str, Sequence[Path]]:
    """The name of a source in the log, and its files."""
    if not is_local(source):
        raise DataError(f"{source} must be on this disk to be recorded but is not.", next_step="Save it as a file.")
    found = locate(source, name=str(source))
    return _named(found.path, workspace) + (f"#{found.part}" if found.part else ""), found.files


def _shape(sources: Sequence[Path]) -> tuple[int | None, tuple[str, ...]]:
    """Rows of all sources and their columns; no rows where one of them is no table."""
    rows, columns = 0, dict[str, None]()
    for source in sources:
        try:
            table = read_table(source).table
        except DataError:
            return None, ()
        rows += table.num_rows
        columns |= dict.fromkeys(table.column_names)
    return rows, tuple(columns)


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    for data in read_blocks(path):
        digest.update(data)
    return digest.hexdigest()
