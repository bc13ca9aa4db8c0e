"""A folder of generated files: whole or absent, and never in the place of something else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ratchet.errors import RatchetError
from ratchet.recipe.yaml import write_yaml
from ratchet.workspace.workspace import atomic_folder, sweep_beside, writing


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a target wrote, and the commands that use it, in their order."""

    folder: Path
    files: tuple[str, ...]
    """Names of the files and folders in ``folder``."""
    steps: tuple[str, ...]
    """Lines of a shell; those that begin with # explain the next one."""


@contextmanager
def fresh_folder(target: Path, *, names: Collection[str], force: bool, bundle: Path | None = None) -> Iterator[Path]:
    """Yield a folder to fill, which appears as ``target`` when the block ends well.

    Args:
        target: must be absent or empty; with ``force`` it may hold what was generated before.
        names: what the block writes into it.
        force: replace a folder that holds nothing but these names.
        bundle: a bundle that must stay what it is.

    Raises:
        RatchetError: the target holds other files, or lies inside of the bundle.
        WorkspaceError: the disk is full, read-only or forbidden.
    """
    if bundle is not None and target.resolve().is_relative_to(bundle.resolve()):
        raise RatchetError(
            f"--out must lie outside of the bundle {bundle} but got {target}.", next_step="Name another folder."
        )
    with writing(target):
        _require_room(target, names=names, force=force)
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_beside(target)
    with atomic_folder(target) as folder:
        yield folder
        _readable(folder)


def write_manifests(target: Path, manifests: Mapping[str, object], *, force: bool, bundle: Path | None = None) -> None:
    """Write a folder of YAML files, one object each.

    Raises:
        RatchetError, WorkspaceError: as :func:`fresh_folder`.
    """
    with fresh_folder(target, names=manifests, force=force, bundle=bundle) as folder:
        for name, manifest in manifests.items():
            (folder / name).write_text(write_yaml(manifest), encoding="utf-8")


def _require_room(target: Path, *, names: Collection[str], force: bool) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise RatchetError(f"--out must be a folder but {target} is none.", next_step="Name another folder.")
    if Path.cwd().is_relative_to(target.resolve()):
        raise RatchetError(f"--out must be a folder of its own but {target} is where you are.", next_step=_INSIDE)
    there = sorted(path.name for path in target.iterdir()) if target.exists() else []
    foreign = [name for name in there if name not in names]
    if there and (foreign or not force):
        has = f"{', '.join(map(repr, foreign[:3]))}, which this command does not write" if foreign else f"{there[0]!r}"
        raise RatchetError(
            f"The folder {target} must be empty but has {has}.",
            next_step="Name another folder with --out." if foreign else "Add --force to replace it, or name another.",
        )


_INSIDE = "Name a folder inside of it, such as --out deploy."


def _readable(folder: Path) -> None:
    """Let every user read it: the process in a container is another one than who made the files."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
