from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.drift.reviews import WORDS, Row, dataset, rows

from ratchet.drift.diff import Diff, diff
from ratchet.drift.shifts import Pool, Shift


def alarms(found: Diff, between: str | None = None) -> set[str]:
    return {shift.trait for shift in found.alarms if between in (None, shift.between)}


def shift_of(found: Diff, trait: str, test: str) -> Shift:
    return next(shift for shift in found.shifts if (shift.trait, shift.test) == (trait, test))


@pytest.mark.parametrize(
    ("new", "trait"),
    [
        (rows(300, seed=2, positive=0.8), "label"),
        (rows(300, seed=2, mean=0.8), "value"),
        (rows(300, seed=2, words=[*WORDS, "退款", "客服", "快递", "物流"]), "vocabulary"),
        ([{**row, "text": str(row["text"]) * 2} for row in rows(300, seed=2)], "length"),
        ([{**row, "text": "nice room " + str(row["label"])} for row in rows(300, seed=2)], "script"),
        ([{**row, "stars": None} if i % 4 == 0 else row for i, row in enumerate(rows(300, seed=2))], "kind"),
    ],
    ids=["label", "value", "vocabulary", "length", "script", "kind"],
)
def test_each_shift_is_seen(new: list[Row], trait: str) -> None:
    found = diff(dataset(rows(300, seed=1)), dataset(new), seed=3)
    assert trait in alarms(found)
    assert not found.rows.related
    assert {shift.between for shift in found.shifts} == {"all"}


def test_a_few_rows_are_not_tested_and_it_says_so() -> None:
    old = rows(200, seed=1)
    found = diff(dataset(old), dataset(old + rows(5, seed=2)))
    assert found.shifts == ()
    assert "only 5 different rows" in found.notes[0]


def test_the_statistics_are_those_of_scipy() -> None:
    old, new = rows(300, seed=1), rows(200, seed=2)
    found = diff(dataset(old), dataset(new))
    lengths = [[len(str(row["text"])) for row in side] for side in (old, new)]
    assert shift_of(found, "length", "KS").distance == pytest.approx(stats.ks_2samp(*lengths).statistic)
    table = [[sum(row["label"] == label for row in side) for label in "正负"] for side in (old, new)]
    expected = np.sqrt(stats.chi2_contingency(table, correction=False)[0] / 500)
    label = shift_of(found, "label", "chi-square")
    assert label.distance == pytest.approx(expected)
    assert label.p == pytest.approx(stats.chi2_contingency(table, correction=False)[1], abs=0.04)


def test_the_same_seed_gives_the_same_p_values() -> None:
    a, b = dataset(rows(80, seed=1)), dataset(rows(80, seed=2))
    first, again, other = (diff(a, b, seed=seed) for seed in (4, 4, 5))
    assert first.shifts == again.shifts
    assert first.shifts != other.shifts


def test_the_family_decides() -> None:
    found = diff(dataset(rows(150, seed=1)), dataset(rows(150, seed=9)))
    count = len(found.shifts)
    smallest = min(found.shifts, key=lambda shift: shift.p)
    assert smallest.p_adjusted == pytest.approx(min(1, count * smallest.p))
    assert all(shift.p_adjusted >= shift.p for shift in found.shifts)
    assert all(shift.alarm == (shift.p_adjusted <= found.alpha) for shift in found.shifts)
    assert found.draws >= 100 * count - 1


@pytest.mark.parametrize("way", ["two tables", "next version", "written twice"])
def test_false_alarms_are_rare(way: str) -> None:
    """A few seeds; the benchmark counts a thousand."""
    hits = 0
    for seed in range(24):
        fresh = rows(160, seed=seed)
        old, new = fresh[:100], fresh[100:]
        if way == "next version":
            new = old[: 80 + seed] + new
        elif way == "written twice":
            old, new = old * 2, new * 2
        hits += bool(diff(dataset(old), dataset(new), seed=seed, near=None).alarms)
    assert hits <= stats.binom(24, 0.05).ppf(0.999)


def test_copies_stay_together_and_so_do_groups() -> None:
    old, new = rows(30, seed=1), rows(20, seed=2)
    pool = Pool.of(dataset(old * 3), dataset(new), between="all")
    assert len(np.unique(pool.unit[:90])) == 30
    assert len(np.unique(pool.unit[90:])) == 20
    single = Pool.of(dataset([*old, *[old[0]] * 9]), dataset(new), between="all")
    assert len(np.unique(single.unit[:39])) == 29 + 5  # ten copies of one row: pairs
    grouped = [{**row, "customer": f"c{i // 10}" if i % 7 else None} for i, row in enumerate(old + new)]
    pool = Pool.of(dataset(grouped[:30], group="customer"), dataset(grouped[30:], group="customer"), between="all")
    missing = sum(row["customer"] is None for row in grouped)
    assert len(np.unique(pool.unit)) == 5 + missing
    assert not set(pool.unit[:30]) & set(pool.unit[30:])


def test_a_shift_that_one_customer_brings_is_no_shift() -> None:
    old = [{**row, "customer": f"c{i % 60}"} for i, row in enumerate(rows(600, seed=1))]
    new = [{**row, "customer": f"d{i % 60}"} for i, row in enumerate(rows(600, seed=2))]
    for row in new:
        if row["customer"] == "d0":
            row["label"] = "正"
            row["channel"] = "fax"
    alone = diff(dataset(old), dataset(new), near=None)
    grouped = diff(dataset(old, group="customer"), dataset(new, group="customer"), near=None)
    assert "value" in alarms(alone)
    assert alarms(grouped) == set()
