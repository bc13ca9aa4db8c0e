from __future__ import annotations

import pytest
from statsmodels.stats.proportion import proportion_confint

from ratchet.report import Confusion
from ratchet.report.classes import confused, per_class, share


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 3), (857, 1000), (1, 100_000)])
def test_wilson_agrees_with_statsmodels(hits: int, n: int) -> None:
    low, high = proportion_confint(hits, n, method="wilson")
    found = share(hits, n)
    assert found.low == pytest.approx(low, abs=1e-12)
    assert found.high == pytest.approx(high, abs=1e-12)


def test_a_share_of_nothing_is_unknown() -> None:
    assert share(0, 0).value is None


def test_per_class_figures() -> None:
    confusion = Confusion.of(["a"] * 4 + ["b"] * 6, ["a", "a", "a", "b", "b", "b", "b", "b", "c", "a"])
    a, b, c = per_class(confusion)
    assert (a.support, a.predicted) == (4, 4)
    assert (a.precision.value, a.recall.value, a.f1) == (0.75, 0.75, 0.75)
    assert b.precision.value == pytest.approx(4 / 5)
    assert b.recall.value == pytest.approx(4 / 6)
    assert b.f1 == pytest.approx(8 / 11)
    assert (c.support, c.recall.value, c.precision.value, c.f1) == (0, None, 0.0, 0.0)


def test_a_label_nobody_has_or_predicts_has_no_f1() -> None:
    (row,) = per_class(Confusion(labels=("ghost",), cells=()))
    assert row.f1 is None


def test_confused_pairs_come_commonest_first() -> None:
    confusion = Confusion.of(["a"] * 5 + ["b"] * 5, ["a", "b", "b", "b", "c", "b", "b", "b", "a", "a"])
    pairs = confused(confusion, most=2)
    assert [(p.true, p.predicted, p.rows, p.share) for p in pairs] == [("a", "b", 3, 0.6), ("b", "a", 2, 0.4)]
