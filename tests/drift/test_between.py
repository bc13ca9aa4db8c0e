"""What two tables share, by kind; times in one order for both."""

import numpy as np
import pytest

from ratchet.drift.between import between
from ratchet.errors import DataError
from ratchet.tables.dataset import Dataset

TEXTS = ["the card has not arrived yet at all", "please change my pin", "how do I top up my account today", "short"]


def look(train: Dataset, test: Dataset, *, timed: bool = False):  # type: ignore[no-untyped-def]
    return between(train, test, ngram=3, threshold=0.7, timed=timed)


def test_kinds(table) -> None:  # type: ignore[no-untyped-def]
    train = table({"text": TEXTS, "label": ["a", "b", "c", "a"], "who": ["x", "y", None, "z"]}, group="who")
    test = table(
        {
            "text": ["Please, change my PIN!", "the card has not arrived yet at al", "new", ""],
            "who": ["n", "m", "z", None],
        },
        files=("b.csv",),
        group="who",
    )
    found = look(train, test)
    assert dict(found.counts) == {"exact": 1, "near": 1, "group": 1, "time": 0}
    assert [(pair.kind, pair.train_row, pair.test_row) for pair in found.pairs] == [
        ("exact", 2, 1),
        ("near", 1, 2),
        ("group", 4, 3),
    ]
    assert found.leaking_rows == 3
    assert found.relabelled == 0  # the test table has no labels
    assert found.any
    assert found.to_dict()["exact"] == 1


def test_personal_data_is_masked(table) -> None:  # type: ignore[no-untyped-def]
    train = table({"text": ["call 13812345678 now please"]})
    found = look(train, table({"text": ["call 13812345678 now please"]}))
    assert "13812345678" not in str(found.to_dict())


@pytest.mark.parametrize(
    ("seen", "asked", "late"),
    [
        (["2024-01-01", "2024-01-05", "2024-01-09"], ["2024-01-05"], [3]),
        (["2024-01-01", None, "2024-01-09"], ["2024-01-10"], []),
        (
            ["03/04/2024", "05/04/2024", "07/04/2024"],
            ["04/13/2024"],
            [3, 2],
        ),  # only the test tells that months come first
        (["10", "20", "30"], ["15", "40"], [3, 2]),
        (["2024-01-01"], [None, None], []),
    ],
)
def test_time(table, seen, asked, late) -> None:  # type: ignore[no-untyped-def]
    texts = [f"training text {i} with words" for i in range(len(seen))]
    train = table({"text": texts, "day": seen}, time="day")
    test = table({"text": [f"other {i}" for i in range(len(asked))], "day": asked}, time="day")
    found = look(train, test, timed=True)
    assert [pair.train_row for pair in found.pairs if pair.kind == "time"] == late
    assert found.counts["time"] == len(late)
    assert look(train, test).counts["time"] == 0


def test_a_column_of_words_is_no_time(table) -> None:  # type: ignore[no-untyped-def]
    train = table({"text": TEXTS, "day": ["soon", "later", "2024-01-01", None]}, time="day")
    test = table({"text": ["x"], "day": ["2024-01-01"]}, time="day")
    with pytest.raises(DataError, match=r"row 1 of a\.csv has 'soon'"):
        look(train.take(np.array([0, 1, 2])), test, timed=True)
    with pytest.raises(DataError, match="Both tables must have the time column"):
        look(train, table({"text": ["x"]}), timed=True)


def test_lost_times_are_told(table) -> None:  # type: ignore[no-untyped-def]
    train = table({"text": TEXTS, "day": ["soon", "2024-01-02", "2024-01-01", None]}, time="day")
    found = look(train, table({"text": ["x"], "day": ["2024-01-01"]}, time="day"), timed=True)
    assert found.notes == ("2 of 4 rows of a.csv have no time that can be read.",)
