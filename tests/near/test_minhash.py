from __future__ import annotations

import numpy as np
import pytest

from ratchet.near.minhash import Bands, signatures


def test_signatures_estimate_the_similarity() -> None:
    rng = np.random.default_rng(0)
    shared, own = rng.integers(0, 2**60, 70, dtype=np.uint64), rng.integers(0, 2**60, 30, dtype=np.uint64)
    codes = np.concatenate([shared, shared, own, np.zeros(0, np.uint64)])
    signs = signatures(codes, bounds=np.array([0, 70, 170, 170]), permutations=4096)
    assert signs.shape == (4096, 3)
    assert (signs[:, 0] == signs[:, 1]).mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.7 * 0.3 / 4096))
    assert (signs[:, 2] == 2**32 - 1).all()
    repeated = np.concatenate([codes[:70], codes[:70]])
    assert (signatures(repeated, bounds=np.array([0, 140]), permutations=4096)[:, 0] == signs[:, 0]).all()


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_bands_reach_the_recall_at_their_threshold(threshold: float) -> None:
    bands = Bands.for_threshold(threshold)
    assert bands.count * bands.rows <= 192
    assert bands.recall(threshold) >= 0.998 or bands.rows == 1
    assert bands.recall(min(1, threshold + 0.1)) >= bands.recall(threshold)
    assert Bands.for_threshold(0.7, permutations=128) == Bands(count=32, rows=4)
