from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.metrics import log_loss

from ratchet.models.calibration import (
    COLDEST,
    Bin,
    bins_of,
    calibrate,
    debiased,
    ece,
    row_losses,
    scaled,
    temperature_of,
)
from ratchet.models.targets import Targets

GRID = np.exp(np.linspace(np.log(0.1), np.log(10), 2_001))


def classes(n: int, *, k: int = 4, heat: float = 1.0, seed: int = 0) -> tuple[np.ndarray, Targets]:
    """Probabilities whose true temperature is ``heat``: labels are drawn from the probabilities at it."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.0, (n, k))
    true = softmax(logits, axis=1)
    labels = (true.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    names = tuple(f"l{column}" for column in range(k))
    return softmax(logits * heat, axis=1).astype(np.float32), Targets(kind="classes", names=names, values=labels)


def several(n: int, *, k: int = 3, heat: float = 1.0, seed: int = 0) -> tuple[np.ndarray, Targets]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2.0, (n, k))
    names = tuple(f"l{column}" for column in range(k))
    values = rng.random((n, k)) < expit(logits)
    return expit(logits * heat).astype(np.float32), Targets(kind="labels", names=names, values=values)


def test_the_losses_are_sklearns() -> None:
    answers, targets = classes(500)
    for heat in (0.3, 1.0, 2.5):
        shares = scaled(answers, heat)
        assert shares == pytest.approx(softmax(np.log(answers.astype(np.float64)) / heat, axis=1))
        own = row_losses(answers, targets, heat).mean()
        shares = shares / shares.sum(axis=1, keepdims=True)  # float32 adds up to about 1
        assert own == pytest.approx(log_loss(targets.values, shares, labels=range(4)))
    answers, targets = several(500)
    for heat in (0.3, 1.0, 2.5):
        shares = scaled(answers, heat, apart=True)
        assert shares == pytest.approx(expit(logit(answers.astype(np.float64)) / heat))
        each = [log_loss(targets.values[:, column], shares[:, column]) for column in range(3)]
        assert row_losses(answers, targets, heat).mean() == pytest.approx(np.mean(each))


@pytest.mark.parametrize("make", [classes, several])
@pytest.mark.parametrize("heat", [0.5, 1.0, 3.0])
def test_the_temperature_is_the_best_of_a_grid(make, heat) -> None:
    answers, targets = make(4_000, heat=heat, seed=3)
    found = temperature_of(answers, targets)
    best = GRID[np.argmin([row_losses(answers, targets, one).mean() for one in GRID])]
    assert found == pytest.approx(best, rel=0.003)
    assert found == pytest.approx(heat, rel=0.1), "the heat that the world was made with comes back"


def test_the_label_stays() -> None:
    answers, _ = classes(300)
    for heat in (0.05, 0.7, 20.0):
        shares = scaled(answers, heat)
        assert (shares.argmax(axis=1) == answers.argmax(axis=1)).all()
        assert shares.sum(axis=1) == pytest.approx(1.0)


def test_an_overconfident_model_is_mended_and_a_calibrated_one_is_left_alone() -> None:
    for make in (classes, several):
        answers, targets = make(3_000, heat=3.0)
        right = (
            answers.argmax(axis=1) == targets.values
            if targets.kind == "classes"
            else ((answers >= 0.5) == targets.values).all(axis=1)
        )
        found = calibrate(answers, targets, right=right, fold=np.arange(3_000) % 5, unit=None)
        assert found.used
        assert found.temperature == pytest.approx(3.0, rel=0.1)
        assert found.loss_after < found.loss_before
    answers, targets = classes(3_000, heat=3.0)
    right = answers.argmax(axis=1) == targets.values
    found = calibrate(answers, targets, right=right, fold=None, unit=None)
    before, after = (ece(bins_of(side.max(axis=1).astype(float), right)) for side in (answers, found.answers))
    assert after < before / 3
    used = 0
    for seed in range(40):
        answers, targets = classes(400, seed=seed)
        right = answers.argmax(axis=1) == targets.values
        one = calibrate(answers, targets, right=right, fold=None, unit=None)
        used += one.used
        assert one.used or one.temperature == 1.0
    assert used <= 2, "proven by chance in 1 % of such models"


def test_a_fold_is_calibrated_by_the_others() -> None:
    answers, targets = classes(2_000, heat=3.0)
    fold, right = np.arange(2_000) % 4, answers.argmax(axis=1) == targets.values
    found = calibrate(answers, targets, right=right, fold=fold, unit=None)
    rest = fold != 2
    cold = temperature_of(answers[rest], targets.take(np.flatnonzero(rest)))
    assert found.answers[fold == 2] == pytest.approx(scaled(answers[fold == 2], cold))
    changed = targets.values.copy()
    changed[fold == 2] = (changed[fold == 2] + 1) % 4
    other = Targets(kind="classes", names=targets.names, values=changed)
    again = calibrate(answers, other, right=right, fold=fold, unit=None)
    kept = found.used and again.used
    assert not kept or again.answers[fold == 2] == pytest.approx(found.answers[fold == 2]), (
        "no row has a say in its own"
    )


def test_copies_are_no_further_evidence() -> None:
    answers, targets = classes(60, heat=1.5, seed=4)
    many = (
        np.repeat(answers, 40, axis=0),
        Targets(kind="classes", names=targets.names, values=np.repeat(targets.values, 40)),
    )
    right, unit = many[0].argmax(axis=1) == many[1].values, np.repeat(np.arange(60), 40)
    taken = calibrate(*many, right=right, fold=None, unit=unit)
    assert calibrate(*many, right=right, fold=None, unit=None).p < taken.p


@pytest.mark.parametrize("n", [0, 1, 2, 10])
def test_few_rows_and_perfect_ones_have_no_temperature(n: int) -> None:
    for right in (True, False):
        targets = Targets(kind="classes", names=("a", "b"), values=np.zeros(n, np.int64))
        answers = np.tile([[0.8, 0.2] if right else [0.2, 0.8]], (n, 1)).astype(np.float32)
        found = calibrate(answers, targets, right=np.full(n, right), fold=None, unit=None)
        assert found.temperature == 1.0
        assert np.isfinite([found.fitted, found.loss_before, found.loss_after, found.p]).all()
    sure = np.tile(np.array([[0.8, 0.2]], np.float32), (500, 1))
    targets = Targets(kind="classes", names=("a", "b"), values=np.zeros(500, np.int64))
    assert temperature_of(sure, targets) == pytest.approx(COLDEST, rel=0.01)
    assert not calibrate(sure, targets, right=np.ones(500, bool), fold=None, unit=None).used


def test_answers_without_probabilities_have_no_temperature() -> None:
    targets = Targets(kind="classes", names=("a", "b"), values=np.arange(200) % 2)
    answers = np.eye(3, dtype=np.float32)[np.arange(200) % 3]  # with a column for no answer
    found = calibrate(answers, targets, right=answers[:, :2].argmax(axis=1) == targets.values, fold=None, unit=None)
    assert found.fitted == 1.0
    assert (found.answers == answers).all()


def test_bins_hold_equal_numbers_and_never_divide_equal_confidences() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(1_500)
    bins = bins_of(confidence, rng.random(1_500) < confidence)
    assert [one.rows for one in bins] == [100] * 15
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    assert all(one.low <= one.right <= one.high for one in bins)
    assert [one.rows for one in bins_of(np.full(90, 0.7), np.arange(90) % 2 == 0)] == [90]
    assert bins_of(np.zeros(0), np.zeros(0, bool)) == ()
    assert ece(()) == debiased(()) == 0.0


def test_ece_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(1)
    confidence = np.sort(rng.random(300))
    right = rng.random(300) < confidence**2
    chunks = [(confidence[a : a + 20], right[a : a + 20]) for a in range(0, 300, 20)]
    assert ece(bins_of(confidence, right)) == pytest.approx(np.mean([abs(c.mean() - r.mean()) for c, r in chunks]))
    bias = [(c.mean() - r.mean()) ** 2 - r.var(ddof=1) / len(r) for c, r in chunks]
    assert debiased(bins_of(confidence, right)) == pytest.approx(np.sqrt(max(np.mean(bias), 0)))


def test_the_debiased_error_of_a_calibrated_model_is_about_zero_on_average() -> None:
    rng, plain, squares = np.random.default_rng(2), [], []
    for _ in range(200):
        confidence = 0.5 + 0.5 * rng.random(300)
        bins = bins_of(confidence, rng.random(300) < confidence)
        plain.append(ece(bins))
        known = [(one.confidence - one.right) ** 2 - one.right * (1 - one.right) / (one.rows - 1) for one in bins]
        squares.append(np.mean(known))
    assert np.mean(plain) > 0.05, "the plain error sees chance as a fault"
    assert abs(np.mean(squares)) < 4 * np.std(squares) / np.sqrt(200)


def test_one_bin_by_hand() -> None:
    assert ece([Bin(confidence=0.9, right=0.7, low=0.0, high=1.0, rows=20)]) == pytest.approx(0.2)
