"""Macro-F1 of classes: its value, its paired test, and what each row adds to it."""

from __future__ import annotations

import math

import numpy as np

from ratchet.metrics.paired_tests import DRAWS, Floats, Ints, Paired, blocks, permutation_z, quotient


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts of shape (classes, classes), [true, predicted]."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    matrix: Ints = flat.reshape(classes, classes)
    return matrix


def macro_f1_of(matrices: Floats) -> Floats:
    """Macro-F1 of confusion matrices of shape (b, k, k), over the classes that have a row; "no answer" has none."""
    true = matrices.sum(axis=2)
    predicted = matrices.sum(axis=1)
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    present = true > 0
    f1 = np.where(present, 2 * hits / np.maximum(true + predicted, 1e-12), 0.0)
    mean: Floats = f1.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return mean


def macro_f1_influence(truth: Ints, predicted: Ints, *, classes: int) -> tuple[float, Floats, Floats]:
    """Macro-F1, what each row adds to it, shape (n,), and what one more wrong row of each class would take, shape (k,).

    F1 of a class is twice its hits over its true and its predicted rows; its first-order term in a row is that of a ratio
    (Takahashi et al. 2022, "Confidence interval for micro-averaged F1 and macro-averaged F1 scores").
    """
    true = np.bincount(truth, minlength=classes).astype(np.float64)
    said = np.bincount(predicted, minlength=classes).astype(np.float64)
    hits = np.bincount(truth[truth == predicted], minlength=classes).astype(np.float64)
    total = true + said
    present = true > 0
    safe = np.where(total > 0, total, 1.0)
    f1 = np.where(present, 2 * hits / safe, 0.0)
    k = max(int(present.sum()), 1)
    right = truth == predicted
    terms = (2 * right - f1[truth]) / safe[truth] - f1[predicted] / safe[predicted]
    influence = terms * len(truth) / k
    return float(f1.sum() / k), influence, np.where(present, 2 / safe, 0.0) / k


def macro_f1_difference(
    truth: Ints, challenger: Ints, champion: Ints, *, classes: int, seed: int = 0, draws: int = DRAWS
) -> Paired:
    """Studentised test of two macro-F1s that swaps the two models' predictions row by row.

    Args:
        truth: shape (n,), true classes 0 ... ``classes`` - 1; ``challenger`` and ``champion`` likewise predicted.

    The standard error is as if each class had one row more that only the challenger has right and one that only the
    champion has right (as Agresti, Min 2005 add to a matched table, Statistics in Medicine 24): where a class has five rows
    and the models agree on all five, little is known about the class, and little is claimed. Swaps: Chung, Romano 2013
    (Annals of Statistics 41): divided by its standard error, the statistic's null law is right also where the models
    are equally good without being exchangeable.
    """
    n = len(truth)
    first, inf_a, unit_a = macro_f1_influence(truth, challenger, classes=classes)
    second, inf_b, unit_b = macro_f1_influence(truth, champion, classes=classes)
    estimate, influence = first - second, inf_a - inf_b
    seen = float((influence**2).sum()) / n**2
    rare = float((((unit_a + unit_b) / 2) ** 2).sum())
    error = math.sqrt(seen + rare)
    zero = quotient(estimate, error)
    if estimate and seen:
        null = _swapped_f1(truth, challenger, champion, classes=classes, rare=rare, seed=seed, draws=draws)
        exact = permutation_z(zero, null)
        zero = min(zero, exact) if estimate > 0 else max(zero, exact)

    def score(value: float) -> float:
        return zero if value == 0 else quotient(estimate - value, error)

    return Paired(estimate=estimate, score=score, test="studentised swaps, rare classes doubted", influence=influence)


def _swapped_f1(
    truth: Ints, challenger: Ints, champion: Ints, *, classes: int, rare: float, seed: int, draws: int
) -> Floats:
    """Studentised differences under random swaps, shape (draws,).

    Rows with the same (true, challenger, champion) triple are interchangeable: a draw is one binomial count a triple.
    """
    keys = (truth * classes + challenger) * classes + champion
    triples, counts = np.unique(keys, return_counts=True)
    t, a, b = triples // classes**2, triples // classes % classes, triples % classes
    true = np.bincount(t, weights=counts, minlength=classes)
    k = max(int((true > 0).sum()), 1)
    differs = np.where(a != b, counts, 0)
    generator = np.random.default_rng(seed)
    null = np.empty(draws)
    at_a, at_b = np.zeros((len(triples), classes)), np.zeros((len(triples), classes))
    at_a[np.arange(len(t)), a], at_b[np.arange(len(t)), b] = 1, 1
    right_a, right_b = at_a * (a == t)[:, None], at_b * (b == t)[:, None]
    for start, stop in blocks(draws, 6 * len(triples) + 6 * classes):
        swapped = generator.binomial(differs, 0.5, size=(stop - start, len(triples))).astype(np.float64)
        kept = counts - swapped
        sides = []
        for stay, go in ((kept, swapped), (swapped, kept)):
            said = stay @ at_a + go @ at_b
            hits = stay @ right_a + go @ right_b
            total = true + said
            safe = np.where(total > 0, total, 1.0)
            f1 = np.where(total > 0, 2 * hits / safe, 0.0)
            sides.append((f1, safe))
        (f_a, s_a), (f_b, s_b) = sides
        gap = (f_a - f_b).sum(axis=1) / k

        def term(f1: Floats, safe: Floats, said: Ints) -> Floats:
            found: Floats = ((2 * (said == t) - f1[:, t]) / safe[:, t] - f1[:, said] / safe[:, said]) / k
            return found

        straight = term(f_a, s_a, a) - term(f_b, s_b, b)
        crossed = term(f_a, s_a, b) - term(f_b, s_b, a)
        spread = (kept * straight**2 + swapped * crossed**2).sum(axis=1)
        null[start:stop] = gap / np.sqrt(spread + rare)
    return null
