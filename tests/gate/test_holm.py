from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from ratchet.gate.holm import holm


@pytest.mark.parametrize("seed", range(5))
def test_holm_agrees_with_statsmodels(seed: int) -> None:
    p = np.random.default_rng(seed).random(9) ** 3
    assert holm(p.tolist()) == pytest.approx(multipletests(p, method="holm")[1].tolist())
    assert holm([]) == []
