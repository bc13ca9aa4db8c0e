"""A number a row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, r2_score

from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score
from ratchet.tables.dataset import Dataset
from ratchet.tasks.regression import ALPHA, Regression, values_of

TASK = Regression()


def test_an_interval_covers_its_share_of_unseen_rows() -> None:
    dice = np.random.default_rng(3)
    errors = dice.normal(size=4_000)
    targets = TASK.targets([repr(float(value)) for value in errors[:2_000]])
    facts = TASK.facts(targets, np.zeros((2_000, 1)))
    assert facts["coverage"] == 1 - ALPHA
    assert abs((np.abs(errors[2_000:]) <= facts["half_width"]).mean() - 0.9) < 0.03


def test_too_few_rows_have_no_interval() -> None:
    assert TASK.facts(TASK.targets(["1", "2"]), np.zeros((2, 1))) == {}
    cells = TASK.cells(np.array([[3.5]]), names=("value",), facts={}, each_label=False)
    assert cells == [{"prediction": 3.5, "prediction_low": None, "prediction_high": None}]
    assert TASK.counted(cells[0]) == []


def test_errors_are_scikit_learns() -> None:
    dice = np.random.default_rng(1)
    truth, said = dice.normal(100, 10, 60), dice.normal(100, 10, 60)
    columns = TASK.columns(TASK.targets([repr(float(one)) for one in truth]), said[:, None], metrics=("rmse",))
    found = Evidence(name="x", rows=np.arange(60), targets=columns.targets, outcomes=columns.outcomes)
    assert -score(found, "rmse").value == pytest.approx(mean_squared_error(truth, said) ** 0.5)
    assert score(found, "r2").value == pytest.approx(r2_score(truth, said))


def test_strata_are_tenths_by_value() -> None:
    strata = TASK.strata([str(value) for value in range(50)])
    assert strata is not None
    assert (strata[0], strata[-1], len(set(strata))) == ("00", "09", 10)
    assert TASK.strata([]) == []


def test_parity_is_a_share_of_the_spread() -> None:
    before = np.array([[0.0], [100.0]])
    assert TASK.parity(before, before + 1).max_difference == pytest.approx(1 / 50)
    constant = np.full((3, 1), 7.0)
    assert TASK.parity(constant, constant + 0.7).max_difference == pytest.approx(0.1)


def test_the_largest_errors_come_first() -> None:
    found = TASK.worst(TASK.targets(["1", "2", "3"]), np.array([[1.1], [12.0], [-1.0]]), most=2)
    assert [(one.place, one.right, one.given) for one in found] == [(1, "2", "12"), (2, "3", "-1")]


def test_a_cell_that_is_no_number_is_nan() -> None:
    assert np.isnan(values_of(["x", ""])).all()


def test_a_far_number_is_told(table: Callable[..., Dataset]) -> None:
    numbers = [str(20 + row % 30) for row in range(60)]
    plain = table({"text": [f"t{row}" for row in range(60)], "label": numbers})
    assert TASK.notes(plain) == []
    far = table({"text": [f"t{row}" for row in range(60)], "label": [*numbers[:-2], "-4000", "10亿"]})
    (note,) = TASK.notes(far)
    assert note.startswith(
        "2 of 60 numbers are far from the others, such as '10亿' in row 60 of a.csv (the middle half is "
    )
