"""Any number of labels a row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ratchet.errors import DataError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score
from ratchet.tables.dataset import Dataset
from ratchet.tasks.multilabel import Multilabel, names_of

TASK = Multilabel()
NAMES = ("a", "b", "c")


def test_labels_from_one_half_on_are_given() -> None:
    found = TASK.predictions(np.array([[0.5, 0.49, 0.9], [0, 0, 0]], np.float32), names=NAMES, facts={})
    assert [one["labels"] for one in found] == [["a", "c"], []]
    assert found[0]["probabilities"] == {"a": 0.5, "b": 0.49, "c": 0.9}


def test_cells_are_json_lists_and_counted_by_label() -> None:
    cells = TASK.cells(np.array([[0.9, 0.1, 0.8], [0, 0, 0]], np.float32), names=NAMES, facts={}, each_label=True)
    assert [row["prediction"] for row in cells] == ['["a", "c"]', "[]"]
    assert [TASK.counted(row) for row in cells] == [["a", "c"], ["none"]]
    assert cells[1]["probability_a"] == 0.0


def test_micro_f1_is_scikit_learns() -> None:
    dice = np.random.default_rng(1)
    truth, given = dice.random((80, 3)) < 0.4, dice.random((80, 3)).astype(np.float32)
    targets = TASK.targets(
        [str([name for name, there in zip(NAMES, row, strict=True) if there]).replace("'", '"') for row in truth]
    )
    columns = TASK.columns(targets, given, metrics=("micro_f1",))
    found = Evidence(name="x", rows=np.arange(80), targets=columns.targets, outcomes=columns.outcomes)
    for average in ("micro", "macro"):
        wanted = f1_score(truth, given >= 0.5, average=average)
        assert abs(score(found, f"{average}_f1").value - wanted) < 1e-9


def test_strata_are_the_rarest_labels_that_enough_rows_share() -> None:
    cells = ['["a", "b"]'] * 30 + ['["b"]'] * 50 + ['["c"]'] * 3 + ["[]"] * 25
    strata = TASK.strata(cells)
    assert strata == ["a"] * 30 + ["b"] * 50 + [""] * 28


def test_the_worst_rows_have_the_most_wrong_labels() -> None:
    targets = TASK.targets(['["a"]', '["a", "b"]', '["c"]'])
    answers = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    found = TASK.worst(targets, answers, most=5)
    assert [(one.place, one.right, one.given) for one in found] == [(1, "a, b", "c"), (2, "c", "none")]


def test_a_missing_cell_stays_missing_and_doubles_go(table: Callable[..., Dataset]) -> None:
    rows = TASK.read(table({"text": ["x", "y", "z"], "label": ['["b", "a", "b", " "]', None, '["a", "b"]']}))
    assert rows.table.column("label").to_pylist() == ['["a", "b"]', None, '["a", "b"]']
    assert names_of("") == []


def test_a_table_of_test_rows_is_cut_as_the_training_table_is(table: Callable[..., Dataset]) -> None:
    train = table({"text": list("vwxyz"), "label": ["a;b", "b;c", "a;c", "a", "b"]})
    test = table({"text": ["x", "y"], "label": ["a;c", "b"]})
    assert TASK.read(test).labels == ['["a;c"]', '["b"]'], "alone it has too few cells to tell"
    assert TASK.read(test, like=train).labels == ['["a", "c"]', '["b"]']


@pytest.mark.parametrize("cell", ['[["a"], ["b"]]', '[{"name": "a"}]', "[null]"])
def test_lists_of_anything_but_names_are_refused(cell: str, table: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match=r"must hold lists of names but row 2 of .* has .*1 such cells"):
        TASK.read(table({"text": ["x", "y"], "label": ['["a"]', cell]}))


def test_a_label_with_one_row_is_told_and_does_no_harm(table: Callable[..., Dataset]) -> None:
    dataset = TASK.read(table({"text": list("vwxyz"), "label": ["a;b", "b;a", "a;b", "a", "a;once"]}))
    TASK.require_trainable(dataset)
    (note,) = TASK.notes(dataset)
    assert note == "1 of 3 labels have fewer than 2 rows and cannot be both learned and measured: 'once'"
    assert TASK.notes(dataset.take([0, 1, 2])) == []
