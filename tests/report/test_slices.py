"""Slices: how rows are divided, and that only a slice that is truly worse is called so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ratchet.gate.holm import holm
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.proportions import wilson
from ratchet.report.slices import OTHER, Division, _of_column, _quarters, divided, line_of
from ratchet.report.slices import Slices as Found


def evidence(right: np.ndarray, *, unit: np.ndarray | None = None) -> Evidence:
    n = len(right)
    truth = np.arange(n) % 2
    said = np.where(right.astype(bool), truth, 1 - truth)
    return Evidence.of_classes(name="a", rows=np.arange(n), truth=truth, probability=np.eye(2)[said], unit=unit)


def slices(
    right: np.ndarray, *cells: list[str], unit: np.ndarray | None = None, metric: str = "accuracy"
) -> Found | None:
    by = {f"column {number}": Division(cells=tuple(one)) for number, one in enumerate(cells)}
    return divided(evidence(right, unit=unit), by, quality=right.astype(float), name="accuracy", metric=metric)


def test_a_slice_has_its_mean_with_wilsons_interval_and_the_metric_of_the_gate_beside_it() -> None:
    right = np.array([1] * 60 + [0] * 20 + [1] * 20)
    found = slices(right, ["a"] * 60 + ["b"] * 40, metric="macro_f1")
    assert found is not None
    (group,) = found.groups
    first, second = group.slices
    assert (first.name, first.rows, first.mean.value, first.others) == ("a", 60, 1.0, 0.5)
    assert (second.mean.low, second.mean.high) == wilson(20, 40)
    assert second.also is not None
    assert (found.also, second.also.metric, second.also.n) == ("macro_f1", "macro_f1", 40)
    assert found.whole.value == 0.8


def test_right_and_wrong_rows_are_tested_as_fisher_did_and_corrected_asholm_did() -> None:
    rng = np.random.default_rng(0)
    right, cells = rng.random(300) < 0.7, [*"abc"] * 100
    found = slices(right, cells)
    assert found is not None
    plain = []
    for one in found.groups[0].slices:
        mask = np.array(cells) == one.name
        table = [[right[mask].sum(), (~right[mask]).sum()], [right[~mask].sum(), (~right[~mask]).sum()]]
        plain.append(stats.fisher_exact(table, alternative="less").pvalue)
    assert [one.p for one in found.groups[0].slices] == pytest.approx(holm(plain))
    order = np.argsort(plain)
    by_hand = np.maximum.accumulate([min(1.0, plain[place] * (3 - rank)) for rank, place in enumerate(order)])
    assert [holm(plain)[place] for place in order] == pytest.approx(by_hand.tolist())


def test_scores_that_are_no_shares_are_tested_by_t() -> None:
    rng = np.random.default_rng(0)
    quality = np.concatenate([rng.normal(-1, 1, 50), rng.normal(0, 1, 200)])
    truth = evidence(np.ones(250))
    found = divided(
        truth, {"by": Division(cells=("a",) * 50 + ("b",) * 200)}, quality=quality, name="mae", metric="accuracy"
    )
    assert found is not None
    worse = next(one for one in found.groups[0].slices if one.name == "a")
    welch = stats.ttest_ind(quality[:50], quality[50:], equal_var=False, alternative="less").pvalue
    assert worse.p is not None
    assert welch / 3 < worse.p < welch * 20  # fewer degrees of freedom than Welch's, and two tests
    assert found.worst is not None
    assert "worse where by is a" in line_of(found)


def test_rows_that_belong_together_are_one() -> None:
    unit = np.repeat(np.arange(40), 10)
    right = np.repeat(np.random.default_rng(3).random(40) < np.where(np.arange(40) < 20, 0.5, 0.8), 10)
    cells = ["a"] * 200 + ["b"] * 200
    alone, together = slices(right, cells), slices(right, cells, unit=unit)
    assert alone is not None
    assert together is not None
    first, second = (next(one for one in found.groups[0].slices if one.name == "a").p for found in (alone, together))
    assert first is not None
    assert second is not None
    assert first < 1e-6 < 1e-3 < second


def test_no_slice_is_called_worse_by_chance_in_more_than_a_twentieth() -> None:
    rng, named = np.random.default_rng(4), 0
    for _ in range(200):
        right = rng.random(240) < 0.8
        columns = [[str(one) for one in rng.integers(0, count, 240)] for count in (3, 6)]
        found = slices(right, *columns)
        assert found is not None
        named += found.worst is not None
    assert named <= 16  # 10 expected at most, and two standard errors


def test_the_worst_is_named_and_only_when_it_is_proven() -> None:
    right = np.array([1] * 150 + [0] * 30 + [1] * 20)
    found = slices(right, ["a"] * 150 + ["west"] * 50)
    assert found is not None
    assert found.worst is not None
    assert found.worst[1].name == "west"
    assert line_of(found).startswith("worse where column 0 is west: accuracy 40.0% [")
    assert "100.0% on the other rows (50 rows, p=" in line_of(found)
    even = slices(np.array([1, 0] * 100), ["a", "a", "b", "b"] * 50)
    assert even is not None
    assert (even.worst, line_of(even)) == (None, "")


def test_small_slices_are_one_together_and_one_that_is_everything_is_none() -> None:
    cells = ["a"] * 100 + ["b"] * 50 + [f"rare {number}" for number in range(40)]
    found = slices(np.ones(190), cells)
    assert found is not None
    assert [(one.name, one.rows) for one in found.groups[0].slices] == [("a", 100), ("b", 50), (OTHER, 40)]
    many = slices(np.ones(900), [f"value {number % 30}" for number in range(900)])
    assert many is not None
    assert len(many.groups[0].slices) == 12
    assert slices(np.ones(50), ["a"] * 50) is None
    few = slices(np.ones(25), ["a"] * 22 + ["b"] * 3)
    assert few is not None
    assert [one.p for one in few.groups[0].slices] == [None, None]
    assert slices(np.ones(1), ["a"]) is None


def test_numbers_are_quarters_in_their_order() -> None:
    division = _quarters(np.array([*range(100), np.nan], dtype=float), unit=" characters")
    assert division.order == (
        "0 to 24 characters",
        "25 to 49 characters",
        "50 to 74 characters",
        "75 to 99 characters",
    )
    assert division.cells[-1] == "(missing)"
    assert _quarters(np.zeros(9)).order == ("0",)
    assert (
        _of_column([str(number / 7) for number in range(100)] + [None], number=False).order[0].startswith("0 to 3.42")
    )
    assert _of_column(["1", "2", None] * 20, number=False).cells[:3] == ("1", "2", "(missing)")
    assert set(_of_column([f"x{number}" for number in range(50)], number=False).order) == set()
