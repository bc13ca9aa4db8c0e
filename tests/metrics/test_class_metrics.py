"""Weighted F1 and MCC beside scikit-learn, and on the rows that break others."""

from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score


def classes(truth: np.ndarray, said: np.ndarray, *, k: int, name: str = "a") -> Evidence:
    return Evidence.of_classes(name=name, rows=np.arange(len(truth)), truth=truth, probability=np.eye(k)[said])


@pytest.mark.parametrize("k", [2, 3, 7])
def test_values_are_those_of_scikit_learn(k: int) -> None:
    from sklearn.metrics import f1_score, matthews_corrcoef

    rng = np.random.default_rng(k)
    truth = rng.integers(0, k, 200)
    said = np.where(rng.random(200) < 0.5, truth, rng.integers(0, k, 200))
    evidence = classes(truth, said, k=k + 1)  # the model knows a class that no row has
    assert score(evidence, "mcc").value == pytest.approx(matthews_corrcoef(truth, said))
    assert score(evidence, "weighted_f1").value == pytest.approx(f1_score(truth, said, average="weighted"))


@pytest.mark.parametrize("metric", ["mcc", "weighted_f1"])
def test_the_interval_is_that_of_rows_drawn_anew(metric: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    said = np.where(rng.random(400) < 0.6, truth, rng.integers(0, 3, 400))
    found = score(classes(truth, said, k=3), metric)
    drawn = [score_only(truth[rows], said[rows], metric) for rows in rng.integers(0, 400, (400, 400))]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def score_only(truth: np.ndarray, said: np.ndarray, metric: str) -> float:
    from sklearn.metrics import f1_score, matthews_corrcoef

    return float(matthews_corrcoef(truth, said) if metric == "mcc" else f1_score(truth, said, average="weighted"))


@pytest.mark.parametrize("metric", ["mcc", "weighted_f1"])
def test_a_better_one_is_proven_and_one_row_proves_nothing(metric: str) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 400)
    first, second = (np.where(rng.random(400) < right, truth, (truth + 1) % 3) for right in (0.9, 0.7))
    a, b = classes(truth, first, k=3, name="b"), classes(truth, second, k=4)
    assert compare(a, b, [metric]).outcome == "better"
    assert compare(b, a, [metric]).outcome == "worse"
    one = np.array([1])
    assert compare(classes(one, one, k=3, name="b"), classes(one, one - 1, k=3), [metric]).outcome != "better"
    assert (
        compare(classes(truth, truth * 0, k=3, name="b"), classes(truth, truth * 0, k=3), [metric]).outcome != "better"
    )


def test_a_constant_answer_has_no_correlation_and_auc_needs_two_classes() -> None:
    truth = np.array([0, 1, 1, 0])
    assert score(classes(truth, truth * 0, k=2), "mcc").value == 0
    assert score(classes(truth * 0, truth * 0, k=2), "mcc").value == 0
    truth = np.array([0, 1, 2, 0])
    with pytest.raises(RatchetError, match="must have two classes but got 3"):
        score(classes(truth, truth, k=3), "auc")
