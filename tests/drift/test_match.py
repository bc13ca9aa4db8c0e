from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.drift.match import Match, match
from ratchet.tables.dataset import Dataset, Roles

Cells = Sequence[str | None]
LONG = "服务员的态度很好，房间也很干净，下次来还住这里"


def dataset(name: str, *, id: str | None = None, **columns: Cells) -> Dataset:
    table = pa.table({column: pa.array(cells, pa.string()) for column, cells in columns.items()})
    return Dataset(
        table=table,
        roles=Roles(text="text", label="label" if "label" in columns else None, id=id),
        files=(name,),
        file_index=np.zeros(len(table), np.int64),
        origin=np.arange(1, len(table) + 1),
    )


def pairs(found: Match) -> tuple[set[tuple[int, int]], set[tuple[int, int]], list[int], list[int]]:
    kept, changed = (set(zip(*(side.tolist() for side in both), strict=True)) for both in (found.kept, found.changed))
    return kept, changed, found.removed.tolist(), found.added.tolist()


def test_by_id() -> None:
    a = dataset("a", id="n", n=["1", "2", "3"], text=["x", "y", "z"], label=["p", "p", "q"])
    b = dataset("b", id="n", n=["3", "1", "4"], text=["z", "x", "y"], label=["q", "q", "p"])
    found = match(a, b)
    assert (found.by, found.related, found.notes) == ("id", True, ())
    assert pairs(found) == ({(2, 0)}, {(0, 1)}, [1], [2])


def test_by_content_each_row_once() -> None:
    a = dataset("a", text=["x", "x", "x", "y"], label=["p", "p", "q", "p"])
    b = dataset("b", text=["y", "x", "x", "x", "x"], label=["p", "p", "p", "p", "q"])
    assert pairs(match(a, b)) == ({(0, 1), (1, 2), (2, 4), (3, 0)}, set(), [], [3])


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (("好", "p"), ("好", "q"), True),
        (("Ｇood  Day", "p"), ("good day", "p"), True),
        ((LONG, "p"), (LONG.replace("很好", "挺好"), "q"), True),
        ((LONG, "p"), ("别的什么内容，没有一点相同之处的评论", "p"), False),
        (("", "p"), ("", "q"), False),
        ((None, "p"), (None, "q"), False),
    ],
)
def test_changed_is_the_same_text_or_nearly(
    old: tuple[str | None, str], new: tuple[str | None, str], changed: bool
) -> None:
    a, b = (dataset(name, text=[row[0]], label=[row[1]]) for name, row in (("a", old), ("b", new)))
    assert pairs(match(a, b)) == ((set(), {(0, 0)}, [], []) if changed else (set(), set(), [0], [0]))


def test_the_most_similar_texts_are_matched_first() -> None:
    a = dataset("a", text=[LONG + "的酒店", LONG])
    b = dataset("b", text=[LONG + "。", "新的一行没有关系"])
    assert pairs(match(a, b)) == (set(), {(1, 0)}, [0], [1])


def test_near_duplicates_are_left_alone_on_request() -> None:
    a, b = dataset("a", text=[LONG]), dataset("b", text=[LONG + "呀"])
    assert pairs(match(a, b))[1] == {(0, 0)}
    assert pairs(match(a, b, near=None)) == (set(), set(), [0], [0])


def test_columns_that_one_table_lacks_do_not_count() -> None:
    a = dataset("a", text=["x", "y"], label=["p", "q"])
    b = dataset("b", text=["x", "y"], label=["p", "q"], source=["web", "app"])
    assert pairs(match(a, b))[0] == {(0, 0), (1, 1)}


@pytest.mark.parametrize(("ids", "what"), [(["1", "1", "2"], "repeated"), (["1", None, "2"], "missing")])
def test_ids_that_name_no_rows_are_not_used(ids: Cells, what: str) -> None:
    a = dataset("a", id="n", n=ids, text=["x", "y", "z"])
    b = dataset("b", id="n", n=["1", "2", "3"], text=["x", "y", "z"])
    found = match(a, b)
    assert found.by == "content"
    assert what in found.notes[0]
    assert len(found.kept[0]) == 3


def test_ids_that_were_assigned_again_are_not_used() -> None:
    texts = [f"text {i}" for i in range(40)]
    a = dataset("a", id="n", n=[str(i) for i in range(40)], text=texts)
    b = dataset("b", id="n", n=[str(i) for i in range(41)], text=["first", *texts])
    found = match(a, b)
    assert found.by == "content"
    assert "assigned again" in found.notes[0]
    assert (len(found.kept[0]), len(found.changed[0]), found.added.tolist()) == (40, 0, [0])


def test_what_anybody_writes_does_not_make_two_tables_one() -> None:
    usual = ["好的", "谢谢", "ok", "嗯"]
    a = dataset("a", text=[*(usual * 50), *(f"我的第{i}个问题" for i in range(30))])
    b = dataset("b", text=[*(usual * 10), *(f"另外{i}件事情" for i in range(10))])
    assert not match(a, b).related
    assert match(a, dataset("b", text=a.texts[100:])).related
    assert match(a, dataset("b", text=[*a.texts, *(f"新的{i}" for i in range(900))])).related


TEXTS = st.lists(st.sampled_from(["", "x", "X ", "y", LONG, LONG + "！", LONG[:-2], "z" * 9]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(old=TEXTS, new=TEXTS, labels=st.randoms(use_true_random=False))
def test_every_row_has_one_fate(old: list[str], new: list[str], labels: object) -> None:
    choose = labels.choice  # type: ignore[attr-defined]
    a = dataset("a", text=old, label=[choose("pq") for _ in old])
    b = dataset("b", text=new, label=[choose("pq") for _ in new])
    found = match(a, b)
    assert sorted([*found.kept[0], *found.changed[0], *found.removed]) == list(range(len(old)))
    assert sorted([*found.kept[1], *found.changed[1], *found.added]) == list(range(len(new)))
    for here, there in zip(*found.kept, strict=True):
        assert (old[here], a.labels[here]) == (new[there], b.labels[there])
    for here, there in zip(*found.changed, strict=True):
        assert (old[here], a.labels[here]) != (new[there], b.labels[there])
