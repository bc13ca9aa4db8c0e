"""Shares of right rows: McNemar's test of two of them, and the interval of one."""

from __future__ import annotations

import math

from ratchet.metrics.paired_tests import Paired, normal_quantile, z_of


def mcnemar(wins: float, losses: float, n: float) -> Paired:
    """McNemar's test with mid-p, and Tango's score test of any other difference of two paired proportions.

    Args:
        wins: rows that only the challenger has right.
        losses: rows that only the champion has right.
        n: all rows.

    The mid-p test is exact up to half the probability of the observed table (Fagerland, Lydersen, Laake 2013, "The McNemar
    test for binary matched-pairs data"); other values are tested by the score test of Tango 1998, Statistics in Medicine 17.

    >>> round(mcnemar(4, 0, 200).at_most(), 9)
    0.03125
    """
    m = wins + losses
    p = 0.5 if m == 0 else _binomial_mid_cdf(losses, m)
    zero = z_of(p) if p < 0.5 else -z_of(_binomial_mid_cdf(wins, m)) if m else 0.0

    def score(value: float) -> float:
        return zero if value == 0 else _tango_z(wins, losses, n, value)

    return Paired(estimate=(wins - losses) / n, score=score, test="mid-p McNemar")


def _binomial_mid_cdf(k: float, m: float) -> float:
    """P(X < k) + P(X = k) / 2 for X ~ Binomial(m, 1/2)."""
    from scipy.special import betainc

    upto = float(betainc(m - k, k + 1, 0.5)) if k < m else 1.0
    below = float(betainc(m - k + 1, k, 0.5)) if k > 0 else 0.0
    return (upto + below) / 2


def _tango_z(wins: float, losses: float, n: float, delta: float) -> float:
    """Tango's score statistic of "the true difference is ``delta``"."""
    if abs(delta) >= 1:
        return -math.copysign(math.inf, delta)
    b = -wins - losses + (2 * n - wins + losses) * delta
    c = -losses * delta * (1 - delta)
    q = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)  # share of losses under the restriction
    variance = n * (2 * q + delta * (1 - delta))
    gap = wins - losses - n * delta
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def wilson(successes: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927)."""
    z = normal_quantile(1 - alpha / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)
