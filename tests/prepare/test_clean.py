"""Preparing: what goes to the quarantine, why, which row stands for it, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ratchet.errors import DataError
from ratchet.prepare.clean import Prepared, prepare
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


ROWS: list[tuple[str | None, ...]] = [
    ("好", "pos"),  # row 1
    ("坏", "neg"),
    (None, "pos"),
    ("坏 ", "neg"),  # a copy of row 2
    ("一般", "pos"),  # 5
    ("无label", None),
    ("一般", "neg"),  # contradicts 5 and 8
    ("一般", "pos"),
    ("Ｏk", "pos"),
    ("ok", "neg"),  # contradicts 9, a tie
    ("\u200b", "neg"),  # no text to see
]


def told(prepared: Prepared) -> list[tuple[int, str, int]]:
    return [(record.row, record.reason, record.kept_row) for record in prepared.quarantine.records]


@pytest.mark.parametrize(
    ("config", "kept", "records"),
    [
        ({}, [1, 2], [(4, "duplicates.exact", 2), *((row, "labels.conflict", 0) for row in (5, 7, 8, 9, 10))]),
        ({"duplicates": "keep"}, [1, 2, 4], [(row, "labels.conflict", 0) for row in (5, 7, 8, 9, 10)]),
        ({"conflicts": "majority"}, [1, 2, 5],
         [(4, "duplicates.exact", 2), (7, "labels.conflict", 5), (8, "duplicates.exact", 5),
          (9, "labels.conflict", 0), (10, "labels.conflict", 0)]),
        ({"conflicts": "keep"}, [1, 2, 5, 7, 9, 10], [(4, "duplicates.exact", 2), (8, "duplicates.exact", 5)]),
        ({"conflicts": "keep", "duplicates": "keep"}, [1, 2, 4, 5, 7, 8, 9, 10], []),
    ],
)  # fmt: skip
def test_every_removed_row_has_its_reason(
    config: dict[str, str], kept: list[int], records: list[tuple[int, str, int]]
) -> None:
    prepared = prepare(dataset(ROWS), config=PrepareConfig(**config))  # type: ignore[arg-type]
    missing = [(3, "text.empty", 0), (6, "labels.missing", 0), (11, "text.empty", 0)]
    assert prepared.dataset.origin.tolist() == kept
    assert told(prepared) == sorted([*missing, *records])
    assert sum(prepared.quarantine.counts.values()) == len(ROWS) - len(kept)


def test_without_labels_only_texts_count() -> None:
    table = dataset(ROWS)
    prepared = prepare(replace(table, roles=Roles(text="text")), config=PrepareConfig())
    assert prepared.quarantine.counts == {"duplicates.exact": 4, "text.empty": 2}
    assert prepared.dataset.origin.tolist() == [1, 2, 5, 6, 9]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [(("nots",), "Did you mean 'note'"), (("label",), "must leave columns with a role alone but got 'label'")],
)
def test_only_known_columns_without_a_role_are_dropped(columns: tuple[str, ...], problem: str) -> None:
    table = dataset([("a", "x", "1")], names=("text", "label", "note"))
    with pytest.raises(DataError, match=problem):
        prepare(table, config=PrepareConfig(drop_columns=columns))


def test_a_table_of_which_nothing_stays_is_refused() -> None:
    with pytest.raises(DataError, match="preparing takes out all 2"):
        prepare(dataset([("a", "x"), ("a", "y")]), config=PrepareConfig())


def test_rows_of_one_text_with_other_features_are_no_copies(table: Callable[..., Dataset]) -> None:
    cells = {"text": ["a b"] * 4 + ["c d"], "label": ["x", "y", "x", "x", "y"], "desk": ["1", "2", "1", None, "1"]}
    plain = table(cells)
    featured = replace(plain, roles=replace(plain.roles, features=(("desk", "category"),)))
    config = PrepareConfig()
    assert len(prepare(plain, config=config).dataset) == 1, "without the feature the labels of one text contradict"
    kept = prepare(featured, config=config).dataset
    assert kept.column("desk") == ["1", "2", None, "1"]
    assert kept.labels == ["x", "y", "x", "y"]
