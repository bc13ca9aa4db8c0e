from __future__ import annotations

import pytest
from sklearn.metrics import precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from ratchet.report.classes import confused, per_class
from ratchet.tasks.views import Confusion

TRUE = list("aaaabbbbbbbbb")
GIVEN = list("aaabbbbbcacab")


def counted(true: list[str], predicted: list[str]) -> Confusion:
    labels = sorted({*true, *predicted})
    pairs = sorted(zip(true, predicted, strict=True))
    cells = tuple((labels.index(t), labels.index(p), pairs.count((t, p))) for t, p in dict.fromkeys(pairs))
    return Confusion(labels=tuple(labels), cells=cells)


def test_per_class_figures_agree_with_scikit_learn_and_statsmodels() -> None:
    rows = per_class(counted(TRUE, GIVEN))
    precision, recall, f1, support = precision_recall_fscore_support(TRUE, GIVEN, zero_division=0)
    assert [row.support for row in rows] == support.tolist()
    assert [row.f1.value for row in rows if row.f1 is not None] == pytest.approx(f1)
    for row, right, found in zip(rows, precision, recall, strict=True):
        assert row.precision is not None
        assert row.precision.value == pytest.approx(right)
        hits = round(right * row.predicted)
        assert (row.precision.low, row.precision.high) == pytest.approx(
            proportion_confint(hits, row.predicted, method="wilson"), abs=1e-12
        )
        assert row.recall is None or row.recall.value == pytest.approx(found)


def test_a_class_that_no_row_has_has_no_recall() -> None:
    a, b, c = per_class(counted(list("aabb"), list("aabc")))
    assert (c.support, c.recall) == (0, None)
    assert c.precision is not None
    assert c.precision.value == 0.0
    assert a.f1 is not None
    assert c.f1 is not None
    assert (a.f1.value, b.predicted, c.f1.value) == (1.0, 1, 0.0)


def test_a_label_nobody_has_or_predicts_has_no_f1() -> None:
    (row,) = per_class(Confusion(labels=("ghost",), cells=()))
    assert (row.precision, row.recall, row.f1) == (None, None, None)


def test_confused_pairs_come_commonest_first() -> None:
    pairs = confused(counted(["a"] * 5 + ["b"] * 5, ["a", "b", "b", "b", "c", "b", "b", "b", "a", "a"]), most=2)
    assert [(p.true, p.predicted, p.rows, p.share) for p in pairs] == [("a", "b", 3, 0.6), ("b", "a", 2, 0.4)]
