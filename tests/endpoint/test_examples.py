from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from ratchet.endpoint.examples import choose
from ratchet.errors import DataError
from ratchet.tables.dataset import Dataset

Table = Callable[..., Dataset]


def words(count: int, *, seed: int) -> list[str]:
    dice = random.Random(seed)
    return [" ".join("".join(dice.choices("abcdefghij", k=6)) for _ in range(8)) for _ in range(count)]


@pytest.fixture
def train(table: Table) -> Dataset:
    texts = words(60, seed=1)
    return table({"text": texts, "label": ["a"] * 40 + ["b"] * 18 + ["c"] * 2, "from": ["x"] * 60})


@pytest.fixture
def judged(table: Table) -> Dataset:
    return table({"text": words(30, seed=2), "label": ["a"] * 30})


def test_each_label_has_as_many_as_can_be(train: Dataset, judged: Dataset) -> None:
    found = choose(train, shots=7, seed=3, unseen=[judged])
    assert sorted(Counter(example["label"] for example in found.examples).values()) == [2, 2, 3]
    found = choose(train, shots=10, seed=3, unseen=[judged])
    assert Counter(example["label"] for example in found.examples) == {"a": 4, "b": 4, "c": 2}
    assert found.left_out == 0
    assert [example["text"] for example in found.examples] == [train.texts[row] for row in found.rows]
    assert found.examples[0]["from"] == "x"
    assert len(choose(train, shots=200, seed=3, unseen=[judged]).rows) == 60
    assert choose(train, shots=0, seed=3, unseen=[judged]).examples == ()


def test_the_draw_depends_on_the_seed_and_the_rows_not_on_their_order(train: Dataset, judged: Dataset) -> None:
    def drawn(rows: Dataset, seed: int) -> list[str]:
        return [example["text"] for example in choose(rows, shots=6, seed=seed, unseen=[judged]).examples]

    order = random.Random(0).sample(range(60), 60)
    assert drawn(train, 3) == drawn(train.take(order), 3)
    assert drawn(train, 3) != drawn(train, 4)


def test_nothing_near_an_unseen_row_is_shown(train: Dataset, judged: Dataset, table: Table) -> None:
    first = choose(train, shots=6, seed=3, unseen=[judged])
    copied, nearly, worded = (train.texts[row] for row in first.rows[:3])
    test = table({"text": [copied, nearly[:-1] + "z"]})
    more = table({"text": [worded.replace(" ", ", ").upper() + "!"], "label": ["a"]})
    found = choose(train, shots=6, seed=3, unseen=[judged, test, more])
    assert found.left_out == 3
    assert len(found.rows) == 6
    assert not set(first.rows[:3]) & set(found.rows)
    assert set(first.rows[3:]) <= set(found.rows)


def test_rows_of_one_group_with_an_unseen_row_are_not_shown(table: Table) -> None:
    texts = words(21, seed=5)
    train = table({"text": texts[:20], "label": ["a", "b"] * 10, "who": ["x"] * 10 + ["y"] * 10}, group="who")
    judged = table({"text": texts[20:], "label": ["a"], "who": ["x"]}, group="who")
    found = choose(train, shots=20, seed=3, unseen=[judged])
    assert sorted(found.rows) == list(range(10, 20))
    assert found.left_out == 10


def test_where_nearly_all_are_near_the_few_others_are_found(train: Dataset) -> None:
    others = [7, 50, 59]
    unseen = train.take([row for row in range(60) if row not in others])
    found = choose(train, shots=3, seed=3, unseen=[unseen])
    assert sorted(found.rows) == others
    assert found.left_out <= 57


def test_no_row_left_is_an_error(train: Dataset) -> None:
    with pytest.raises(DataError, match="all 60 are copies"):
        choose(train, shots=3, seed=3, unseen=[train])


def test_copies_and_empty_rows_are_shown_once_or_never(table: Table, judged: Dataset) -> None:
    one, two = words(2, seed=9)
    train = table({"text": [one, one.upper() + "!", two, "", two], "label": ["a", "a", "b", "a", ""]})
    assert sorted(choose(train, shots=5, seed=1, unseen=[judged]).rows) == [0, 2]


def test_a_task_without_labels_has_examples_too(table: Table, judged: Dataset) -> None:
    train = table({"text": words(5, seed=4), "answer": list("vwxyz")})
    found = choose(train, shots=2, seed=1, unseen=[judged])
    assert {example["answer"] for example in found.examples} <= set("vwxyz")
    assert [example["label"] for example in found.examples] == ["", ""]
