"""Clusters of copies and the leak matrix, counted by hand."""

import numpy as np

from ratchet.check_report.clusters import find_clusters
from ratchet.check_report.leak_rows import between_files, of_random_split
from ratchet.checks import Context
from ratchet.recipe.sections import Recipe

BASE = [f"这是第{i}条完全不同的评论{i * 7919 % 9973}，讲的是第{i * 31}号房间" for i in range(40)]


def test_clusters(table) -> None:  # type: ignore[no-untyped-def]
    near = BASE[1] + "。"
    texts = [*BASE, BASE[0], BASE[0] + " ", BASE[1], near, None]
    labels = ["a"] * 40 + ["b", "a", "a", "a", "a"]
    found = find_clusters(Context(dataset=table({"text": texts, "label": labels}), recipe=Recipe(), seed=1))
    assert dict(found.sizes) == {1: 38, 3: 2}
    assert found.repeated == 2
    first, second = found.largest
    assert (first.rows, first.texts, first.labels, first.file, first.row) == (3, 1, (("a", 2), ("b", 1)), "a.csv", 1)
    assert (second.rows, second.texts) == (3, 2)
    assert second.members == (BASE[1], near)


def test_no_texts_no_clusters(table) -> None:  # type: ignore[no-untyped-def]
    found = find_clusters(Context(dataset=table({"text": [None, None]}), recipe=Recipe(), seed=1))
    assert found.sizes == ()
    assert found.largest == ()


def test_between_files(table) -> None:  # type: ignore[no-untyped-def]
    train = table({"text": [*BASE[:10], BASE[0], BASE[0]]})
    valid = table({"text": [BASE[0], BASE[1] + "！", *BASE[10:14]]})
    test = table({"text": BASE[20:25]})
    found = between_files([("train", train), ("valid", valid), ("test", test)], ngram=3, threshold=0.7)
    assert found.rows == (12, 6, 5)
    assert found.cells[0] == ((2, 0), (2, 0), (0, 0))
    assert found.cells[1][0] == (4, 0)  # three copies of one text, and the other one's
    assert found.cells[2] == ((0, 0),) * 3
    assert found.any
    assert not found.random


def test_a_random_split_of_a_table_without_copies_leaks_nothing(table) -> None:  # type: ignore[no-untyped-def]
    context = Context(dataset=table({"text": BASE}), recipe=Recipe(), seed=1)
    found = of_random_split(context)
    assert sum(found.rows) == 40
    assert not found.any
    twice = of_random_split(Context(dataset=table({"text": BASE * 2}), recipe=Recipe(), seed=1))
    assert twice.any
    inside = sum(twice.cells[i][i][0] for i in range(3))
    given = twice.cells[0][1][0] + twice.cells[0][2][0] + twice.cells[1][2][0]
    assert inside + given == 40  # every pair is either in one part or between two
    assert np.array(twice.cells).shape == (3, 3, 2)
