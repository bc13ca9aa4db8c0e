from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ratchet.errors import DataError
from ratchet.guard.calibrate import calibrate, rows_needed


@pytest.mark.parametrize(
    ("n", "rate", "level"), [(299, 0.01, 0.95), (1000, 0.01, 0.95), (2000, 0.05, 0.9), (60, 0.05, 0.95)]
)
def test_as_many_as_the_binomial_distribution_allows_are_flagged(n: int, rate: float, level: float) -> None:
    scores = np.random.default_rng(n).permutation(np.linspace(0, 1, n))
    found = calibrate(scores, rate=rate, level=level)
    allowed = max(k for k in range(n) if stats.binom.cdf(k, n, rate) <= 1 - level)
    assert found.flagged == allowed
    assert (scores >= found.threshold).sum() == allowed
    assert found.kept
    assert found.promised <= rate


def test_the_promised_rate_is_the_upper_bound_of_clopper_and_pearson() -> None:
    found = calibrate(np.linspace(0, 1, 1000), rate=0.02, level=0.95)
    bound = stats.binomtest(found.flagged, 1000, alternative="less").proportion_ci(0.95, method="exact").high
    assert found.promised == pytest.approx(bound)


def test_too_few_rows_promise_less_and_say_so() -> None:
    found = calibrate(np.linspace(0, 1, 100), rate=0.01)
    assert not found.kept
    assert found.flagged == 0
    assert found.promised == pytest.approx(1 - 0.05 ** (1 / 100))
    assert "299 texts or more" in found.line


@pytest.mark.parametrize(("rate", "level"), [(0.01, 0.95), (0.05, 0.9), (0.001, 0.99)])
def test_the_fewest_rows_are_just_enough(rate: float, level: float) -> None:
    n = rows_needed(rate, level)
    assert calibrate(np.linspace(0, 1, n), rate=rate, level=level).kept
    assert not calibrate(np.linspace(0, 1, n - 1), rate=rate, level=level).kept


def test_equal_scores_are_all_passed() -> None:
    found = calibrate([0.2] * 1000, rate=0.01)
    assert found.flagged == 0
    assert found.threshold > 0.2


def test_the_rate_is_kept_as_often_as_promised() -> None:
    dice = np.random.default_rng(5)
    kept = [1 - calibrate(dice.random(500), rate=0.05, level=0.9).threshold <= 0.05 for _ in range(400)]
    assert np.mean(kept) >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 400)


@pytest.mark.parametrize("given", [{"rate": 0.0}, {"rate": 1.0}, {"level": 1.5}])
def test_a_share_outside_of_0_and_1_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        calibrate([0.1, 0.2], **given)


def test_no_texts_are_refused() -> None:
    with pytest.raises(DataError, match="one or more"):
        calibrate([])
