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
from ratchet.tables.dataset import Roles
from ratchet.tables.features import kinds_of
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
    features: Sequence[str] = (),
    name: str | None = None,
    force: bool = False,
    ask: Ask | None = None,
) -> Path:
    """Write a recipe to ``out`` and return the path.

    Args:
        out: the recipe file.
        files: tables with the rows, as seen from the current folder; ``test_files`` likewise.
        text: the text column, or several with commas between them; guessed from the table when absent; so is ``label``.
        columns: names of the first columns of tables without a header.
        features: columns that models may use beside the text; their kinds are guessed.
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
        "data.text": list(chosen_text) if len(chosen_text) > 1 else chosen_text[0],
        "data.label": chosen_label,
        "data.header": list(columns),
        "data.test_files": [_relative(table, out) for table in test_files],
    }
    if features:
        _require_columns(table, tables[0], {"feature": features})
        answers["data.features"] = dict(kinds_of(table, features))
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


def _chosen(
    table: pa.Table, name: str, *, text: str | None, label: str | None, ask: Ask | None
) -> tuple[tuple[str, ...], str]:
    """The columns of the text and the label: as given, as guessed, or as answered."""
    texts = _texts(table, name, text)
    _require_columns(table, name, {"label": _one(label)})
    roles = _roles(table, name, texts, label)
    columns = ", ".join(table.column_names)
    if ask is not None and text is None:
        texts = _texts(table, name, ask(f"Which column is the text? ({columns})", roles.text))
        roles = _roles(table, name, texts, label)
    if ask is not None and label is None:
        label = ask(f"Which column is the label? ({columns})", roles.label or "")
        _require_columns(table, name, {"label": _one(label)})
    texts = texts or (roles.text,)
    label = label or roles.label or answer_column(table, text=texts[0])
    if label is None and holds_conversations(table.column(texts[0])):
        return texts, ""
    if label is None:
        raise RecipeError(
            f"{name} must have a label column but none of its columns ({columns}) looks like one.",
            next_step="Give it with --label.",
        )
    if label in texts[1:]:
        raise RecipeError(f"The text and the label must be different columns but both have {label!r}.")
    return texts or (roles.text,), label


def _texts(table: pa.Table, name: str, text: str | None) -> tuple[str, ...]:
    """The columns of the text as they were named: one, or several with commas between them."""
    if text is None:
        return ()
    texts = (text,) if text in table.column_names else tuple(part.strip() for part in text.split(","))
    _require_columns(table, name, {"text": texts})
    return texts


def _roles(table: pa.Table, name: str, texts: Sequence[str], label: str | None) -> Roles:
    """The roles of the columns beside these texts, which take no other."""
    left = table.drop_columns(list(texts[1:]))
    given = {"text": texts[0] if texts else None, "label": label if label in left.column_names else None}
    return guess_roles(left, name=name, given=given).roles


def _one(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _require_columns(table: pa.Table, name: str, roles: Mapping[str, Sequence[str]]) -> None:
    for role, column in [(role, column) for role, columns in roles.items() for column in columns]:
        if column not in table.column_names:
            raise RecipeError(
                f"The {role} must be a column of {name} ({', '.join(table.column_names)}) but got {column!r}.",
                next_step=f"Give it with --{role}.",
            )


def _relative(table: str, out: Path) -> str:
    return os.path.relpath(table, out.parent)
