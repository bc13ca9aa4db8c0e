"""What a diff compares: versions of the workspace, by tag or id, and tables on the disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ratchet.checkup.target import spoken
from ratchet.errors import DataError
from ratchet.recipe.recipe import load_recipe
from ratchet.recipe.sections import DataConfig
from ratchet.tables.dataset import Dataset, Roles
from ratchet.tables.hub import HUB
from ratchet.tables.read import RawTable, dataset_of, read_table, with_nulls, with_texts
from ratchet.tables.roles import Guess, guess_roles
from ratchet.tables.sources import STDIN
from ratchet.versions.log import Version, find
from ratchet.versions.restore import place_of, restore
from ratchet.workspace.workspace import Workspace

RECIPE = Path("ratchet.yaml")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Two tables in the same roles.

    Attributes:
        names: what people call them.
        test: the sealed test rows, of the version or file that has some.
        guess: how the columns have their roles; ``None`` where the recipe says so.
        notes: what differs beside the rows.
    """

    names: tuple[str, str]
    a: Dataset
    b: Dataset
    test: Dataset | None
    guess: Guess | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    name: str
    rows: Sequence[RawTable]
    test: Sequence[RawTable]
    sealed: tuple[str, ...]
    """Hashes of the test files."""


def open_sides(
    a: str,
    b: str,
    *,
    workspace: Workspace,
    test: Path | None = None,
    given: Mapping[str, str | None] | None = None,
    encoding: str = "auto",
) -> Sides:
    """Read both sides; each is a file where there is one of this name, else a version.

    The columns have the roles of ``ratchet.yaml`` in this folder if both tables have its text column, else they are guessed
    from the first table.

    Args:
        a: a file, a tag, an id or ``latest``; ``b`` likewise.
        test: a table with the rows that models are measured on; else those of a version that has some.
        given: roles that were named; see :func:`ratchet.tables.roles.guess_roles`.
        encoding: of files whose encoding cannot be told.

    Raises:
        RatchetError: there is no such version or file, or it is no table.
    """
    config = _recipe()
    encoding = config.encoding if encoding == "auto" else encoding
    first, second = (_side(name, workspace=workspace, encoding=encoding) for name in (a, b))
    tables = [_nulled(side.rows, missing=config.missing) for side in (first, second)]
    guess, roles = _roles(tables, config=config, given=given)
    own = partial(_own, config=config, roles=roles)
    old, new = (own(side.rows) for side in (first, second))
    sealed = own([read_table(test, encoding=encoding, name=spoken(test))] if test else second.test or first.test)
    other_test = first.sealed and second.sealed and first.sealed != second.sealed
    return Sides(
        names=(first.name, second.name),
        a=dataset_of(old, roles=roles),
        b=dataset_of(new, roles=_fitting(roles, new)),
        test=dataset_of(sealed, roles=_fitting(roles, sealed)) if sealed else None,
        guess=guess,
        notes=("The sealed test parts differ, so scores on the two cannot be compared.",) if other_test else (),
    )


def _own(raws: Sequence[RawTable], *, config: DataConfig, roles: Roles) -> list[RawTable]:
    """The tables in these roles: what counts as missing as null, and the texts of several columns as one."""
    found = _nulled(raws, missing=config.missing, label=roles.label, no_label=config.no_label)
    if not roles.texts:
        return found
    return [
        replace(raw, table=with_texts(raw.table, roles.texts, name=roles.text))
        if set(roles.texts) <= set(raw.table.column_names)
        else raw
        for raw in found
    ]


def _nulled(
    raws: Sequence[RawTable], *, missing: Sequence[str], label: str | None = None, no_label: Sequence[str] = ()
) -> list[RawTable]:
    """The tables with what counts as missing as null; see :func:`ratchet.tables.read.with_nulls`."""
    return [replace(raw, table=with_nulls(raw.table, missing=missing, label=label, no_label=no_label)) for raw in raws]


def _recipe() -> DataConfig:
    return load_recipe(RECIPE).data if RECIPE.is_file() else DataConfig()


def _roles(
    tables: Sequence[Sequence[RawTable]], *, config: DataConfig, given: Mapping[str, str | None] | None
) -> tuple[Guess | None, Roles]:
    """From the recipe where it fits, else guessed."""
    named = {role: column for role, column in (given or {}).items() if column is not None}
    everywhere = all(set(config.texts) <= set(side[0].table.column_names) for side in tables)
    if RECIPE.is_file() and everywhere and not named:
        several = config.texts if len(config.texts) > 1 else ()
        wanted = Roles(text=config.text_name, texts=several, label=config.label, group=config.group, time=config.time)
        return None, _fitting(replace(wanted, id=config.id), tables[0])
    guess = guess_roles(tables[0][0].table, name=tables[0][0].name, given=given)
    return guess, guess.roles


def _fitting(roles: Roles, raws: Sequence[RawTable]) -> Roles:
    """The roles whose columns are there; the text column is asked for by whoever needs it."""
    names = raws[0].table.column_names
    label, group, time, id = (
        name if name in names else None for name in (roles.label, roles.group, roles.time, roles.id)
    )
    return replace(roles, label=label, group=group, time=time, id=id)


def _side(name: str, *, workspace: Workspace, encoding: str) -> _Side:
    path = Path(name)
    if _is_table(name):
        return _Side(name=name, rows=[read_table(path, encoding=encoding, name=spoken(path))], test=(), sealed=())
    try:
        version = find(name, workspace=workspace)
    except DataError:
        if path.suffix or "/" in name:  # it was meant to be a file: say that it is not there
            read_table(path, encoding=encoding, name=spoken(path))
        raise
    with _opened(version, workspace) as folder:
        rows, test = ([*_tables(version, part, folder, encoding=encoding)] for part in ("rows", "test"))
    if not rows:
        raise DataError(f"Version {version.id} must have rows but holds only test files.", next_step="Name another.")
    return _Side(
        name=name if name in version.tags or version.id.startswith(name) else f"{name} ({version.id[:8]})",
        rows=rows,
        test=test,
        sealed=tuple(sorted(file.sha256 for file in version.files if file.part == "test")),
    )


def _is_table(name: str) -> bool:
    """Whether there is a file or folder of this name, or it is standard input, a sheet, or a data set of the hub."""
    path = Path(name)
    return path.exists() or path.name == STDIN or bool(HUB.search(name)) or Path(name.partition("#")[0]).is_file()


@contextmanager
def _opened(version: Version, workspace: Workspace) -> Iterator[Path]:
    """A folder with the files of a version, for as long as they are read."""
    with TemporaryDirectory(prefix="ratchet-") as held:
        folder = Path(held, "version")
        restore(version, folder, workspace=workspace)
        yield folder


def _tables(version: Version, part: str, folder: Path, *, encoding: str) -> Iterator[RawTable]:
    """The sources of one part of a version, as tables."""
    for source in dict.fromkeys(file.source for file in version.files if file.part == part):
        yield read_table(place_of(source, folder=folder), encoding=encoding, name=source)
