"""Rankings: the area under the ROC curve and Spearman's correlation, their paired tests and intervals."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ratchet.metrics.paired_tests import (
    DRAWS,
    FEW,
    Floats,
    Ints,
    Paired,
    blocks,
    normal_quantile,
    permutation_z,
    quotient,
)


def auc_difference(
    truth: npt.NDArray[np.bool_], challenger: Floats, champion: Floats, *, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """Studentised test of two correlated AUCs (ranks swapped row by row), with DeLong's standard error.

    Args:
        truth: shape (n,), true where the row is of the positive class.
        challenger: shape (n,), scores; higher means more likely positive; ``champion`` likewise.

    Scores are turned into mid-ranks first, so that two models on different scales can be exchanged (Bandos, Rockette, Gur
    2005, Statistics in Medicine 24); divided by DeLong's error (DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44), the
    statistic is right also where the curves cross (Chung, Romano 2013). With fewer than `FEW` rows of a class nothing is
    told.
    """
    a, b = _doubled_midranks(challenger), _doubled_midranks(champion)
    n = len(truth)
    rows = min(int(truth.sum()), int((~truth).sum()))
    up_a, down_a = _placements(truth, challenger)
    up_b, down_b = _placements(truth, champion)
    up, down = up_a - up_b, down_a - down_b
    estimate = float(up.mean())
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1))
    influence = np.zeros(n)
    influence[truth] = (up - up.mean()) * n / len(up)
    influence[~truth] = (down - down.mean()) * n / len(down)
    zero = 0.0
    if estimate and rows >= FEW:
        null = _swapped_aucs(truth, a, b, seed=seed, draws=draws)
        exact = permutation_z(quotient(estimate, error), null)
        zero = quotient(estimate, error, freedom=_satterthwaite(up, down))
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else quotient(estimate - value, error, freedom=freedom)

    doubt = "" if rows >= FEW else f"{rows} rows of one class; AUC needs {FEW} of each"
    freedom = _satterthwaite(up, down)
    return Paired(
        estimate=estimate,
        score=score,
        test="studentised rank swaps, DeLong",
        influence=influence,
        doubt=doubt,
    )


def _satterthwaite(up: Floats, down: Floats) -> float:
    """Degrees of freedom of DeLong's variance, the sum of two sample variances (Satterthwaite 1946)."""
    parts = [(float(part.var(ddof=1)) / len(part), len(part) - 1) for part in (up, down) if len(part) > 1]
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return math.inf
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts)


def _swapped_aucs(truth: npt.NDArray[np.bool_], a: Ints, b: Ints, *, seed: int, draws: int) -> Floats:
    """Studentised AUC differences under random swaps of the two models' ranks, shape (draws,)."""
    differs = np.flatnonzero(a != b)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    for start, stop in blocks(draws, 400 * len(a)):  # small blocks stay in the cache
        swap = np.zeros((stop - start, len(a)), dtype=bool)
        swap[:, differs] = generator.random((stop - start, len(differs)), dtype=np.float32) < 0.5
        up_a, down_a = _rank_placements(truth, np.where(swap, b, a))
        up_b, down_b = _rank_placements(truth, np.where(swap, a, b))
        up, down = up_a - up_b, down_a - down_b
        variance = sum(part.var(axis=1, ddof=1) / part.shape[1] for part in (up, down) if part.shape[1] > 1)
        null[start:stop] = up.mean(axis=1) / np.sqrt(np.maximum(variance, 1e-300))
    return null


def _doubled_midranks(scores: Floats) -> Ints:
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    ranks: Ints = (2 * upto - counts)[inverse].astype(np.int64)
    return ranks


def _rank_placements(truth: npt.NDArray[np.bool_], ranks: Ints) -> tuple[Floats, Floats]:
    """Placements of small non-negative integer scores of shape (b, n), by counting instead of sorting: (b, n1), (b, n0)."""
    draws, size = len(ranks), 2 * ranks.shape[1] + 1
    cells = ranks + np.arange(draws)[:, None] * size
    places = []
    for mine, other in ((truth, ~truth), (~truth, truth)):
        counts = np.bincount(cells[:, other].ravel(), minlength=draws * size).reshape(draws, size)
        below = (np.cumsum(counts, axis=1) - counts / 2) / int(other.sum())
        places.append(below.ravel()[cells[:, mine]])
    return places[0], 1 - places[1]


