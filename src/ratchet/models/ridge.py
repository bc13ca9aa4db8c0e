"""Ridge regression: least squares with an L2 penalty, in the unit of the values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Doubles = npt.NDArray[np.float64]
_ITERATIONS = 2000
_TOLERANCE = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Ridge:
    """Weights (width,) and bias of a value, in its unit, and the mean and standard deviation of the training rows."""

    weights: Doubles
    bias: float
    mean: float
    spread: float
    """1 where all values are equal."""
    converged: bool


def fit_ridge(rows: csr_matrix | Doubles, values: Doubles, *, C: float, weights: Doubles | None = None) -> Ridge:
    """The weights ``b`` and the bias ``b0`` that minimise ``sum w (y - x b - b0)^2 + |b|^2 / C``.

    The values are standardised first by their weighted mean and standard deviation, and the weights given back in the
    unit of the values. That keeps the arithmetic finite, and no more: a far value is as loud as squares make it. LSQR
    (Paige and Saunders 1982) runs with BLAS on one thread, so the result does not depend on how many cores there are.

    Args:
        rows: (n, width).
        values: (n,)
        C: inverse strength of the penalty; the bias has none.
        weights: (n,) of the rows.
    """
    from sklearn.linear_model import Ridge as Solver
    from threadpoolctl import threadpool_limits

    weight = np.ones(len(values)) if weights is None else weights
    total = float(weight.sum())
    mean = float((weight * values).sum() / total) if total > 0 else 0.0
    spread = float(np.sqrt((weight * (values - mean) ** 2).sum() / total)) if total > 0 else 0.0
    if not spread > 0 or not rows.shape[1]:
        return Ridge(weights=np.zeros(rows.shape[1]), bias=mean, mean=mean, spread=spread or 1.0, converged=True)
    solver: Any = Solver(alpha=1 / C, solver="lsqr", tol=_TOLERANCE, max_iter=_ITERATIONS)
    with threadpool_limits(1, user_api="blas"):
        solver.fit(rows, (values - mean) / spread, sample_weight=weight)
    return Ridge(
        weights=solver.coef_ * spread,
        bias=float(solver.intercept_) * spread + mean,
        mean=mean,
        spread=spread,
        converged=bool(np.max(solver.n_iter_) < _ITERATIONS),
    )
