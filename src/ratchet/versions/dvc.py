"""DVC's files: pointers and a stage in its formats, and the user's own ``dvc`` called as an external program."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.errors import DataError
from ratchet.recipe.yaml import read_yaml, write_yaml
from ratchet.versions.object_store import read_blocks
from ratchet.workspace.workspace import write_atomic

STAGE = "ratchet"
_SECONDS = 3600.0
_FOLDERS = 10_000


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What DVC knows now; ``cached`` says whether the contents are in its cache, so that ``dvc push`` finds them."""

    root: Path
    pointers: tuple[Path, ...]
    cached: bool


def dvc_root(path: Path) -> Path | None:
    """The folder above ``path`` in which ``dvc init`` was run."""
    return next((folder for folder in path.resolve().parents if (folder / ".dvc").is_dir()), None)


def track(files: Sequence[Path]) -> Tracked:
    """Write ``FILE.dvc`` beside each file, and let ``dvc commit`` take the contents where DVC is installed.

    A pointer that is there keeps its other keys.

    Raises:
        DataError: no folder above a file is a DVC project, a file belongs to a stage or to a pointer of a folder already, a
            pointer is not one that DVC could have written, or DVC itself reports an error.
    """
    roots = {dvc_root(file) for file in files}
    root = roots.pop() if len(roots) == 1 else None
    if root is None:
        raise DataError(
            f"{', '.join(map(str, files))} must lie in one DVC project but no folder above has a .dvc folder.",
            next_step="Run `dvc init` in the project's folder first.",
        )
    for file in files:
        if owner := owner_of(file, root=root):
            raise DataError(
                f"{file} must have one owner in DVC but is {owner} already; with a pointer of its own DVC refuses the project.",
                next_step="Leave it to DVC: --no-dvc.",
            )
    pointers = tuple(_point(file) for file in files)
    program = shutil.which("dvc")
    if program is not None:
        names = [os.path.relpath(pointer.resolve(), root) for pointer in pointers]
        _call([program, "commit", "--quiet", "--force", "--", *names], folder=root)
    return Tracked(root=root, pointers=pointers, cached=program is not None)


def owner_of(file: Path, *, root: Path) -> str:
    """Who tracks a file already, for people: the output of a stage, or a pointer of a folder above; empty: nobody."""
    place = file.parent.resolve() / file.name
    for folder in place.parents:
        if folder == root or root not in folder.parents:
            break
        pointer = folder.with_name(f"{folder.name}.dvc")
        if pointer.is_file():
            return f"part of {os.path.relpath(folder, root)}, which {pointer.name} tracks"
    for pipeline in _pipelines(root):
        stages = _mapping(pipeline).get("stages")
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            for out in _outs(stage, folder=pipeline.parent):
                if place == out or out in place.parents:
                    return f"an output of the stage {name!r} of {os.path.relpath(pipeline, root)}"
    return ""


def _pipelines(root: Path) -> Iterator[Path]:
    """Every ``dvc.yaml`` of a project, in at most so many folders."""
    for number, (folder, folders, names) in enumerate(os.walk(root)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "dvc.yaml" in names:
            yield Path(folder, "dvc.yaml")
        if number >= _FOLDERS:
            return


def _outs(stage: Any, *, folder: Path) -> Iterator[Path]:
    """The outputs of a stage; those that hold a variable are not known here."""
    if not isinstance(stage, dict):
        return
    stage = stage.get("do", stage) if isinstance(stage.get("do"), dict) else stage
    base = folder / str(stage.get("wdir", "."))
    for kind in ("outs", "metrics", "plots"):
        outs = stage.get(kind) or ()
        for out in outs if isinstance(outs, list) else [outs]:
            name = next(iter(out), "") if isinstance(out, dict) else str(out)
            yield Path(os.path.normpath(base / str(name)))


def write_stage(recipe: Path, *, files: Sequence[Path]) -> Path:
    """Write ``dvc.yaml`` beside the recipe, with a stage that runs it when it or one of the files has changed.

    Raises:
        DataError: there is a ``dvc.yaml`` without that stage; the message holds the lines to add.
    """
    target = recipe.with_name("dvc.yaml")
    folder = target.parent.resolve()
    stage = {
        "cmd": f"ratchet run {recipe.name}",
        "deps": [recipe.name, *(os.path.relpath(file.parent.resolve() / file.name, folder) for file in files)],
    }
    if not target.exists():
        write_atomic(target, write_yaml({"stages": {STAGE: stage}}).encode())
        return target
    if (_mapping(target).get("stages") or {}).get(STAGE) != stage:
        raise DataError(
            f"{target} must have the stage {STAGE!r} but was written by another program, and is left as it is.",
            next_step=f"Add under stages: {write_yaml({STAGE: stage}, flow=True).strip()}",
        )
    return target


def _point(file: Path) -> Path:
    """Write the pointer of one file, unless it says so already."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    for data in read_blocks(file):
        digest.update(data)
        size += len(data)
    facts = {"md5": digest.hexdigest(), "size": size, "hash": "md5", "path": file.name}
    pointer = file.with_name(f"{file.name}.dvc")
    whole: dict[str, Any] = _mapping(pointer) if pointer.exists() else {"outs": [{}]}
    outs = whole.get("outs")
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], dict):
        raise DataError(
            f"{pointer} must have one entry under outs but has not.",
            next_step=f"Remove it and run again, or track the file with `dvc add {file.name}`.",
        )
    if {key: outs[0].get(key) for key in facts} != facts:
        outs[0] = facts | {key: value for key, value in outs[0].items() if key not in facts}
        write_atomic(pointer, write_yaml(whole).encode())
    return pointer


def _mapping(path: Path) -> dict[str, Any]:
    try:
        value = read_yaml(path.read_text(encoding="utf-8"), name=path.name).value
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a readable YAML file but is not: {error}.") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} must be a YAML mapping but is not.", next_step="Remove it and run again.")
    return value


def _call(command: Sequence[str], *, folder: Path) -> None:
    """Run the user's DVC.

    Raises:
        DataError: with the last line that it printed.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(
            f"`dvc commit` must run but does not: {error}.", next_step="Check it with `dvc doctor`."
        ) from None
    if done.returncode:
        said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise DataError(
            f"`dvc commit` must succeed but ended with code {done.returncode}: {said[-1] if said else 'no message'}",
            next_step="The pointers are written. Run `dvc commit` yourself to see more.",
        )
