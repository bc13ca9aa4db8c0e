"""The error level of a family: what a round may use, what comes back, and what correlation is worth."""

import numpy as np
import pytest
from scipy import stats

from ratchet.gate.error_budget import RESERVE, Family, any_rejected, correlation_of, joint_levels, looks, optimism


def equal(m: int, r: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(1.0 if i == j else r for j in range(m)) for i in range(m))


@pytest.mark.parametrize(("m", "critical"), [(2, 1.916), (5, 2.234), (10, 2.447)])
def test_equal_weights_are_dunnetts_table(m: int, critical: float) -> None:
    """One-sided 5 %, correlation .5, infinite degrees of freedom (Dunnett 1955, table 1a)."""
    levels = joint_levels((1.0,) * m, equal(m, 0.5), 0.05)
    assert stats.norm.isf(levels[0]) == pytest.approx(critical, abs=0.01)
    assert len({round(level, 9) for level in levels}) == 1


def test_the_joint_chance_is_scipys() -> None:
    matrix = np.array([[1, 0.3, 0.6], [0.3, 1, 0.1], [0.6, 0.1, 1]])
    levels = (0.01, 0.02, 0.005)
    inside = stats.multivariate_normal(cov=matrix).cdf(stats.norm.isf(levels))
    found = any_rejected(levels, tuple(map(tuple, matrix.tolist())))
    assert found == pytest.approx(1 - inside, abs=1e-4)


def test_levels_lie_between_bonferroni_and_the_whole() -> None:
    weights = (3.0, 1.0, 1.0)
    bonferroni = joint_levels(weights, None, 0.05)
    assert sum(bonferroni) == pytest.approx(0.05)
    joint = joint_levels(weights, equal(3, 0.7), 0.05)
    assert all(more >= less for more, less in zip(joint, bonferroni, strict=True))
    assert max(joint) <= 0.05
    assert joint[0] == pytest.approx(3 * joint[1])
    same = joint_levels((1.0, 1.0), equal(2, 1.0), 0.05)
    assert same[0] == pytest.approx(0.05, rel=0.01)


def test_proven_challengers_give_their_level_back() -> None:
    family = Family(name="rows")
    assert family.share() == pytest.approx(0.05 * (1 - RESERVE))
    assert family.share(1, later=4) == pytest.approx(family.share() / 5)
    won = family.after(0.0)
    assert won.share(4) == pytest.approx(family.share(4))
    assert won.rounds == 1


def test_useless_rounds_never_use_more_than_all() -> None:
    family, total = Family(name="rows"), 0.0
    for _ in range(200):
        level = family.share(3)
        assert 0 < level <= family.left
        total += level
        family = family.after(level)
    assert total <= 0.05 + 1e-12


def test_correlation_is_that_of_the_rows() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=20_000)
    rows = [shared + generator.normal(size=20_000) for _ in range(3)]
    rows.append(np.where(np.arange(20_000) < 4_000, rows[0], 0.0))
    found = correlation_of(rows)
    assert found[0][1] == pytest.approx(0.5, abs=0.03)
    assert found[0][3] == pytest.approx(0.2**0.5, abs=0.03)
    assert found[2][2] == 1.0


def test_looks_add_up() -> None:
    assert looks(1) == (1.0,)
    for count in (2, 5):
        assert sum(looks(count)) == pytest.approx(1.0)
        assert looks(count)[-1] == 0.9


def test_the_best_of_many_estimates_is_too_high() -> None:
    draws = np.random.default_rng(1).normal(size=(4_000, 200)).max(axis=1).mean()
    assert draws <= optimism(1.0, 200) <= 1.25 * draws
    assert optimism(0.01, 1) == 0.0


def test_levels_of_nearly_equal_tests_never_fail() -> None:
    """More challengers than rows on which they differ: the correlations have no full rank, and are rounded."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        influences = [rng.choice([-1.0, 0.0, 1.0], size=6) @ np.eye(6, 300) for _ in range(16)]
        matrix = correlation_of([values - values.mean() for values in influences])
        levels = joint_levels((1.0,) * 16, matrix, 0.04)
        assert all(0.04 / 16 <= level <= 0.04 * (1 + 1e-6) for level in levels)
