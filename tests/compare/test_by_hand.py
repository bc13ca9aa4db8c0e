"""The figures of a comparison of two files, computed a second time by SciPy and statsmodels from the same files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ratchet.compare.files import compare_files
from ratchet.compare.question import Question

Write = Callable[..., str]
N = 300


def read(path: str, column: str) -> dict[str, str]:
    """A column of a file by the id, read by the csv module alone."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["id"]: row[column] for row in csv.DictReader(file)}


def scores(path: str, right: dict[str, str]) -> np.ndarray:
    said = read(path, "prediction")
    return np.array([float(said[name] == label) for name, label in right.items()])


@pytest.fixture
def files(table: Write) -> tuple[str, str]:
    dice = np.random.default_rng(11)
    labels = dice.choice(["pos", "neg"], size=N)
    other = {"pos": "neg", "neg": "pos"}
    paths = []
    for name, share in (("a.csv", 0.85), ("b.csv", 0.78)):
        hit, tone, took = dice.random(N) < share, dice.normal(size=N), dice.gamma(2, size=N)
        rows = [
            {
                "id": f"q{n}",
                "label": label,
                "prediction": label if hit[n] else other[label],
                "score_tone": tone[n] + share,
                "latency": took[n] * share,
            }
            for n, label in enumerate(labels.tolist())
        ]
        paths.append(table(name, [rows[n] for n in dice.permutation(N)]))
    return paths[0], paths[1]


def test_accuracy_is_mcnemar_mid_p_and_wilson(files: tuple[str, str]) -> None:
    """To 1e-9: both sides are closed forms."""
    found = compare_files(*files, Question())
    right = read(files[0], "label")
    first, second = (scores(path, right) for path in files)
    wins, losses = int((first > second).sum()), int((first < second).sum())
    law = stats.binom(wins + losses, 0.5)
    finding = found.verdict.findings[0]
    assert finding.estimate == pytest.approx(first.mean() - second.mean(), abs=1e-12)
    assert finding.p == pytest.approx(law.sf(wins) + law.pmf(wins) / 2, rel=1e-9)
    assert finding.p_worse == pytest.approx(law.cdf(wins) - law.pmf(wins) / 2, rel=1e-9)
    for side, values in zip(found.scores, (first, second), strict=True):
        low, high = proportion_confint(values.sum(), N, alpha=0.05, method="wilson")
        assert (side[0].value, side[0].low, side[0].high) == pytest.approx((values.mean(), low, high), abs=1e-9)


def test_a_score_is_tested_by_sign_flips_and_has_a_bca_interval(files: tuple[str, str]) -> None:
    """Both sides resample: p to a tenth of itself or 0.003, the ends of the interval to a sixth of a standard error."""
    found = compare_files(*files, Question(metrics=("score_tone",)))
    names = [*read(files[0], "label")]
    first, second = (np.array([float(read(path, "score_tone")[name]) for name in names]) for path in files)
    other = stats.permutation_test(
        (first, second),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=19_999,
        alternative="greater",
        rng=np.random.default_rng(0),
    )
    finding = found.verdict.findings[0]
    assert finding.estimate == pytest.approx((first - second).mean(), abs=1e-12)
    assert finding.p == pytest.approx(other.pvalue, rel=0.1, abs=0.003)
    assert finding.p == pytest.approx(stats.ttest_rel(first, second, alternative="greater").pvalue, rel=0.1, abs=0.003)
    for side, values in zip(found.scores, (first, second), strict=True):
        interval = stats.bootstrap(
            (values,), np.mean, method="BCa", n_resamples=19_999, rng=np.random.default_rng(1)
        ).confidence_interval
        near = values.std() / np.sqrt(N) / 6
        assert (side[0].low, side[0].high) == pytest.approx((interval.low, interval.high), abs=near)


def test_the_mean_of_epochs_is_tested_by_t(table: Write) -> None:
    """Rows of five answers: the t-test of the row means; p to a tenth of itself or 0.003."""
    dice = np.random.default_rng(5)
    paths, means = [], []
    for name, share in (("a.csv", 0.62), ("b.csv", 0.55)):
        knows = np.clip(dice.normal(share, 0.3, size=N), 0, 1)
        hit = dice.random((N, 5)) < knows[:, None]
        means.append(hit.mean(axis=1))
        rows = [
            {"id": n, "epoch": e, "label": "yes", "output": "yes" if hit[n, e] else "no"}
            for n in range(N)
            for e in range(5)
        ]
        paths.append(table(name, rows))
    finding = compare_files(*paths, Question(metrics=("exact_match",))).verdict.findings[0]
    assert finding.n == N
    assert finding.estimate == pytest.approx((means[0] - means[1]).mean(), abs=1e-12)
    assert finding.p == pytest.approx(stats.ttest_rel(*means, alternative="greater").pvalue, rel=0.1, abs=0.003)


def test_a_saving_is_one_minus_the_ratio_of_the_means(files: tuple[str, str]) -> None:
    found = compare_files(*files, Question(metrics=("latency",)))
    first, second = (np.array([*map(float, read(path, "latency").values())]) for path in files)
    assert found.verdict.findings[0].estimate == pytest.approx(1 - first.mean() / second.mean(), abs=1e-12)
