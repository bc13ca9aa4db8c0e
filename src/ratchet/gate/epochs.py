"""Several answers to one row, as a language model gives them: one item is one piece of evidence, however often it was asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Array
from ratchet.metrics.paired_tests import Floats, Ints


def mean_of_epochs(item: Ints, columns: Mapping[str, Array]) -> tuple[Ints, dict[str, Floats]]:
    """The items, and the mean of each column over the answers to each item.

    Args:
        item: shape (m,), the id of the row that each answer is to; an item may be asked any number of times.
        columns: scores of the answers, each with m rows on axis 0.

    Returns:
        The distinct ids in ascending order, shape (n,), and columns with n rows on axis 0. They are rows and outcomes of
        an `Evidence`: answers to one item hang together, and counted as rows they would prove differences that are none
        (Miller 2024, "Adding error bars to evals", section 3; benchmarks/gate_epochs.py).

    Raises:
        RatchetError: a column has another number of rows than ``item``.

    >>> import numpy as np
    >>> mean_of_epochs(np.array([7, 7, 9]), {"exact_match": np.array([1.0, 0.0, 1.0])})
    (array([7, 9]), {'exact_match': array([0.5, 1. ])})
    """
    items, place, counts = np.unique(item, return_inverse=True, return_counts=True)
    means = {}
    for name, values in columns.items():
        if len(values) != len(item):
            raise RatchetError(f"The column {name!r} must have {len(item)} rows, one an answer, but got {len(values)}.")
        sums = np.zeros((len(items), *values.shape[1:]))
        np.add.at(sums, place, values)
        means[name] = sums / counts.reshape(-1, *(1,) * (values.ndim - 1))
    return items, means
