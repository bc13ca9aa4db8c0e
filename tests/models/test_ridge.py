from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from ratchet.models.ridge import fit_ridge

DICE = np.random.default_rng(4)
ROWS = DICE.normal(size=(60, 7))
VALUES = 1e6 + 300 * (ROWS @ DICE.normal(size=7) + DICE.normal(size=60))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_it_is_that_of_scikit_learn(sparse: bool, weighted: bool, C: float) -> None:
    weights = DICE.uniform(0.1, 3, size=60) if weighted else None
    rows = csr_matrix(ROWS) if sparse else ROWS
    found = fit_ridge(rows, VALUES, C=C, weights=weights)
    reference = Ridge(alpha=1 / C, solver="cholesky").fit(ROWS, VALUES, sample_weight=weights)
    assert found.converged
    np.testing.assert_allclose(found.weights, reference.coef_, rtol=1e-4, atol=1e-3)
    assert found.bias == pytest.approx(reference.intercept_, rel=1e-8)


def test_a_constant_and_no_columns() -> None:
    found = fit_ridge(ROWS, np.full(60, 3.5), C=1)
    assert (found.bias, found.spread, found.weights.any()) == (3.5, 1.0, False)
    assert fit_ridge(np.zeros((60, 0)), VALUES, C=1).bias == pytest.approx(VALUES.mean())


def test_a_far_value_leaves_it_finite() -> None:
    values = VALUES.copy()
    values[0] = 1e30
    found = fit_ridge(ROWS, values, C=1)
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.bias)
