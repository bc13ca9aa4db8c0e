"""Any metric as one number with its goal, for early stopping and tuning."""

from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.models.targets import Targets
from ratchet.scores.business import score_of
from ratchet.tasks.generation import BESIDE
from ratchet.tasks.registry import TASKS

LABELS = Targets.of_labels(["a", "b", "b", "a"])
SHARES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
SETS = Targets.of_sets([{"x"}, {"x", "y"}, ()])
VALUES = Targets.of_values([1.0, 2.0, 4.0])
TEXTS = Targets(kind="texts", names=("answer",), values=np.array(["the cat", "北京"], dtype=object))
OBJECTS = Targets(kind="texts", names=("answer",), values=np.array(['{"a": 1}', ""], dtype=object)[:1])
CASES = {
    "classification": (LABELS, SHARES),
    "multilabel": (SETS, np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.1]])),
    "regression": (VALUES, np.array([[1.0], [2.0], [1.0]])),
    "generation": (TEXTS, np.array([["the cat"], [None]], dtype=object)),
}


def test_every_metric_of_every_task_has_a_value_and_a_goal() -> None:
    for task in TASKS:
        for name in task.metrics:
            if name not in BESIDE:
                case = (OBJECTS, np.array([['{"a": 1}']], dtype=object)) if name == "json_fields" else CASES[task.name]
                value, goal = score_of(name, *case)
                assert np.isfinite(value), name
                assert goal == ("min" if name in ("log_loss", "rmse", "mae") else "max"), name


def test_values_are_as_people_read_them() -> None:
    assert score_of("accuracy", LABELS, SHARES) == (0.75, "max")
    assert score_of("mae", VALUES, CASES["regression"][1]) == (1.0, "min")
    assert score_of("rouge_l", *CASES["generation"]) == (0.5, "max")
    assert score_of("tests.metrics.own_examples:error:min", VALUES, CASES["regression"][1]) == (1.0, "min")
    assert score_of("tests.metrics.own_examples:share_right", LABELS, SHARES) == (0.75, "max")
    country = {"country": np.array(["de", "fr", "de", "de"], dtype=object)}
    assert score_of("tests.metrics.own_examples:of_german", LABELS, SHARES, features=country)[0] == pytest.approx(2 / 3)


def test_what_cannot_be_computed_is_said() -> None:
    with pytest.raises(RatchetError, match="must have a row at least"):
        score_of("accuracy", LABELS.take(np.arange(0)), SHARES[:0])
    with pytest.raises(RatchetError, match="must have rows of both classes but got one"):
        score_of("auc", LABELS.take(np.array([0])), SHARES[:1])
    with pytest.raises(RatchetError, match="must be one of accuracy"):
        score_of("rmse", LABELS, SHARES)
    with pytest.raises(RatchetError, match="must be one of exact_match"):
        score_of("accuracy", *CASES["generation"])
    one = score_of("macro_f1", LABELS.take(np.array([0])), SHARES[:1])
    assert one == (1.0, "max")
