"""``ratchet init``: look at the table, ask what it does not tell, and write a commented recipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ratchet.data.read import read_table
from ratchet.errors import RatchetError, RecipeError
from ratchet.recipe import commented_recipe
from ratchet.workspace import write_atomic

Ask = Callable[[str, str], str]
_TEXT = ("text", "review", "content", "comment", "sentence", "message", "question", "评论", "内容", "文本", "正文")
_LABEL = ("label", "category", "class", "target", "sentiment", "intent", "标签", "类别", "分类", "情感")
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def write_recipe(
    out: Path,
    *,
    files: Sequence[str] = (),
    test_files: Sequence[str] = (),
    text: str | None = None,
    label: str | None = None,
    name: str | None = None,
    force: bool = False,
    ask: Ask | None = None,
) -> Path:
    """Write a recipe to ``out`` and return the path.

    Args:
        out: the recipe file.
        files: tables with the rows, as seen from the current folder; ``test_files`` likewise.
        text: the text column; guessed from the table when absent; so is ``label``.
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
    columns = _columns(Path(tables[0]))
    chosen_text = text or _chosen("the text", columns, _TEXT, avoid=label, ask=ask)
    chosen_label = label or _chosen("the label", columns, _LABEL, avoid=chosen_text, ask=ask)
    for role, column in (("text", chosen_text), ("label", chosen_label)):
        if column not in columns:
            raise RecipeError(
                f"The {role} must be a column of {tables[0]} ({', '.join(columns)}) but got {column!r}.",
                next_step=f"Give it with --{role}.",
            )
    answers: dict[str, Any] = {
        "name": name or Path(tables[0]).name.split(".")[0],
        "data.files": [_relative(table, out) for table in tables],
        "data.text": chosen_text,
        "data.label": chosen_label,
    }
    if test_files:
        answers["data.test_files"] = [_relative(table, out) for table in test_files]
    write_atomic(out, commented_recipe(answers).encode())
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


def _columns(path: Path) -> dict[str, list[str]]:
    """The first cells of each column."""
    table = read_table(path, name=str(path)).table.slice(0, 200)
    return {name: [cell or "" for cell in table.column(name).to_pylist()] for name in table.column_names}


def _chosen(
    role: str, columns: dict[str, list[str]], usual: Sequence[str], *, avoid: str | None, ask: Ask | None
) -> str:
    """The column with a usual name; else, for the text the longest cells, for the label the fewest different ones."""
    open_columns = {name: cells for name, cells in columns.items() if name != avoid}
    if not open_columns:
        raise RatchetError("The table must have a text and a label column but has one column.")
    named = next((name for word in usual for name in open_columns if name.strip().casefold() == word), None)
    if named is None and role == "the text":
        named = max(open_columns, key=lambda name: sum(map(len, open_columns[name])))
    if named is None:
        named = min(open_columns, key=lambda name: len(set(open_columns[name])))
    return ask(f"Which column is {role}? ({', '.join(columns)})", named) if ask else named


def _relative(table: str, out: Path) -> str:
    return os.path.relpath(table, out.parent)
