"""The fixes of a check as a recipe: all patches as one, in a new file beside what was checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ratchet.checks.finding import Finding, merged, patch
from ratchet.checkup.target import Target, spoken
from ratchet.errors import RecipeError
from ratchet.forms import legible
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import name_after
from ratchet.recipe.yaml import read_yaml, write_yaml
from ratchet.workspace.workspace import write_atomic


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """A recipe that was written, the findings that it mends, and those whose fix is left to the user."""

    path: Path
    mended: tuple[str, ...]
    left: tuple[str, ...]


def one_line(fix: str) -> str:
    """A patch on one line, in YAML's flow style: ``prepare: {duplicates: drop}``."""
    values = read_yaml(fix, name="a fix").value or {}
    return ", ".join(f"{key}: {write_yaml(value, flow=True)}" for key, value in values.items())


def fixed_path(target: Target) -> Path:
    """Where the recipe with the fixes goes: ``reviews.ratchet.yaml`` beside ``reviews.csv``, ``x.fixed.yaml`` beside
    ``x.yaml``.
    """
    stem = target.path.name.split(".")[0] or target.path.name
    path = target.path.with_name(f"{stem}.{'fixed' if target.is_recipe else 'ratchet'}.yaml")
    return path if path != target.path else target.path.with_name(f"{stem}.fixed-again.yaml")


def require_place(target: Target, *, force: bool = False) -> None:
    """Refuse a target beside which no recipe can be written, and to replace a recipe unless ``force``.

    Raises:
        RecipeError: the file is there already, or the table is not a file.
    """
    if not target.path.exists():
        raise RecipeError(
            f"A recipe is written beside a file or folder but {target.name} is neither.",
            next_step="Save the table, and check the file.",
        )
    path = fixed_path(target)
    if path.exists() and not force:
        raise RecipeError(
            f"{path} must not exist yet but it does.", next_step="Look at it, move it away, or add --force."
        )


def write_fixes(target: Target, findings: Sequence[Finding]) -> Fixed | None:
    """Write the recipe, or what a table's recipe would be, with the fixes of these findings; nothing when there is none.

    The new file keeps every key of the old one and loses its comments; the old one is left as it is. Masking is only named
    in a comment: it changes what texts say, so somebody must ask for it. A file of the same name is replaced: ask
    :func:`require_place` first.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    fixes = [finding for finding in findings if finding.fix]
    asking = [finding for finding in fixes if _masks(finding)]
    mending = [finding for finding in fixes if not _masks(finding)]
    if not mending:
        return None
    path = fixed_path(target)
    own = _text(target.path) if target.is_recipe else _own(target)
    body = merged([own, *(finding.fix for finding in mending)])
    parse_recipe(body, folder=path.parent, name=path.name)
    mended = tuple(dict.fromkeys(finding.id for finding in mending))
    lines = [
        f"# Written by `ratchet check {legible(spoken(Path(target.path.name)))} --fix`. Read it before you run it: it mends"
    ]
    lines += [f"#   {finding.id:<22} {one_line(finding.fix)}" for finding in mending]
    if asking:
        lines.append("# Only if you want it, since it changes the texts:")
        lines += [f"#   {finding.id:<22} {one_line(finding.fix)}" for finding in asking]
    write_atomic(path, ("\n".join(lines) + "\n" + body).encode())
    return Fixed(path=path, mended=mended, left=tuple(dict.fromkeys(finding.id for finding in asking)))


def _masks(finding: Finding) -> bool:
    """Whether the fix is to mask personal data in the texts."""
    values = read_yaml(finding.fix, name="a fix").value or {}
    return finding.id.startswith("pii.") and "text" in values.get("prepare", {})


def _text(recipe: Path) -> str:
    """The text of a recipe that was read before."""
    data = recipe.read_bytes()
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def _own(target: Target) -> str:
    """The recipe of a table: its files and the roles of its columns."""
    roles, data = target.dataset.roles, target.recipe.data
    folder = target.path.absolute().parent
    values: dict[str, Any] = {"files": [_beside(file, folder) for file in data.files]}
    if data.test_files:
        values["test_files"] = [_beside(file, folder) for file in data.test_files]
    for role in ("text", "label", "group", "time", "id"):
        if (column := getattr(roles, role)) is not None:
            values[role] = column
    if roles.texts:
        values["text"] = list(roles.texts)
    if roles.features:
        values["features"] = dict(roles.features)
    if data.header:
        values["header"] = list(data.header)
    if data.encoding != "auto":
        values["encoding"] = data.encoding
    return patch({"name": name_after(spoken(Path(target.path.name))), "data": values})


def _beside(file: str, folder: Path) -> str:
    return spoken(Path(os.path.relpath(file, folder))) if Path(file).is_absolute() else file
