"""What is checked: a table whose roles are guessed, or the tables of a recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ratchet.errors import DataError, RatchetError
from ratchet.recipe.recipe import RECIPES, load_recipe, parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset, Roles, concat
from ratchet.tables.features import kinds_of, with_kinds
from ratchet.tables.read import (
    RawTable,
    dataset_of,
    read_dataset,
    read_table,
    require_apart,
    require_named,
    with_nulls,
    with_texts,
)
from ratchet.tables.roles import ROLES, Guess, guess_roles
from ratchet.tables.sources import STDIN
from ratchet.tasks.registry import AUTO, guess_task
from ratchet.text.columns import Rows
from ratchet.workspace.lazy import once


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Rows to check, and how they came to have their roles.

    Attributes:
        path: the table or recipe, as it was named.
        dataset: its rows, with the file names as they are shown.
        test: the rows of the test files, if there are any.
        recipe: the recipe, or for a table the default one with this table in it.
        guess: what was guessed; ``None`` for a recipe.
        lines_before: by file, how many lines stand before its first row; ``None`` where it has no lines.
        notes: what of a source was not read.
    """

    path: Path
    dataset: Dataset
    test: Dataset | None
    recipe: Recipe
    guess: Guess | None
    lines_before: Mapping[str, int | None]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return spoken(self.path) if self.path.exists() else self.dataset.files[0]

    @property
    def files(self) -> tuple[str, ...]:
        """Every file, those of the test rows last."""
        return self.dataset.files + (self.test.files if self.test is not None else ())

    @property
    def is_recipe(self) -> bool:
        """Whether a recipe was named, not a table."""
        return self.guess is None

    def line(self, file: str, row: int) -> int | None:
        """The line of a file on which a row begins; blank lines between rows are not counted."""
        before = self.lines_before.get(file)
        if before is None:
            return None
        breaks = self._breaks.get(file)
        return row + before + (int(breaks[row - 1]) if breaks is not None and 0 < row <= len(breaks) else 0)

    @once
    def _breaks(self) -> dict[str, Rows]:
        """Of each file with cells that have line breaks: how many there are before each of its rows."""
        found = {}
        for data in (self.dataset, *([] if self.test is None else [self.test])):
            counts = np.zeros(len(data), np.int64)
            for name in data.table.column_names:
                broken = pc.count_substring(data.table.column(name), "\n")
                counts += pc.fill_null(broken, 0).to_numpy().astype(np.int64)
            for number, file in enumerate(data.files):
                own = counts[data.file_index == number]
                if own.any() and _format(Path(file.partition("#")[0])) in ("csv", "tsv", "tab", "txt"):
                    found[file] = np.cumsum(own) - own
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoTables:
    """A training and a test table in the same roles; ``notes`` say which columns they are, and what was not read."""

    train: Dataset
    test: Dataset
    recipe: Recipe
    guess: Guess
    notes: tuple[str, ...]


