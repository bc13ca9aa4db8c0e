"""Shares of right rows against statsmodels and brute force."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from ratchet.metrics.proportions import mcnemar, wilson


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (0, 0), (8, 1), (1, 8), (10, 10), (336, 246), (3, 2)])
def test_mid_p_is_the_exact_p_less_the_probability_of_the_table(wins: int, losses: int) -> None:
    exact = reference_mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
    m, k = wins + losses, min(wins, losses)
    expected = 1.0 if wins == losses else exact - stats.binom.pmf(k, m, 0.5)
    found = mcnemar(wins, losses, 1_000)
    assert 2 * min(found.at_most(), found.at_least()) == pytest.approx(expected, rel=1e-9)


def test_four_wins_and_no_loss() -> None:
    found = mcnemar(4, 0, 200)
    assert found.at_most() == pytest.approx(0.03125)
    assert found.lower(0.025) == pytest.approx(0.0, abs=1e-12)
    assert found.lower(0.025) <= 0.0
    assert found.lower(0.05) >= 0.0


@pytest.mark.parametrize(("wins", "losses", "n"), [(9, 3, 50), (30, 10, 300), (0, 5, 40), (12, 12, 100)])
def test_other_differences_are_where_the_restricted_likelihood_says(wins: int, losses: int, n: int) -> None:
    found = mcnemar(wins, losses, n)
    for bound in (found._bound(0.025, side=-1), found._bound(0.025, side=1)):
        # the restricted maximum likelihood estimate by brute force over the share of losses
        losses_grid = np.linspace(max(0.0, -bound), (1 - bound) / 2, 400_001)[1:-1]
        wins_grid, rest = losses_grid + bound, 1 - 2 * losses_grid - bound
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = (
                (wins * np.log(wins_grid) if wins else 0)
                + (losses * np.log(losses_grid) if losses else 0)
                + (n - wins - losses) * np.log(rest)
            )
        q = losses_grid[np.nanargmax(likelihood)]
        z = (wins - losses - n * bound) / math.sqrt(n * (2 * q + bound - bound**2))
        assert abs(z) == pytest.approx(1.959964, abs=2e-3)


def test_wilson_is_statsmodels() -> None:
    assert wilson(45, 50) == pytest.approx(proportion_confint(45, 50, method="wilson"))
