"""Claims about evidence of any task: challengers that hang together, units, and what does not fit together."""

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.error_budget import Family
from ratchet.gate.trial import trial_of
from ratchet.gate.verdict import Claim, Round, judge
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metric import Setting

N = 300
TRUE = np.random.default_rng(0).normal(size=N)


def forecast(name: str, spread: float, *, n: int = N, unit: np.ndarray | None = None) -> Evidence:
    said = TRUE + spread * np.random.default_rng(len(name)).normal(size=N)
    return Evidence(
        name=name,
        rows=np.arange(n),
        targets={"value": TRUE[:n]},
        outcomes={"value": said[:n]},
        unit=None if unit is None else unit[:n],
    )


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "spearman"])
def test_a_round_of_forecasts_shares_its_level(metric: str) -> None:
    family = Family(name="rows")
    challengers = [forecast("bb", 0.5), forecast("ccc", 0.9), forecast("dddd", 1.0, n=200)]
    found = judge(challengers, forecast("a", 1.0), [metric], family=family, level=family.share(3))
    assert found.winner == "bb"
    assert found.verdicts[0].outcome == "better"
    assert [verdict.findings[0].n for verdict in found.verdicts] == [300, 300, 200]
    assert sum(verdict.level for verdict in found.verdicts) > family.share(3)
    assert Round.from_dict(found.to_dict()) == found


def test_rows_of_one_unit_count_once() -> None:
    unit = np.arange(N) // 3
    claim, setting = Claim(metric="mae"), Setting(draws=499)
    alone = trial_of(claim, forecast("bb", 0.8), forecast("a", 1.0), setting, copy=False)
    within = trial_of(claim, forecast("bb", 0.8, unit=unit), forecast("a", 1.0), setting, copy=False)
    assert (alone.units, within.units) == (300, 100)
    assert within.paired.freedom == 99


def test_columns_of_two_kinds_cannot_be_compared() -> None:
    both = {"truth": np.arange(N) % 2, "labels": np.eye(2, dtype=bool)[np.arange(N) % 2]}
    classes, labels = (
        Evidence(name=name, rows=np.arange(N), targets=both, outcomes={name: np.eye(2)[np.arange(N) % 2]})
        for name in ("probability", "membership")
    )
    with pytest.raises(RatchetError, match="must have the columns truth, probability but one has not"):
        trial_of(Claim(metric="macro_f1"), classes, labels, Setting(), copy=False)


def test_metrics_that_take_no_seeds_name_those_that_do() -> None:
    one = forecast("a", 1.0)
    seeds = Evidence(
        name="b", rows=one.rows, targets=one.targets, outcomes=one.outcomes, seeds=({"value": TRUE},), chance=True
    )
    with pytest.raises(RatchetError, match="must be one of mae but got 'rmse'"):
        trial_of(Claim(metric="rmse"), seeds, one, Setting(), copy=False)
    assert trial_of(Claim(metric="mae"), seeds, one, Setting(), copy=False).seed_sd is not None
