"""Fixes of cells: what is recorded, what comes back, and the answers of a review."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.prepare.changes import reasons
from ratchet.prepare.clean import prepare
from ratchet.prepare.fixes import fix, require_labels
from ratchet.prepare.quarantine import changes_path, read_quarantine, restore, write_quarantine
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset, Roles

Cells = list[tuple[str | None, ...]]


def dataset(rows: Cells, *, files: int = 1) -> Dataset:
    cells = list(zip(*rows, strict=True)) if rows else [(), (), ()]
    file_index = np.sort(np.arange(len(rows)) % files)
    return Dataset(
        table=pa.table(
            {
                name: pa.array(column, pa.string())
                for name, column in zip(("text", "label", "note"), cells, strict=False)
            }
        ),
        roles=Roles(text="text", label="label"),
        files=tuple(f"{chr(97 + i)}.csv" for i in range(files)),
        file_index=file_index,
        origin=np.arange(len(rows)) - np.searchsorted(file_index, file_index) + 1,
    )


ROWS: Cells = [
    ("<b>好</b>，电话13812345678", "Pos "),
    ("坏", "neg"),
    (None, "Pos "),
    ("<b>好</b>，电话13812345678", "pos"),
    ("差\u200b", "neg"),
]


def test_every_changed_cell_has_its_reason_and_what_it_was(tmp_path: Path) -> None:
    config = PrepareConfig(text=("mask", "html"), labels={"Pos ": "pos"})
    prepared = prepare(dataset(ROWS), config=config)
    assert prepared.dataset.texts == ["好，电话138****5678", "坏", "差\u200b"]
    assert prepared.dataset.labels == ["pos", "neg", "neg"]
    assert prepared.quarantine.counts == {"text.empty": 1, "duplicates.exact": 1}
    assert reasons(prepared.quarantine.changes) == {"text.html": 2, "text.mask": 2, "labels.renamed": 2}
    write_quarantine(tmp_path / "q.csv", prepared.quarantine)
    assert changes_path(tmp_path / "q.csv").read_text(encoding="utf-8").splitlines() == [
        '"file","row","reason","column","was","now"',
        '"a.csv",1,"text.html, text.mask","text","<b>好</b>，电话13812345678","好，电话138****5678"',
        '"a.csv",4,"text.html, text.mask","text","<b>好</b>，电话13812345678","好，电话138****5678"',
        '"a.csv",1,"labels.renamed","label","Pos ","pos"',
        '"a.csv",3,"labels.renamed","label","Pos ","pos"',
    ]
    assert restore(prepared.dataset, prepared.quarantine).content_hash == dataset(ROWS).content_hash
    changes_path(tmp_path / "q.csv").write_text("file,row\na.csv,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="must have the columns file, row, reason"):
        read_quarantine(tmp_path / "q.csv", like=prepared.dataset)


def test_nothing_changes_by_itself() -> None:
    prepared = prepare(dataset(ROWS), config=PrepareConfig(conflicts="keep"))
    assert len(prepared.quarantine.changes) == 0
    assert prepared.dataset.texts[0] == ROWS[0][0]


def test_labels_are_renamed_at_once_and_not_in_a_chain() -> None:
    fixed = fix(dataset([("a", "x"), ("b", "y")]), config=PrepareConfig(labels={"x": "y", "y": "x"}))
    assert fixed.dataset.labels == ["y", "x"]


def test_a_label_that_no_row_has_is_refused() -> None:
    with pytest.raises(DataError, match=r"no row has 'Pos'. Did you mean 'Pos '\?"):
        require_labels(PrepareConfig(labels={"Pos": "pos"}), [dataset(ROWS)])
    require_labels(PrepareConfig(labels={"Pos ": "pos"}), [dataset([("a", "x")]), dataset(ROWS)])


def test_findings_are_looked_for_in_the_fixed_rows_and_taken_out() -> None:
    seen: list[list[str]] = []

    def find(rows: Dataset) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        seen.append(rows.texts)
        return {"text.wordless": np.flatnonzero([text == "……" for text in rows.texts])}

    rows: Cells = [("<i>……</i>", "neg"), ("好", "pos"), ("……", "pos")]
    config = PrepareConfig(text=("html",), remove=("text.wordless",))
    prepared = prepare(dataset(rows), config=config, find=find)
    assert seen == [["……", "好", "……"]]
    assert prepared.quarantine.counts == {"text.wordless": 2}  # before their labels contradict each other
    assert prepared.dataset.texts == ["好"]
    prepare(dataset(rows), config=PrepareConfig(conflicts="keep"), find=find)
    assert len(seen) == 1


TEXTS = st.one_of(
    st.none(),
    st.lists(
        st.sampled_from(["<b>", "&amp;", "\u200b", "Ã©", "好", '"', ",", "\n", "13812345678", "a@b.cn", "x", " "]),
        min_size=1,
        max_size=5,
    )
    .map("".join)
    .filter(str.strip),
)
LABELS = st.sampled_from([None, "Pos ", "pos", "neg", "中性"])
STEPS = st.sets(st.sampled_from(["mojibake", "html", "invisible", "mask"])).map(tuple)


@settings(max_examples=120, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, LABELS, st.sampled_from([None, "1", ""])), min_size=1, max_size=20),
    STEPS,
    st.sampled_from([{}, {"Pos ": "pos"}, {"Pos ": "pos", "neg": "负面", "中性": "负面"}]),
    st.sampled_from(["drop", "keep"]),
    st.sampled_from(["drop", "majority", "keep"]),
    st.booleans(),
    st.integers(1, 3),
)
def test_all_comes_back_and_preparing_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    rows: Cells,
    text: tuple[str, ...],
    labels: dict[str, str],
    duplicates: str,
    conflicts: str,
    drop: bool,
    files: int,
) -> None:
    table = dataset([*rows, ("sure to stay", "sure", None)], files=files)
    config = PrepareConfig.model_validate(
        {"text": text, "labels": labels, "duplicates": duplicates, "conflicts": conflicts}
    )
    first = config.model_copy(update={"drop_columns": ("note",) if drop else ()})
    prepared = prepare(table, config=first)
    assert restore(prepared.dataset, prepared.quarantine).content_hash == table.content_hash
    path = tmp_path_factory.mktemp("q") / "quarantine.csv"
    write_quarantine(path, prepared.quarantine)
    back = restore(prepared.dataset, read_quarantine(path, like=prepared.dataset))
    assert back.content_hash == table.content_hash
    assert [back.place(i) for i in range(len(table))] == [table.place(i) for i in range(len(table))]
    again = prepare(prepared.dataset, config=config)
    assert again.dataset.content_hash == prepared.dataset.content_hash
    assert len(again.quarantine) + len(again.quarantine.changes) == 0
