"""Metrics of regression against scikit-learn and SciPy, and what one wild row may do."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from ratchet.errors import RatchetError
from ratchet.gate.verdict import Claim, compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric, score

N = 400
TRUE = np.random.default_rng(0).normal(50, 10, size=N)
METRICS = ("mae", "rmse", "r2", "spearman")


def evidence(name: str, spread: float, *, wild: dict[int, float] | None = None) -> Evidence:
    said = TRUE + np.random.default_rng(len(name)).normal(scale=spread, size=N)
    for row, value in (wild or {}).items():
        said[row] = value
    return Evidence(name=name, rows=np.arange(N), targets={"value": TRUE}, outcomes={"value": said})


@pytest.mark.parametrize("metric", METRICS)
def test_values_are_those_of_others(metric: str) -> None:
    one = evidence("a", 4.0)
    said = one.outcomes["value"]
    expected = {
        "mae": -mean_absolute_error(TRUE, said),
        "rmse": -root_mean_squared_error(TRUE, said),
        "r2": r2_score(TRUE, said),
        "spearman": stats.spearmanr(TRUE, said).statistic,
    }
    found = score(one, metric)
    assert found.value == pytest.approx(expected[metric])
    assert found.low < found.value < found.high
    if metric in ("mae", "rmse"):
        assert found.shown[0] == pytest.approx(-expected[metric])
        assert found.shown[1] < found.shown[0] < found.shown[2]
        assert find_metric(metric, one).shown(found.value) == f"{-expected[metric]:.4g}"


@pytest.mark.parametrize("metric", METRICS)
def test_the_better_one_is_found(metric: str) -> None:
    good, poor = evidence("good", 4.0), evidence("the poor one", 6.0)
    verdict = compare(good, poor, [metric])
    assert verdict.outcome == "better"
    assert verdict.findings[0].estimate > 0
    assert compare(poor, good, [metric]).outcome == "worse"
    assert f"{metric} +" in verdict.line


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
@pytest.mark.parametrize("rows", [1, 3])
def test_few_wild_rows_neither_promote_nor_condemn(metric: str, rows: int) -> None:
    calm, wild = evidence("calm", 4.0), evidence("wild", 4.0, wild=dict.fromkeys(range(rows), 1e9))
    for a, b in ((calm, wild), (wild, calm)):
        found = compare(a, b, [metric])
        assert found.outcome == "undecided"
        assert found.findings[0].doubt == f"{rows} row{'s' * (rows > 1)} of 400 decide{'s' * (rows == 1)} it"
        assert "cannot be told" in found.line
        not_worse = compare(a, b, [Claim(metric=metric, kind="noninferior", margin=0.5)])
        assert not not_worse.findings[0].holds


def test_a_wild_row_does_not_decide_without_the_doubt() -> None:
    from ratchet.metrics.metric import Setting

    calm, wild = evidence("calm", 4.0), evidence("wild", 4.0, wild={5: 1e9})
    for metric in ("mae", "rmse", "r2"):
        found = find_metric(metric, calm).compare(calm, wild, Setting(draws=999))
        assert found.score(0.0) < 1.0


def test_ranks_do_not_mind_a_wild_row() -> None:
    good, poor = evidence("good", 4.0, wild={5: 1e9}), evidence("the poor one", 9.0)
    assert compare(good, poor, ["spearman"]).outcome == "better"


def test_equal_errors_of_a_copy_are_not_worse() -> None:
    one = evidence("a", 4.0)
    near = one.outcomes["value"].copy()
    near[:3] += 0.01
    copy = Evidence(name="b", rows=one.rows, targets=one.targets, outcomes={"value": near})
    for metric in METRICS:
        claim = Claim(metric=metric, kind="noninferior", margin=0.01)
        assert compare(copy, one, [claim], copy=True).findings[0].holds, metric


def test_targets_that_do_not_vary_have_no_r2() -> None:
    flat = Evidence(name="a", rows=np.arange(9), targets={"value": np.ones(9)}, outcomes={"value": np.arange(9.0)})
    with pytest.raises(RatchetError, match="targets that differ"):
        score(flat, "r2")
    assert score(flat, "spearman").value == 0.0


def test_r2_loses_no_digit_far_from_zero() -> None:
    far = Evidence(
        name="a",
        rows=np.arange(N),
        targets={"value": TRUE + 1e9},
        outcomes={"value": evidence("a", 4.0).outcomes["value"] + 1e9},
    )
    assert score(far, "r2").value == pytest.approx(score(evidence("a", 4.0), "r2").value, abs=1e-6)


def test_the_unit_of_the_targets_does_not_matter() -> None:
    """Nor what is assumed of the spread between seeds, where training draws lots."""
    found = []
    for unit in (1.0, 1e6):
        sides = [
            Evidence(
                name=name,
                rows=np.arange(N),
                targets={"value": TRUE * unit},
                outcomes={"value": evidence(name, spread).outcomes["value"] * unit},
                fold=np.arange(N) % 5,
                chance=True,
            )
            for name, spread in (("good", 4.0), ("the poor one", 4.5))
        ]
        found.append(compare(sides[0], sides[1], ["mae"]).findings[0])
    assert found[1].estimate == pytest.approx(found[0].estimate * 1e6)
    assert found[1].variance == pytest.approx(found[0].variance)
    assert found[1].p == pytest.approx(found[0].p)
    assert found[1].low == pytest.approx(found[0].low * 1e6, rel=1e-3)
