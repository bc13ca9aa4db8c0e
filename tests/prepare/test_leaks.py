"""Leaks between two tables: found by kind, with a witness, and taken out of the training side only."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.near.copies import near_pairs
from ratchet.prepare.clean import prepare
from ratchet.prepare.leaks import leaks, remove_leaks
from ratchet.prepare.quarantine import restore
from ratchet.recipe.sections import PrepareConfig
from ratchet.tables.dataset import Dataset, Roles


def dataset(texts: list[str | None], *, groups: list[str | None] | None = None, name: str = "train.csv") -> Dataset:
    columns = {"text": pa.array(texts, pa.string()), "label": pa.array(["x"] * len(texts), pa.string())}
    if groups:
        columns["group"] = pa.array(groups, pa.string())
    return Dataset(
        table=pa.table(columns),
        roles=Roles(text="text", label="label", group="group" if groups else None),
        files=(name,),
        file_index=np.zeros(len(texts), np.int64),
        origin=np.arange(1, len(texts) + 1),
    )


TRAIN = [
    "Can I top-up?",
    "酒店很好，早餐不错，下次还会再来住",
    "nothing like it",
    ":)",
    None,
    "酒店很好，早餐不错，下次还会再来",
]
TEST = ["酒店很好，早餐不错，下次还会再来住！！", "can i top up", "another", ":)", None, ":("]


def test_each_kind_is_found_with_its_best_witness() -> None:
    found = leaks(dataset(TRAIN), dataset(TEST))
    assert found.counts == {"exact": 3, "near": 0, "group": 0}
    assert found.exact.left.tolist() == [1, 0, -1, 3, -1, -1]
    assert found.exact.right.tolist() == [1, 0, -1, 3, -1, -1]
    assert found.near.left.tolist() == [-1, -1, -1, -1, -1, 0]
    assert found.near.left_similarity[5] == pytest.approx(14 / 17)
    assert found.left_rows.tolist() == [True, True, False, True, False, True]
    assert found.right_rows.tolist() == [True, True, False, True, False, False]


def test_near_names_the_most_similar_row() -> None:
    found = leaks(dataset(["一二三四五六七八九十甲", "一二三四五六七八九十乙丙"]), dataset(["一二三四五六七八九十乙"]))
    assert found.counts == {"exact": 0, "near": 1, "group": 0}
    assert found.near.right.tolist() == [1]
    assert found.near.right_similarity.tolist() == [pytest.approx(0.9)]
    assert found.near.left.tolist() == [0, 0]


def test_equal_groups_leak_and_missing_ones_do_not() -> None:
    train = dataset(["a", "b", "c"], groups=["g1", None, "g2"])
    test = dataset(["d", "e"], groups=["g2", None])
    assert leaks(train, test).counts == {"exact": 0, "near": 0, "group": 1}
    assert leaks(train, test).group.left.tolist() == [-1, -1, 0]
    assert leaks(dataset(["a"]), test).counts["group"] == 0


@pytest.mark.parametrize(("left", "right"), [([], []), (["a"], []), ([], ["a"]), ([None], [""])])
def test_empty_tables_share_nothing(left: list[str | None], right: list[str | None]) -> None:
    assert leaks(dataset(left), dataset(right)).counts == {"exact": 0, "near": 0, "group": 0}


def test_training_rows_go_test_rows_stay() -> None:
    train, test = dataset(TRAIN), dataset(TEST, name="test.csv")
    kept, quarantine = remove_leaks(train, test)
    assert kept.texts == ["nothing like it", ""]
    assert [(record.row, record.reason, record.kept_file, record.kept_row) for record in quarantine.records] == [
        (row, "parts.leak", "test.csv", witness) for row, witness in ((1, 2), (2, 1), (4, 4), (6, 1))
    ]
    assert leaks(kept, test).counts == {"exact": 0, "near": 0, "group": 0}
    assert restore(kept, quarantine).content_hash == train.content_hash


def test_the_way_back_leads_through_both_quarantines() -> None:
    train = dataset([*TRAIN, "nothing like it", "yet another"])
    prepared = prepare(train, config=PrepareConfig())
    kept, leaked = remove_leaks(prepared.dataset, dataset(TEST, name="test.csv"))
    both = prepared.quarantine.plus(leaked)
    assert both.counts == {"parts.leak": 4, "text.empty": 1, "duplicates.exact": 1}
    assert restore(kept, both).content_hash == train.content_hash


def test_a_test_file_that_is_the_training_table_is_refused() -> None:
    with pytest.raises(DataError, match=r"all 2 are copies.*Is data\.test_files the training table\?"):
        remove_leaks(dataset(["a", "b"]), dataset(["b", "a"]))


@settings(max_examples=80, derandomize=True, deadline=None)
@given(*[st.lists(st.text(alphabet="ab好!", max_size=8), max_size=10)] * 2, st.sampled_from([0.4, 0.7]))
def test_what_is_left_is_near_no_test_row(left: list[str], right: list[str], threshold: float) -> None:
    left = [*left, "entirely its own"]
    kept, quarantine = remove_leaks(dataset(list(left)), dataset(list(right)), threshold=threshold)
    assert len(kept) + len(quarantine) == len(left)
    texts = [*kept.texts, *right]
    pairs = near_pairs(texts, threshold=threshold)
    across = (pairs.left < len(kept)) & (pairs.right >= len(kept))
    assert not across.any()
