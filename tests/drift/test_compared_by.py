from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from ratchet.drift.compared_by import KINDS, SCRIPTS, Trait, cell_kinds, traits
from ratchet.tables.dataset import Dataset, Roles

Cells = Sequence[str | None]


def dataset(roles: Roles | None = None, **columns: Cells) -> Dataset:
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    return Dataset(
        table=table,
        roles=roles or Roles(text="text", label="label" if "label" in columns else None),
        files=("r.csv",),
        file_index=np.zeros(len(table), np.int64),
        origin=np.arange(1, len(table) + 1),
    )


def of(rows: Dataset) -> dict[tuple[str, str], Trait]:
    return {(trait.kind, trait.column): trait for trait in traits(rows)}


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("5", "number"),
        ("-1,234.5", "number"),
        ("１２", "number"),
        ("3%", "number"),
        ("1e-3", "number"),
        ("nan", "text"),
        ("1_000", "text"),
        ("9" * 41, "text"),
        ("2024-01-31", "date"),
        ("2024年1月3日", "date"),
        ("31.12.2024 10:00", "date"),
        ("true", "true/false"),
        ("是", "true/false"),
        ('["a", 1]', "list or object"),
        ("[not a list]", "text"),
        ("[" * 5_000 + "]", "text"),
        ("good", "text"),
        (None, "missing"),
    ],
)
def test_kinds_of_cells(cell: str | None, kind: str) -> None:
    counts = cell_kinds(dataset(text=["x"], other=[cell]), "other")
    assert KINDS[int(np.argmax(counts))] == kind
    assert counts.sum() == 1


def test_what_is_in_the_text_column_is_text() -> None:
    assert cell_kinds(dataset(text=["5", "2024-01-01", None, "x"]), "text").tolist() == [1, 0, 0, 0, 0, 3]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("good room", "Latin"),
        ("ｇｏｏｄ", "Latin"),
        ("房间很好 nice", "Chinese"),
        ("部屋がきれいです", "Japanese"),
        ("방이 깨끗해요", "Korean"),
        ("хорошо", "Cyrillic"),
        ("جيد", "Arabic"),
        ("ดีมาก", "Thai and its neighbours"),
        ("καλό", "Greek"),
        ("კარგი", "other script"),
        ("123 !?", "no letters"),
    ],
)
def test_scripts(text: str, script: str) -> None:
    found = of(dataset(text=[text, "Ω" if script != "Greek" else "a"]))["script", "text"]
    assert SCRIPTS[found.cells[0]] == script


def test_columns_become_the_traits_that_fit_them() -> None:
    count = 60
    rows = dataset(
        Roles(text="text", label="label", time="when", id="key"),
        text=[f"text {'x' * i}" for i in range(count)],
        label=["p", "q"] * 30,
        when=[f"2024-01-{i % 28 + 1:02d}" for i in range(count)],
        key=[f"k{i}" for i in range(count)],
        number=[f"{i % 7}.5" for i in range(count)],
        running=[str(i) for i in range(count)],
        channel=["app", "web", None] * 20,
        same=["1"] * count,
        free=[f"something {i}" for i in range(count)],
    )
    assert set(of(rows)) == {
        ("length", "text"),
        ("label", "label"),
        ("value", "number"),
        ("value", "channel"),
        ("kind", "channel"),
    }
    assert of(rows)["value", "number"].values is not None
    assert of(rows)["value", "channel"].names == ("app", "web")
    assert (of(rows)["value", "channel"].cells[2::3] == -1).all()


def test_many_labels_and_many_lengths_share_cells() -> None:
    count = 3_000
    found = of(dataset(text=["x" * (i % 900 + 1) for i in range(count)], label=[f"l{i % 700}" for i in range(count)]))
    assert found["label", "label"].names[-1] == "others"
    assert found["label", "label"].width == 256
    length = found["length", "text"]
    assert length.width <= 128
    assert np.bincount(length.cells).max() <= 3 * count / 128
    order = np.argsort(length.values, kind="stable")
    assert (np.diff(length.cells[order]) >= 0).all()
