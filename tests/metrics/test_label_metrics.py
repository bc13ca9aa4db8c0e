"""Metrics of multilabel answers against scikit-learn and the metrics of classes."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from ratchet.errors import RatchetError
from ratchet.gate.verdict import compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric, score
from ratchet.metrics.proportions import mcnemar

RNG = np.random.default_rng(0)
LABELS = RNG.random((300, 5)) < [0.5, 0.3, 0.3, 0.1, 0.0]


def evidence(name: str, noise: float) -> Evidence:
    rng = np.random.default_rng(len(name))
    wrong = rng.random(LABELS.shape) < noise * np.array([1, 1, 1, 1, 0])
    return Evidence(
        name=name,
        rows=np.arange(300),
        targets={"labels": LABELS},
        outcomes={"membership": np.where(LABELS ^ wrong, 0.5, 0.49)},
    )


@pytest.mark.parametrize(
    ("metric", "average"), [("subset_accuracy", None), ("micro_f1", "micro"), ("macro_f1", "macro")]
)
def test_values_are_scikit_learns(metric: str, average: str | None) -> None:
    one = evidence("a", 0.1)
    given, used = one.outcomes["membership"] >= 0.5, LABELS.any(axis=0)  # a label that nobody has or gives is left out
    expected = (
        accuracy_score(LABELS, given) if average is None else f1_score(LABELS[:, used], given[:, used], average=average)
    )
    found = score(one, metric)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("metric", ["subset_accuracy", "micro_f1", "macro_f1"])
def test_the_better_one_is_found(metric: str) -> None:
    good, poor = evidence("good", 0.02), evidence("the poor one", 0.2)
    assert compare(good, poor, [metric]).outcome == "better"
    assert compare(poor, good, [metric]).outcome == "worse"


def test_subset_accuracy_is_judged_by_mcnemar() -> None:
    a, b = evidence("a", 0.1), evidence("another", 0.1)
    right = [(side.outcomes["membership"] >= 0.5) == LABELS for side in (a, b)]
    first, second = (side.all(axis=1) for side in right)
    expected = mcnemar(int((first & ~second).sum()), int((second & ~first).sum()), 300)
    assert compare(a, b, ["subset_accuracy"]).findings[0].p == expected.at_most()


def test_a_label_with_few_rows_tells_little() -> None:
    """Both have all three rows of the rare label right, and differ on the other in equal parts."""
    labels = np.zeros((400, 2), dtype=bool)
    labels[:3, 0] = labels[::2, 1] = True
    sides = []
    for wrong in (range(100, 110), range(105, 115)):
        given = labels.copy()
        given[list(wrong), 1] ^= True
        sides.append(
            Evidence(
                name=str(wrong), rows=np.arange(400), targets={"labels": labels}, outcomes={"membership": given * 1.0}
            )
        )
    metric = find_metric("macro_f1", sides[0])
    from ratchet.metrics.metric import Setting

    assert metric.compare(sides[0], sides[1], Setting()).at_most(-0.01) > 0.05
    assert find_metric("micro_f1", sides[0]).compare(sides[0], sides[1], Setting()).at_most(-0.05) < 0.01


def test_other_shapes_are_refused() -> None:
    one = evidence("a", 0.1)
    bad = Evidence(name="x", rows=one.rows, targets=one.targets, outcomes={"membership": np.ones((300, 4))})
    with pytest.raises(RatchetError, match=r"a probability of each label but got \(300, 4\) for \(300, 5\)"):
        score(bad, "micro_f1")
