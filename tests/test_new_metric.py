"""CONTRIBUTING's steps for a metric, taken for the Brier score: one entry, and everything asked of it is its own."""

from __future__ import annotations

import numpy as np
import pytest

from ratchet.gate.verdict import Claim, compare
from ratchet.metrics import metrics
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import mean_difference, mean_interval
from ratchet.metrics.metric import Metric, Setting
from ratchet.metrics.metrics import METRICS, score
from ratchet.metrics.paired_tests import Floats, Paired


def losses(evidence: Evidence) -> Floats:
    """Squared distance between the probabilities and the true class, shape (n,), 0 ... 2."""
    wanted = np.eye(evidence.probability.shape[-1])[evidence.truth]
    found: Floats = ((evidence.probability - wanted) ** 2).sum(axis=-1)
    return found


def paired(a: Evidence, b: Evidence, setting: Setting) -> Paired:
    return mean_difference(losses(b) - losses(a), worst=2.0, seed=setting.seed, draws=setting.draws)


BRIER = Metric(
    name="brier",
    needs=("truth", "probability"),
    value=lambda evidence: -float(losses(evidence).mean()),
    compare=paired,
    interval=lambda evidence, alpha, seed: mean_interval(
        -losses(evidence), alpha=alpha, generator=np.random.default_rng(seed)
    ),
    unit="squared",
    scale=1.0,
    sign=-1,
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "METRICS", (*METRICS, BRIER))


def model(name: str, sureness: float, *, n: int = 400) -> Evidence:
    """Says the true class with this probability on nine rows of ten, and another class else."""
    truth = np.arange(n) % 2
    said = np.where(np.arange(n) % 10 == 0, 1 - truth, truth)
    probability = np.full((n, 2), 1 - sureness)
    probability[np.arange(n), said] = sureness
    return Evidence.of_classes(name=name, rows=np.arange(n), truth=truth, probability=probability)


@pytest.mark.parametrize("sureness", [0.6, 0.9, 0.99])
def test_its_score_and_its_interval_are_its_own(sureness: float) -> None:
    from sklearn.metrics import brier_score_loss

    evidence = model("a", sureness)
    found = score(evidence, "brier")
    independent = -2 * brier_score_loss(evidence.truth, evidence.probability[:, 1])  # of one class: half the sum
    assert found.value == pytest.approx(independent)
    rows = -losses(evidence)
    error = rows.std(ddof=1) / len(rows) ** 0.5
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert (found.low, found.high) != (score(evidence, "log_loss").low, score(evidence, "log_loss").high)


def test_it_is_judged_and_told_in_its_own_units() -> None:
    sure, unsure = model("sure", 0.9), model("unsure", 0.6)
    verdict = compare(sure, unsure, ["brier"])
    (found,) = verdict.findings
    assert verdict.outcome == "better"
    assert found.estimate == pytest.approx(BRIER.value(sure) - BRIER.value(unsure))
    assert 0 < found.low < found.estimate < found.high
    assert f"brier {found.estimate:+.2f} [" in verdict.line
    assert "squared" in verdict.line


def test_it_claims_not_worse_by_its_own_margin() -> None:
    a, b = model("a", 0.85), model("b", 0.9)
    lost = BRIER.value(b) - BRIER.value(a)
    assert lost > 0
    wide, narrow = (
        compare(a, b, [Claim(metric="brier", kind="noninferior", margin=margin)]) for margin in (lost * 4, lost / 4)
    )
    assert wide.findings[0].holds
    assert not narrow.findings[0].holds
