"""Macro-F1 of classes against a plain loop over swaps and over rows left out."""

import numpy as np
import pytest

from ratchet.metrics.macro_f1 import macro_f1_difference, macro_f1_influence, macro_f1_of


def test_prediction_swaps_agree_with_a_plain_loop() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=80)
    first = np.where(generator.random(80) < 0.8, truth, generator.integers(0, 3, size=80))
    second = np.where(generator.random(80) < 0.6, truth, generator.integers(0, 3, size=80))

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        def matrix(predicted: np.ndarray) -> np.ndarray:
            return np.bincount(truth * 3 + predicted, minlength=9).reshape(1, 3, 3).astype(float)

        return float((macro_f1_of(matrix(a)) - macro_f1_of(matrix(b)))[0])

    observed = difference(first, second)
    beyond = 0.0
    for _ in range(4_000):
        swap = generator.random(80) < 0.5
        drawn = difference(np.where(swap, second, first), np.where(swap, first, second))
        beyond += (drawn > observed + 1e-12) + (abs(drawn - observed) <= 1e-12) / 2
    found = macro_f1_difference(truth, first, second, classes=3)
    assert found.estimate == pytest.approx(observed)
    assert beyond / 4_000 - 0.02 <= found.at_most() <= beyond / 4_000 + 0.08
    assert found.lower(0.05) < observed < found.upper(0.05)


def test_the_influence_of_a_row_is_what_the_score_loses_without_it() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 4, size=400)
    predicted = np.where(generator.random(400) < 0.7, truth, generator.integers(0, 4, size=400))
    value, influence, _ = macro_f1_influence(truth, predicted, classes=4)
    assert influence.mean() == pytest.approx(0.0, abs=1e-12)
    for row in range(0, 400, 40):
        keep = np.arange(400) != row
        without, _, _ = macro_f1_influence(truth[keep], predicted[keep], classes=4)
        assert 399 * (value - without) == pytest.approx(influence[row], rel=0.03, abs=0.01)


def test_five_rows_of_a_class_tell_little() -> None:
    """Both models have all five right: that is no proof that one is not worse by a point."""
    truth = np.array([1] * 5 + [0] * 495)
    right, other = truth.copy(), truth.copy()
    right[100:110] ^= 1
    other[103:113] ^= 1
    assert macro_f1_difference(truth, right, other, classes=2).at_most(-0.01) > 0.05
    even = np.arange(5_000) % 2
    first, second = even.copy(), even.copy()
    first[:100] ^= 1
    second[3:103] ^= 1
    assert macro_f1_difference(even, first, second, classes=2).at_most(-0.01) < 0.001
