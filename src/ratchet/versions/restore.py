"""Bringing versions back: whole files at every moment, nothing replaced that no version holds, and damage named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import DataError, WorkspaceError
from ratchet.versions.log import Version, VersionFile, file_hash, log, project, record, store
from ratchet.versions.object_store import Objects
from ratchet.workspace.workspace import Workspace, atomic_file, atomic_folder, sweep_beside

OUTSIDE = "outside"
REPAIR = "Bring the store back from a copy, or record the original files again: what is damaged is then stored again."


@dataclass(frozen=True, kw_only=True)
class Damage:
    """An object of the store that is missing or has changed, and what cannot be restored without it."""

    object: str
    trouble: str
    lost: tuple[tuple[str, str], ...]
    """(version id, path) of every file that needs it."""

    def __str__(self) -> str:
        files = ", ".join(f"{path} of version {version}" for version, path in self.lost[:3])
        more = f" and {len(self.lost) - 3} more" if len(self.lost) > 3 else ""
        return f"The object {self.object} ({files}{more}) must be whole but {self.trouble}."


def restore(
    version: Version, target: Path | None = None, *, workspace: Workspace, force: bool = False
) -> tuple[Path, ...]:
    """Bring the files of a version back, byte for byte, and return those that were written.

    Every file is whole at every moment, the old one or the new one; a new ``target`` folder appears complete. A restore
    that was killed is finished by the next.

    Args:
        target: folder to restore into; the places where the files were recorded when absent.
        force: also replace files whose content no version holds, which is recorded first, and links.

    Raises:
        DataError: a file would be replaced whose content no version holds; or a place is outside the project, in the
            workspace or a ``.git`` folder, or behind a link.
        WorkspaceError: the store is damaged (with the object, the version and the file), or the disk is full.
    """
    known, objects = log(workspace), store(workspace)
    sources = {file.path: _intact(file, version, known, objects) for file in version.files}
    places = _places(version, target, workspace)
    folder = project(workspace) if target is None else target
    for place in places.values():
        _require_free(place, folder=folder, workspace=workspace, force=force)
    if target is not None and target not in places.values() and not target.exists():
        sweep_beside(target)
        with atomic_folder(target) as folder:
            for name, place in places.items():
                with atomic_file(folder / place.relative_to(target)) as write:
                    _pour(objects, sources[name], write)
        return tuple(places.values())
    now = {place: file_hash(place) for place in places.values() if place.exists()}
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
    objects = store(workspace)
    seen: dict[str, dict[str, str]] = {}
    lost: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for version in log(workspace):
        for file in version.files:
            if file.object not in seen:
                seen[file.object] = objects.damage(file.object, deep=True)
            for found in seen[file.object].items():
                lost.setdefault(found, {})[version.id, file.path] = None
    return tuple(Damage(object=name, trouble=trouble, lost=tuple(where)) for (name, trouble), where in lost.items())


def place_of(name: str, *, folder: Path) -> Path:
    """Where a file or source of a version goes in a folder; what was outside the project goes to ``outside`` in it.

    Raises:
        WorkspaceError: the name leads out of the folder.
    """
    path = Path(name)
    if ".." in path.parts:
        raise WorkspaceError(f"The path of a version must not leave its folder but got {name}.")
    return folder / OUTSIDE / path.relative_to(path.anchor) if path.is_absolute() else folder / path


def _places(version: Version, target: Path | None, workspace: Workspace) -> dict[str, Path]:
    """Where each file goes."""
    if target is None:
        folder = project(workspace)
        outside = [file.path for file in version.files if Path(file.path).is_absolute()]
        if outside:
            raise DataError(
                f"A version must be restored inside its project but {version.id} holds {outside[0]}, which is not in {folder}.",
                next_step="Name a folder for all of its files with --to.",
            )
        return {file.path: place_of(file.path, folder=folder) for file in version.files}
    if len(version.files) == 1 and target.suffix and not target.is_dir():
        return {version.files[0].path: target}
    return {file.path: place_of(file.path, folder=target) for file in version.files}


def _require_free(place: Path, *, folder: Path, workspace: Workspace, force: bool) -> None:
    """Refuse a place where a file of somebody else's version could do harm: what runs by itself, and what links lead to."""
    inside = place.relative_to(folder).parts if place != folder and place.is_relative_to(folder) else (place.name,)
    of_git = any(part.casefold() == ".git" for part in inside)
    if of_git or place.resolve().is_relative_to(workspace.root.resolve()):
        raise DataError(
            f"A version must not be restored into {'.git' if of_git else 'the workspace'} but holds {place}.",
            next_step="Record the tables without it, or restore with --to another folder.",
        )
    for upper in [folder.joinpath(*inside[:n]) for n in range(1, len(inside))]:
        if upper.is_symlink():
            raise DataError(
                f"A version must not be restored through a link but {upper} is one.",
                next_step="Replace the link by a folder, or restore with --to another folder.",
            )
    if place.is_symlink() and not force:
        raise DataError(
            f"{place} must be a file to be replaced but is a link.",
            next_step="Remove the link, or add --force, which puts a file in its place.",
        )


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


def _pour(objects: Objects, name: str, write: Callable[[bytes], None]) -> None:
    for data in objects.get(name):
        write(data)
