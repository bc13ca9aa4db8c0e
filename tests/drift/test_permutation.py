from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array
from scipy.spatial.distance import jensenshannon

from ratchet.drift.permutation import Permutation, chi_square, jensen_shannon, kolmogorov, stability_index


def permutation(old: int, new: int, *, draws: int = 1_999, unit: list[int] | None = None, seed: int = 0) -> Permutation:
    side = np.repeat([False, True], [old, new])
    return Permutation(new=side, unit=np.arange(old + new) if unit is None else np.array(unit), draws=draws, seed=seed)


def test_statistics_agree_with_scipy() -> None:
    random = np.random.default_rng(1)
    old, new = random.integers(0, 9, (2, 50, 6)).astype(float) + np.array([1, 0, 0, 0, 0, 1])
    for place in range(50):
        table = np.stack([old[place], new[place]])
        filled = table[:, table.sum(axis=0) > 0]
        assert chi_square(old, new)[place] == pytest.approx(stats.chi2_contingency(filled, correction=False)[0])
        rows = [np.repeat(np.arange(6), side.astype(int)) for side in table]
        assert kolmogorov(old, new)[place] == pytest.approx(stats.ks_2samp(*rows).statistic)
        assert jensen_shannon(old, new)[place] == pytest.approx(jensenshannon(*table, base=2) ** 2)


def test_the_stability_index_is_that_of_the_books() -> None:
    old, new = np.array([[500.0, 300, 200]]), np.array([[400.0, 300, 300]])
    p, q = old / 1000, new / 1000
    assert stability_index(old, new)[0] == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=0.02)
    assert np.isfinite(stability_index(np.array([[9.0, 0]]), np.array([[0.0, 9]]))).all()


@pytest.mark.parametrize("units", [None, [0, 0, 1, 2, 2, 3, 4, 4]])
def test_p_values_are_those_of_every_possible_permutation(
    units: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ratchet.drift.permutation.STAGE", 40_000)
    cells = np.array([0, 0, 1, 2, 1, 2, 2, 2])
    made = permutation(5, 3, draws=40_000, unit=units)
    table = made.table(cells, width=3).toarray()
    total, chosen = table.sum(axis=0)[None], int(made.new_units.sum())
    seen = chi_square(total - table[made.new_units].sum(axis=0), table[made.new_units].sum(axis=0)[None])[0]
    every = list(itertools.combinations(range(len(table)), chosen))
    picked = np.array([table[list(one)].sum(axis=0) for one in every])
    exact = (chi_square(total - picked, picked) >= seen - 1e-9).mean()
    ((distance, p),) = made.p_values(csr_array(table), [chi_square])
    assert distance == pytest.approx(seen)
    assert p == pytest.approx(exact, abs=0.01)


def test_both_ways_of_dealing_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are interchangeable are drawn by kind, others are moved one by one."""
    monkeypatch.setattr("ratchet.drift.permutation.STAGE", 20_000)
    random = np.random.default_rng(3)
    cells = random.integers(0, 3, 60)
    pure = permutation(40, 20, draws=20_000)
    ((_, by_kind),) = pure.p_values(pure.table(cells, width=3), [chi_square])
    moved = csr_array(np.hstack([pure.table(cells, width=3).toarray(), np.ones((60, 1))]))

    def without_last(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return chi_square(old[:, :3], new[:, :3])

    ((_, one_by_one),) = pure.p_values(moved, [without_last])
    assert by_kind == pytest.approx(one_by_one, abs=0.015)


def test_only_small_p_values_are_told_apart_by_more_permutations() -> None:
    random = np.random.default_rng(2)
    cells = np.repeat([0, 1, 2, 3, 0, 1, 2, 3], [90, 70, 70, 70, 30, 70, 80, 120])
    same = random.integers(0, 4, 600)
    few, more = permutation(300, 300), permutation(300, 300, draws=9_999)
    small = [made.p_values(made.table(cells, width=4), [chi_square, kolmogorov]) for made in (few, more)]
    assert [p for _, p in small[0]] == [1 / 2_000] * 2
    assert [p for _, p in small[1]] == [1 / 10_000] * 2
    assert few.p_values(few.table(same, width=4), [chi_square]) == more.p_values(
        more.table(same, width=4), [chi_square]
    )


def test_p_is_never_zero_and_one_when_nothing_differs() -> None:
    apart = permutation(50, 50, draws=99)
    ((_, p),) = apart.p_values(apart.table(np.repeat([0, 1], 50), width=2), [chi_square])
    assert p == 1 / 100
    ((_, p),) = apart.p_values(apart.table(np.zeros(100, np.int64), width=1), [chi_square])
    assert p == 1


def test_rows_without_a_cell_are_permuted_but_not_counted() -> None:
    made = permutation(6, 6)
    cells = np.array([0, 0, 0, -1, -1, -1, 1, 1, 1, -1, -1, -1])
    table = made.table(cells, width=2)
    assert table.sum() == 6
    ((_, p),) = made.p_values(table, [chi_square])
    assert 0.02 < p < 0.3


def test_copies_that_stay_together_are_no_evidence() -> None:
    """Ten rows on each side, each written ten times: as rows the sides differ surely, as units they may not."""
    random = np.random.default_rng(5)
    values = np.repeat(np.concatenate([random.integers(0, 2, 10), random.integers(0, 2, 10)]), 10)
    units = np.repeat(np.arange(20), 10).tolist()
    together, apart = permutation(100, 100, unit=units), permutation(100, 100)
    ((_, p),) = together.p_values(together.table(values, width=2), [chi_square])
    ((_, naive),) = apart.p_values(apart.table(values, width=2), [chi_square])
    assert p > 5 * naive


def test_thinning_keeps_whole_units_of_both_samples() -> None:
    units = np.repeat(np.arange(300), 2).tolist()
    thin, rows = permutation(400, 200, unit=units).thinned(60)
    assert [int(side.sum()) for side in (thin.new_units, ~thin.new_units)] == [60, 60]
    assert len(rows) == 240
    assert thin.new.tolist() == (rows >= 400).tolist()
    same, every = permutation(30, 20).thinned(60)
    assert len(every) == 50
    assert len(same.unit) == 50


@pytest.mark.parametrize("rows", [(60, 60), (150, 25)])
def test_false_alarms_are_as_rare_as_they_should_be(rows: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    hits = 0
    for seed in range(400):
        made = permutation(*rows, draws=199, seed=seed)
        cells = random.poisson(1.5, sum(rows))
        ((_, p),) = made.p_values(made.table(cells, width=int(cells.max()) + 1), [kolmogorov])
        hits += p <= 0.05
    assert hits <= stats.binom(400, 0.05).ppf(0.999)
