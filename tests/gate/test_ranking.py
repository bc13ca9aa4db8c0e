"""Rankings against scikit-learn and SciPy."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ratchet.gate.ranking import auc, auc_difference, delong_interval


def test_auc_is_scikit_learns_with_ties() -> None:
    generator = np.random.default_rng(6)
    truth = generator.random(300) < 0.3
    scores = np.round(generator.normal(size=300) + truth, 1)
    assert auc(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    low, high = delong_interval(truth, scores)
    draws = [auc(truth[i], scores[i]) for i in (generator.integers(0, 300, size=300) for _ in range(500))]
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02)


def test_rank_swaps_find_the_better_ranking_and_ignore_the_scale() -> None:
    generator = np.random.default_rng(7)
    truth = generator.random(400) < 0.5
    good, poor = generator.normal(size=400) + 2 * truth, generator.normal(size=400) + truth
    found = auc_difference(truth, good, poor, draws=999)
    assert found.lower(0.01) > 0
    assert found.at_most() < 1e-3
    scaled = auc_difference(truth, np.exp(good), poor, draws=999)
    assert (scaled.estimate, scaled.at_most()) == (found.estimate, found.at_most())
    same = auc_difference(truth, np.exp(good), good, draws=99)
    assert (same.estimate, same.at_most()) == (0.0, 0.5)


def test_ten_positives_tell_nothing_about_a_ranking() -> None:
    generator = np.random.default_rng(8)
    truth = np.arange(200) < 10
    found = auc_difference(truth, generator.normal(size=200) + 5 * truth, generator.normal(size=200))
    assert "10 rows" in found.doubt
    assert found.at_most() == found.at_most(-0.5) == 1.0