def open_target(
    path: Path,
    *,
    test: Sequence[Path] = (),
    given: Mapping[str, str | None] | None = None,
    columns: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> Target:
    """Read a table or what a recipe names.

    Args:
        path: a table, or a recipe (``.yaml``).
        test: further tables, to be looked through for rows of the first; a recipe names its own.
        given: roles that were named; see :func:`ratchet.tables.roles.guess_roles`.
        columns: names of the first columns of tables without a header.
        overrides: as of ``--set``.

    Raises:
        RatchetError: a file cannot be read, or a column is not there.
    """
    if path.suffix.lower() in RECIPES:
        if test or columns:
            raise RatchetError(
                f"{'--test' if test else '--columns'} must go with a table but {path} is a recipe.",
                next_step="Name the tables in the recipe: data.files and data.test_files.",
            )
        named = [f"data.{role}={column}" for role, column in (given or {}).items() if column is not None]
        return _of_recipe(path, overrides=[*overrides, *named])
    recipe = parse_recipe("", folder=Path(), overrides=overrides)
    require_apart([path], list(test), base=Path())
    columns = columns or recipe.data.header
    first, guess, raw = _open_table(path, recipe=recipe, given=given, columns=columns)
    others = [_open_beside(other, like=first, recipe=recipe, columns=columns) for other in test]
    if recipe.task == AUTO:
        recipe = recipe.model_copy(update={"task": guess_task(first).name})
    return Target(
        path=path,
        dataset=first,
        test=reduce(concat, (other for other, _ in others)) if others else None,
        recipe=_recipe_of(path, test, recipe=recipe, roles=guess.roles, columns=columns),
        guess=guess,
        lines_before=dict(pair for one in [raw, *(r for _, r in others)] for pair in one.lines.items()),
        notes=tuple(note for one in [raw, *(r for _, r in others)] for note in one.notes),
    )


def open_pair(
    train: Path,
    test: Path,
    *,
    given: Mapping[str, str | None] | None = None,
    columns: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> TwoTables:
    """Read a training and a test table; arguments and errors as of :func:`open_target`."""
    recipe = parse_recipe("", folder=Path(), overrides=overrides)
    require_apart([train], [test], base=Path())
    first, guess, raw = _open_table(train, recipe=recipe, given=given, columns=columns)
    second, other = _open_beside(test, like=first, recipe=recipe, columns=columns)
    named = [f"{role} {column!r}" for role in ROLES if (column := getattr(first.roles, role)) is not None]
    notes = (
        ", ".join(named) + (" (guessed where you did not name them)" if guess.why else ""),
        *raw.notes,
        *other.notes,
    )
    return TwoTables(train=first, test=second, recipe=recipe, guess=guess, notes=notes)


def _open_table(
    path: Path, *, recipe: Recipe, given: Mapping[str, str | None] | None, columns: Sequence[str]
) -> tuple[Dataset, Guess, RawTable]:
    """Read one table and give its columns their roles; ``given`` goes before what ``--set data.text=...`` says."""
    data = recipe.data
    set_ = {role: getattr(data, role) for role in ROLES if role in data.model_fields_set}
    given = set_ | {role: column for role, column in (given or {}).items() if column is not None}
    raw = read_table(path, encoding=data.encoding, name=spoken(path), columns=columns)
    table = with_nulls(raw.table, missing=data.missing)
    several = _several(given.get("text"))
    if several:
        require_named(raw, text=several)
        given["text"] = data.model_copy(update={"text": several}).text_name
        table = with_texts(table, several, name=str(given["text"]))
    guess = guess_roles(table, name=raw.name, given=given)
    require_named(raw, features=data.features)
    roles = replace(guess.roles, texts=several, features=kinds_of(table, data.features))
    guess = replace(guess, roles=roles)
    if (label := guess.roles.label) is not None:  # what is missing is another question in the column of the labels
        own = with_nulls(
            raw.table.select([label]), missing=recipe.data.missing, label=label, no_label=recipe.data.no_label
        )
        table = table.set_column(table.column_names.index(label), label, own.column(0))
    return dataset_of([replace(raw, table=table)], roles=guess.roles), guess, raw


def _several(text: object) -> tuple[str, ...]:
    """The columns of the text where these are several."""
    return text if isinstance(text, tuple) and len(text) > 1 else ()


def _open_beside(path: Path, *, like: Dataset, recipe: Recipe, columns: Sequence[str]) -> tuple[Dataset, RawTable]:
    """Read a table that is compared with another one, in the same roles; where it has no such column, without.

    A text column of another name is found by guessing, and gets the name that it has in ``like``.
    """
    raw = read_table(path, encoding=recipe.data.encoding, name=spoken(path), columns=columns)
    roles = like.roles
    table = with_nulls(raw.table, missing=recipe.data.missing, label=roles.label, no_label=recipe.data.no_label)
    if roles.texts and roles.text not in table.column_names:
        require_named(raw, text=roles.texts)
        table = with_texts(table, roles.texts, name=roles.text)
    elif roles.text not in table.column_names:
        found = guess_roles(table, name=raw.name).roles.text
        table = table.rename_columns([roles.text if name == found else name for name in table.column_names])
        note = f"{raw.name} has no column {roles.text!r}: its texts are taken from {found!r}."
        raw = replace(raw, notes=(*raw.notes, note))
    kept = {role: column for role in ROLES if (column := getattr(roles, role)) in table.column_names}
    own = replace(Roles(**{"text": roles.text, **kept}), texts=roles.texts)
    return dataset_of([replace(raw, table=table)], roles=own), raw


def spoken(path: Path) -> str:
    """A path as it is shown: a name in UTF-8 reads right even where the locale knows ASCII only."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _recipe_of(path: Path, test: Sequence[Path], *, recipe: Recipe, roles: Roles, columns: Sequence[str]) -> Recipe:
    """The recipe of a table that was named on the command line."""
    data = recipe.data.model_copy(
        update={
            "files": (_whole(path),),
            "test_files": tuple(map(_whole, test)),
            "text": roles.texts or roles.text,
            "label": roles.label or recipe.data.label,
            "group": roles.group,
            "time": roles.time,
            "id": roles.id,
            "header": tuple(columns),
        }
    )
    return recipe.model_copy(update={"data": data})


def _whole(path: Path) -> str:
    """The path as a recipe holds it: absolute, unless it is standard input or a name on the hub."""
    return str(path.absolute()) if path.exists() or path.parts[0] not in (STDIN, "hf:") else str(path)


def _of_recipe(path: Path, *, overrides: Sequence[str]) -> Target:
    recipe = load_recipe(path, overrides=overrides)
    if not recipe.data.files:
        raise DataError("data.files must name at least one table but is empty.", next_step="Add it to the recipe.")
    files, test_files = ([_shown(name) for name in names] for names in (recipe.data.files, recipe.data.test_files))
    base = Path()
    require_apart(files, test_files, base=base)
    raws: list[tuple[Mapping[str, int | None], tuple[str, ...]]] = []

    def keep(raw: RawTable) -> None:
        raws.append((raw.lines, raw.notes))  # and not the table

    dataset = read_dataset(files, config=recipe.data, base=base, each=keep)
    settled = with_kinds(recipe.data, dataset)
    if recipe.task == AUTO:
        recipe = recipe.model_copy(update={"task": guess_task(dataset).name})
    return Target(
        path=path,
        dataset=dataset,
        test=read_dataset(test_files, config=settled, base=base, each=keep) if test_files else None,
        recipe=recipe,
        guess=None,
        lines_before=dict(pair for lines, _ in raws for pair in lines.items()),
        notes=tuple(note for _, notes in raws for note in notes),
    )


def _shown(name: str) -> Path:
    """A path as people like to read it: relative to where they are, unless that leads out of there."""
    near = os.path.relpath(name)
    return Path(name if near.startswith("..") else near)


def _format(path: Path) -> str:
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    return {"ndjson": "jsonl"}.get(suffix.lower()[1:], suffix.lower()[1:])
