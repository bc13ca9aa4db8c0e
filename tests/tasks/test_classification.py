"""One label a row."""

from __future__ import annotations

import numpy as np

from ratchet.tasks.classification import TIE, Classification

TASK = Classification()


def test_a_prediction_is_the_most_probable_label() -> None:
    answers = np.array([[0.1, 0.9], [0.75, 0.25], [0.5, 0.5]], np.float32)
    assert TASK.predictions(answers, names=("坏", "好"), facts={}) == [
        {"label": "好", "probability": 0.9, "probabilities": {"坏": 0.1, "好": 0.9}},
        {"label": "坏", "probability": 0.75, "probabilities": {"坏": 0.75, "好": 0.25}},
        {"label": "坏", "probability": 0.5, "probabilities": {"坏": 0.5, "好": 0.5}},
    ]


def test_cells_are_rounded_once() -> None:
    answers = np.array([[0.12345678, 0.87654322]], np.float32)
    (row,) = TASK.cells(answers, names=("a", "b"), facts={}, each_label=True)
    assert row == {"prediction": "b", "probability": 0.876543, "probability_a": 0.123457, "probability_b": 0.876543}
    assert TASK.counted(row) == ["b"]


def test_a_tie_is_no_disagreement() -> None:
    before = np.array([[0.5 + TIE / 4, 0.5 - TIE / 4], [0.9, 0.1]])
    after = np.array([[0.5 - TIE / 4, 0.5 + TIE / 4], [0.1, 0.9]])
    found = TASK.parity(before, after)
    assert (found.disagreements, found.n) == (1, 2)


def test_the_surest_mistakes_come_first() -> None:
    targets = TASK.targets(["a", "a", "b", "b"])
    answers = np.array([[0.2, 0.8], [0.9, 0.1], [0.95, 0.05], [0.3, 0.7]])
    worst = TASK.worst(targets, answers, most=5)
    assert [(one.place, one.right, one.given, one.certainty) for one in worst] == [
        (2, "b", "a", 0.95),
        (0, "a", "b", 0.8),
    ]
    assert len(TASK.worst(targets, answers, most=1)) == 1


def test_imbalance_counts_classes() -> None:
    assert TASK.imbalance(TASK.targets(["a"] * 6 + ["b"] * 2)) == 3
