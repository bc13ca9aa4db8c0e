"""Claims about evidence of any task: challengers that hang together, units, and what does not fit together."""

from collections.abc import Mapping

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.error_budget import Family
from ratchet.gate.trial import FEWEST_MEASURED, trial_of
from ratchet.gate.verdict import Claim, Round, compare, judge
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.means import relative_saving
from ratchet.metrics.metric import Setting
from ratchet.metrics.metrics import score

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


@pytest.mark.parametrize(
    ("count", "holds"), [(60, True), (FEWEST_MEASURED, True), (FEWEST_MEASURED - 1, False), (0, False)]
)
def test_a_latency_that_was_measured_on_some_rows_is_judged_on_these(count: int, holds: bool) -> None:
    dice, n = np.random.default_rng(2), 400
    rows, known = np.arange(n), np.zeros(n, dtype=bool)
    known[dice.choice(n, count, replace=False)] = True
    slow = dice.gamma(5, 0.2, n)

    def side(name: str, seconds: np.ndarray, known: Mapping[str, np.ndarray]) -> Evidence:
        outcomes = {"latency": seconds, "exact_match": np.ones(n)}
        return Evidence(name=name, rows=rows, targets={}, outcomes=outcomes, known=known)

    fast, dear = np.where(known, slow / 4, 0.0), np.where(known, slow, 0.0)  # others hold nothing that counts
    challenger = side("fast", fast, {"latency": known})
    found = compare(
        challenger,
        side("slow", dear, {"latency": known}),
        [Claim(metric="latency", factor=2), Claim(metric="exact_match", kind="noninferior", margin=0.1)],
    )
    timed, scored = found.findings
    assert (timed.n, scored.n) == (count, n)
    assert (timed.holds, scored.holds, found.promotes) == (holds, True, holds)
    assert bool(timed.doubt) != holds
    if holds:
        alone = np.flatnonzero(known)
        plain = relative_saving(slow[alone] / 4, slow[alone], factor=2)
        assert (timed.estimate, timed.p) == (plain.estimate, plain.at_most(plain.null))
        assert score(challenger, "latency").shown[0] == pytest.approx(slow[alone].mean() / 4)
    else:
        assert timed.outcome == "undecided"
        assert f"measured on {count} of 400 rows" in found.line
