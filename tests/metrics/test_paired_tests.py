"""What a paired test says: its bounds, its variance, and rows that belong together."""

import math

import numpy as np
import pytest
from scipy import stats

from ratchet.metrics.means import mean_difference
from ratchet.metrics.paired_tests import Paired, design_effect
from ratchet.metrics.proportions import mcnemar


@pytest.mark.parametrize("found", [mcnemar(40, 10, 500), mcnemar(12, 10, 100), mcnemar(0, 9, 80)])
@pytest.mark.parametrize("level", [0.001, 0.01, 0.05])
def test_bounds_never_contradict_the_test(found: Paired, level: float) -> None:
    assert (found.lower(level) >= 0) == (found.at_most() <= level) or found.lower(level) == 0
    assert found.lower(level) <= found.estimate <= found.upper(level)
    assert found.at_most(found.lower(level) - 0.01) <= level
    assert found.lower(level / 2) <= found.lower(level)


def test_a_larger_variance_weakens_the_test_by_its_root() -> None:
    found, root = mcnemar(40, 10, 500), math.sqrt(2)
    wide = found.widened(2.0)
    assert stats.norm.isf(wide.at_most()) == pytest.approx(stats.norm.isf(found.at_most()) / root)
    assert wide.lower(0.01) < found.lower(0.01)
    few = found.widened(1.0, freedom=3)
    assert few.at_most() == pytest.approx(stats.t.sf(stats.norm.isf(found.at_most()), 3))


def test_rows_that_belong_together_are_one_unit() -> None:
    values = np.random.default_rng(3).normal(size=300)
    copied, unit = np.repeat(values, 4), np.repeat(np.arange(300), 4)
    effect, units = design_effect(copied - copied.mean(), unit)
    assert (effect, units) == (pytest.approx(4.0), 300)
    assert design_effect(values, np.arange(300)) == (pytest.approx(1.0), 300)


def test_a_permutation_tail_goes_below_its_resolution() -> None:
    scores = np.random.default_rng(8).normal(1, 1, size=200)
    assert 0 < mean_difference(scores, draws=999).at_most() < 1e-20


def test_skewness_is_taken_off_only_where_it_flatters() -> None:
    """A law whose rare losses are large is called better too often by t, and not by its unskewed form."""
    rng = np.random.default_rng(0)
    plain, even = 0, 0
    for _ in range(600):
        scores = np.where(rng.random(60) < 0.08, -1.0, 0.08 / 0.92) + rng.normal(scale=0.05, size=60)
        found = mean_difference(scores, draws=499)
        plain += found.at_most() <= 0.05
        even += found.unskewed().at_most() <= 0.05
        assert found.unskewed().at_most() >= found.at_most() or found.estimate < 0
    assert plain > 0.08 * 600
    assert even < 0.05 * 600 + 2 * (600 * 0.05 * 0.95) ** 0.5
    symmetric = np.concatenate([scores, -scores]) + 0.1
    same = mean_difference(symmetric)
    assert same.unskewed().at_most() == pytest.approx(same.at_most(), rel=1e-9)


def test_a_bound_beyond_all_values_is_still_a_figure() -> None:
    found = mean_difference(np.array([1.0]))
    assert math.isfinite(found.lower(0.05))
    assert found.lower(0.05) < -1e100