def auc(truth: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Area under the ROC curve, ties counted half."""
    return float(_placements(truth, scores)[0].mean())


def _placements(truth: npt.NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """DeLong's structural components: of the positives, shape (n1,), and of the negatives, shape (n0,)."""
    positive, negative = np.sort(scores[truth]), np.sort(scores[~truth])
    up = np.searchsorted(negative, scores[truth], "left") + np.searchsorted(negative, scores[truth], "right")
    down = np.searchsorted(positive, scores[~truth], "left") + np.searchsorted(positive, scores[~truth], "right")
    return up / (2 * len(negative)), 1 - down / (2 * len(positive))


def delong_interval(truth: npt.NDArray[np.bool_], scores: Floats, *, alpha: float = 0.05) -> tuple[float, float]:
    """DeLong's interval of one AUC."""
    up, down = _placements(truth, scores)
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in (up, down) if len(part) > 1))
    half = normal_quantile(1 - alpha / 2) * error
    return max(0.0, float(up.mean()) - half), min(1.0, float(up.mean()) + half)


def spearman(truth: Floats, scores: Floats) -> float:
    """Spearman's rank correlation, ties by their middle rank; 0 where one side does not vary."""
    return _rank_influence(truth, scores)[0]


def spearman_difference(truth: Floats, challenger: Floats, champion: Floats) -> Paired:
    """Student's test of two rank correlations with the same truth, shape (n,) each.

    Each row's influence on a correlation has a closed form (Croux, Dehon 2010, "Influence functions of the Spearman and
    Kendall correlation measures", Statistical Methods & Applications 19), found by sorting. It is bounded: no row weighs
    more than a few. With fewer than `FEW` rows nothing is told.
    """
    n = len(truth)
    first, up = _rank_influence(truth, challenger)
    second, down = _rank_influence(truth, champion)
    estimate, influence = first - second, up - down
    error = math.sqrt(float((influence**2).sum()) / (n * max(n - 1, 1)))
    return Paired(
        estimate=estimate,
        score=lambda value: quotient(estimate - value, error, freedom=max(n - 2, 1)),
        test="rank influence, t",
        influence=influence,
        doubt="" if n >= FEW else f"{n} rows; a rank correlation needs {FEW}",
    )


def spearman_interval(truth: Floats, scores: Floats, *, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of one rank correlation, normal on Fisher's scale, where it is nearly so."""
    value, influence = _rank_influence(truth, scores)
    if abs(value) >= 1 or not influence.any():
        return value, value
    error = math.sqrt(float((influence**2).mean()) / len(truth)) / (1 - value**2)
    half = normal_quantile(1 - alpha / 2) * error
    return math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half)


def _rank_influence(truth: Floats, scores: Floats) -> tuple[float, Floats]:
    """Spearman's correlation, and what each row adds to it, shape (n,), centred."""
    sides = [_doubled_midranks(side) / (2 * len(truth)) - 0.5 for side in (truth, scores)]
    x, y = (side - side.mean() for side in sides)
    variances = float((x**2).mean()), float((y**2).mean())
    if min(variances) == 0:
        return 0.0, np.zeros(len(truth))
    together = float((x * y).mean())
    value = together / math.sqrt(variances[0] * variances[1])
    joint = x * y - together + _share_above(truth, y) + _share_above(scores, x)
    alone = x**2 - variances[0] + 2 * _share_above(truth, x), y**2 - variances[1] + 2 * _share_above(scores, y)
    influence = joint / math.sqrt(variances[0] * variances[1])
    influence -= value / 2 * (alone[0] / variances[0] + alone[1] / variances[1])
    return value, influence - influence.mean()


def _share_above(values: Floats, weights: Floats) -> Floats:
    """For each row the sum of the weights of rows above it, half of those beside it, over n; shape (n,)."""
    _, place = np.unique(values, return_inverse=True)
    each = np.bincount(place, weights=weights)
    above = each[::-1].cumsum()[::-1] - each / 2
    found: Floats = above[place] / len(values)
    return found
