"""Labels of the test rows, and a column that divides the table."""

from __future__ import annotations

from typing import Any

import pytest

from ratchet.checks.test_rows import check

TEXTS = [f"text {i}" for i in range(12)]


def test_labels_that_train_lacks_are_an_error(table: Any, found: Any) -> None:
    train = table({"text": TEXTS, "label": ["0", "1"] * 6})
    test = table({"text": [f"other {i}" for i in range(4)], "label": ["0.0", "1.0", "2", "1"]}, files=("b.csv",))
    finding = found(check, train, test=test)["parts.labels"]
    assert (finding.severity, finding.rows) == ("error", 3)
    assert "'0.0' (1), in training '0'; '1.0' (1), in training '1'; '2' (1)." in finding.message
    assert "parts.labels" not in found(check, train, test=table({"text": ["x"], "label": ["1"]}, files=("b.csv",)))


def test_dates_of_train_and_test_are_read_in_one_order(table: Any, found: Any) -> None:
    days = {
        "text": [f"t{i}" for i in range(10)],
        "label": ["a", "b"] * 5,
        "time": [f"06/{13 + i}/2024" for i in range(10)],
    }
    later = {
        "text": [f"u{i}" for i in range(12)],
        "label": ["a", "b"] * 6,
        "time": [f"07/{1 + i:02}/2024" for i in range(12)],
    }
    train, test = table(days, time="time"), table(later, files=("b.csv",), time="time")
    assert "parts.time" not in found(check, train, test=test)
    assert found(check, test, test=train)["parts.time"].rows == 10


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("split", ["train", "test"], True),
        ("Split", ["Train", "TEST", "dev"], True),
        ("数据集", ["训练集", "测试集"], True),
        ("split", ["banana split", "other"], False),
        ("split", ["test"], False),
        ("kind", ["train", "test"], False),
    ],
)
def test_a_column_that_divides_the_table(table: Any, found: Any, name: str, words: list[str], told: bool) -> None:
    data = table({"text": TEXTS, "label": ["a", "b"] * 6, name: [words[i % len(words)] for i in range(12)]})
    finding = found(check, data).get("parts.column")
    assert (finding is not None) is told
    if finding is not None:
        assert f"The column {name!r} divides the table: {12 // len(words)} rows" in finding.message
        assert "data.test_files" in finding.why
