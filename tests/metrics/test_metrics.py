"""Which metric a name means, and what the evidence can be judged by."""

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import METRICS, find_metric, is_measure, judged_by, named

ROWS = np.arange(4)
CLASSES = Evidence.of_classes(name="a", rows=ROWS, truth=ROWS % 2, probability=np.eye(2)[ROWS % 2])
LABELS = Evidence(name="a", rows=ROWS, targets={"labels": np.eye(4, dtype=bool)}, outcomes={"membership": np.eye(4)})
ANSWERS = Evidence(
    name="a",
    rows=ROWS,
    targets={"reference": ROWS},
    outcomes={"judge": np.ones(4), "m:f": np.ones(4), "latency": np.ones(4), "bleu": np.ones((4, 10))},
    measures={"bytes": np.ones(1), "latency": np.ones(3)},
)


def test_a_name_means_what_the_columns_allow() -> None:
    of_classes, of_labels = find_metric("macro_f1", CLASSES), find_metric("macro_f1", LABELS)
    assert of_classes is not of_labels
    assert (of_classes.needs, of_labels.needs) == (("truth", "probability"), ("labels", "membership"))
    assert len(named("macro_f1")) == 2


def test_what_evidence_can_be_judged_by_is_told() -> None:
    assert judged_by(CLASSES) == ("accuracy", "macro_f1", "weighted_f1", "mcc", "auc", "log_loss")
    assert judged_by(LABELS) == ("subset_accuracy", "micro_f1", "macro_f1")
    assert judged_by(ANSWERS) == ("judge", "bleu", "latency", "m:f", "bytes")
    with pytest.raises(
        RatchetError, match="must be one of accuracy, macro_f1, weighted_f1, mcc, auc, log_loss but got 'mae'"
    ):
        find_metric("mae", CLASSES)
    with pytest.raises(RatchetError, match="must be one of judge, bleu, latency, m:f, bytes but got 'x:y'"):
        find_metric("x:y", ANSWERS)


def test_a_column_of_rows_goes_before_rounds() -> None:
    assert is_measure("bytes", ANSWERS)
    assert not is_measure("latency", ANSWERS)
    assert find_metric("latency", ANSWERS).saving


def test_metrics_of_one_name_are_read_alike() -> None:
    for metric in METRICS:
        assert {(other.unit, other.scale, other.sign) for other in named(metric.name)} == {
            (metric.unit, metric.scale, metric.sign)
        }
    assert (named("some:score")[0].unit, named("some:score")[0].scale) == ("", 1.0)
