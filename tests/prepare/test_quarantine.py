from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError, WorkspaceError
from ratchet.prepare.clean import prepare
from ratchet.prepare.quarantine import read_quarantine, restore, write_quarantine
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset, Roles


def dataset(
    rows: list[tuple[str | None, ...]], *, names: tuple[str, ...] = ("text", "label"), files: int = 1
) -> Dataset:
    """Rows of a table, spread over this many files in turn blocks."""
    cells = zip(*rows, strict=True) if rows else [()] * len(names)
    file_index = np.sort(np.arange(len(rows)) % files)
    return Dataset(
        table=pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, cells, strict=True)}),
        roles=Roles(text="text", label="label"),
        files=tuple(f"{chr(97 + i)}.csv" for i in range(files)),
        file_index=file_index,
        origin=np.arange(len(rows)) - np.searchsorted(file_index, file_index) + 1,
    )


CELLS = st.one_of(st.none(), st.text(alphabet='ab,"\n\r\t 好é', min_size=1, max_size=4).filter(str.strip))


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(CELLS, st.sampled_from([None, "x", "y"]), CELLS), min_size=1, max_size=20),
    st.sampled_from(["drop", "keep"]),
    st.sampled_from(["drop", "majority", "keep"]),
    st.booleans(),
    st.integers(1, 3),
)
def test_nothing_is_lost_and_everything_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str | None, ...]],
    duplicates: str,
    conflicts: str,
    drop: bool,
    files: int,
) -> None:
    rows = [*rows, ("sure to stay", "x", None)]
    table = dataset(rows, names=("text", "label", "note"), files=files)
    config = PrepareConfig(duplicates=duplicates, conflicts=conflicts, drop_columns=("note",) if drop else ())  # type: ignore[arg-type]
    prepared = prepare(table, config=config)
    assert len(prepared.dataset) + len(prepared.quarantine) == len(rows)
    assert ("note" in prepared.dataset.table.column_names) is not drop
    assert restore(prepared.dataset, prepared.quarantine).content_hash == table.content_hash
    path = tmp_path_factory.mktemp("q") / "quarantine.csv"
    write_quarantine(path, prepared.quarantine)
    read = read_quarantine(path, like=prepared.dataset)
    assert read.records == prepared.quarantine.records
    back = restore(prepared.dataset, read)
    assert back.content_hash == table.content_hash
    assert [back.place(i) for i in range(len(rows))] == [table.place(i) for i in range(len(rows))]


def test_the_quarantine_file_is_plain_csv(tmp_path: Path) -> None:
    prepared = prepare(dataset([("a", "x"), ("A", "x"), (None, "y")]), config=PrepareConfig())
    write_quarantine(tmp_path / "q.csv", prepared.quarantine)
    assert (tmp_path / "q.csv").read_text(encoding="utf-8").splitlines() == [
        '"ratchet.file","ratchet.row","ratchet.reason","ratchet.kept_file","ratchet.kept_row","text","label"',
        '"a.csv","2","duplicates.exact","a.csv","1","A","x"',
        '"a.csv","3","text.empty","","0",,"y"',
    ]


def test_an_empty_quarantine_is_written_and_read(tmp_path: Path) -> None:
    prepared = prepare(dataset([("a", "x")]), config=PrepareConfig())
    write_quarantine(tmp_path / "q.csv", prepared.quarantine)
    read = read_quarantine(tmp_path / "q.csv", like=prepared.dataset)
    assert (len(read), read.counts) == (0, {})
    assert restore(prepared.dataset, read).content_hash == prepared.dataset.content_hash


def test_a_file_that_is_no_quarantine_is_refused(tmp_path: Path) -> None:
    table = dataset([("a", "x"), ("a", "x")])
    (tmp_path / "q.csv").write_text("text,label\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="does not fit"):
        read_quarantine(tmp_path / "q.csv", like=table)
    with pytest.raises(DataError, match="cannot be read"):
        read_quarantine(tmp_path / "none.csv", like=table)
    write_quarantine(tmp_path / "q.csv", prepare(table, config=PrepareConfig()).quarantine)
    with pytest.raises(DataError, match=r"does not fit: 'a\.csv'"):
        read_quarantine(tmp_path / "q.csv", like=replace(table, files=("other.csv",)))


def test_a_quarantine_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "q.csv").mkdir()
    with pytest.raises(WorkspaceError):
        write_quarantine(tmp_path / "q.csv", prepare(dataset([("a", "x")]), config=PrepareConfig()).quarantine)
