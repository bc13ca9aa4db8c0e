"""``ratchet init``: look at the table, ask what it does not tell, and write a commented recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ratchet.errors import RecipeError
from ratchet.forms import FORMATS
from ratchet.recipe.recipe import commented_recipe
from ratchet.recipe.sections import DataConfig, name_after
from ratchet.tables.conversations import holds_conversations
from ratchet.tables.read import read_table, with_nulls
from ratchet.tables.roles import answer_column, guess_roles
from ratchet.workspace.workspace import write_named

Ask = Callable[[str, str], str]
_TABLES = tuple(suffix for suffix, kind in FORMATS.items() if kind)


def write_recipe(
    out: Path,
    *,
    files: Sequence[str] = (),
    test_files: Sequence[str] = (),
    text: str | None = None,
    label: str | None = None,
    columns: Sequence[str] = (),
    name: str | None = None,
    force: bool = False,
    ask: Ask | None = None,
) -> Path:
    """Write a recipe to ``out`` and return the path.

    Args:
        out: the recipe file.
        files: tables with the rows, as seen from the current folder; ``test_files`` likewise.
        text: the text column; guessed from the table when absent; so is ``label``.
        columns: names of the first columns of tables without a header.
        name: of the run; the first table's name when absent.
        force: replace a file that is there.
        ask: called with a question and the default answer; nothing is asked without it.

    Raises:
        RatchetError: a file is there already, or no table or column can be told.
    """
    if out.exists() and not force:
        raise RecipeError(
            f"{out} must not exist yet but it does.", next_step="Name another with --out, or add --force."
        )
    tables = list(files) or [_table(ask)]
    if not all(table.strip() for table in [*tables, *test_files]):
        raise RecipeError("A table must be named but one name is empty.", next_step="Give it with --file.")
    missing = DataConfig().missing
    table = with_nulls(read_table(Path(tables[0]), name=tables[0], columns=columns).table, missing=missing)
    chosen_text, chosen_label = _chosen(table, tables[0], text=text, label=label, ask=ask)
    answers: dict[str, Any] = {
        "name": name or name_after(tables[0]),
        "data.files": [_relative(table, out) for table in tables],
        "data.text": chosen_text,
        "data.label": chosen_label,
        "data.header": list(columns),
        "data.test_files": [_relative(table, out) for table in test_files],
    }
    write_named(
        out, commented_recipe({key: value for key, value in answers.items() if value or key == "data.label"}).encode()
    )
    return out


def _table(ask: Ask | None) -> str:
    found = sorted(path.name for path in Path().iterdir() if path.suffix in _TABLES)
    if ask is not None:
        return ask("Which table has the rows?", found[0] if found else "")
    if len(found) == 1:
        return found[0]
    raise RecipeError(
        f"The table must be named but this folder has {len(found)}: {', '.join(found[:5]) or 'none'}.",
        next_step="Give it with --file.",
    )


def _chosen(table: pa.Table, name: str, *, text: str | None, label: str | None, ask: Ask | None) -> tuple[str, str]:
    """The columns of the text and the label: as given, as guessed, or as answered."""
    _require_columns(table, name, {"text": text, "label": label})
    roles = guess_roles(table, name=name, given={"text": text, "label": label}).roles
    columns = ", ".join(table.column_names)
    if ask is not None and text is None:
        text = ask(f"Which column is the text? ({columns})", roles.text)
        _require_columns(table, name, {"text": text})
        roles = guess_roles(table, name=name, given={"text": text, "label": label}).roles
    if ask is not None and label is None:
        label = ask(f"Which column is the label? ({columns})", roles.label or "")
        _require_columns(table, name, {"label": label})
    label = label or roles.label or answer_column(table, text=text or roles.text)
    if label is None and holds_conversations(table.column(text or roles.text)):
        return text or roles.text, ""
    if label is None:
        raise RecipeError(
            f"{name} must have a label column but none of its columns ({columns}) looks like one.",
            next_step="Give it with --label.",
        )
    return text or roles.text, label


def _require_columns(table: pa.Table, name: str, roles: Mapping[str, str | None]) -> None:
    for role, column in roles.items():
        if column is not None and column not in table.column_names:
            raise RecipeError(
                f"The {role} must be a column of {name} ({', '.join(table.column_names)}) but got {column!r}.",
                next_step=f"Give it with --{role}.",
            )


def _relative(table: str, out: Path) -> str:
    return os.path.relpath(table, out.parent)
