"""Claims by a factor, and the sentences of findings that are read back."""

import json
from typing import Any

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.claim import Claim
from ratchet.gate.verdict import Verdict, compare
from ratchet.metrics.evidence import Evidence

ROWS = np.arange(300)


def spender(name: str, mean: float, **more: Any) -> Evidence:
    cost = mean * np.random.default_rng(len(name)).lognormal(0, 0.3, size=len(ROWS))
    return Evidence(name=name, rows=ROWS, targets={"reference": ROWS}, outcomes={"cost": cost, **more})


@pytest.mark.parametrize(
    ("factor", "outcome"), [(1.0, "better"), (100.0, "better"), (124.0, "not_worse"), (300.0, "not_worse")]
)
def test_a_factor_must_be_proven(factor: float, outcome: str) -> None:
    verdict = compare(spender("b", 1.0), spender("dear", 120.0), [Claim(metric="cost", factor=factor)])
    (found,) = verdict.findings
    assert (verdict.outcome, verdict.promotes) == (outcome, outcome == "better")
    assert (found.low > 1 - 1 / factor) == (outcome == "better")
    assert found.low < found.estimate < found.high < 1
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert again == verdict
    assert ("times less, 100 claimed" in again.line) == (factor == 100.0)


def test_the_interval_is_as_wide_as_the_quotient_of_the_means_varies() -> None:
    (found,) = compare(spender("b", 1.0), spender("dear", 120.0), [Claim(metric="cost", factor=100.0)]).findings
    quotients = [
        spender("b" * size, 1.0).outcomes["cost"].mean() / spender("d" * (size + 40), 120.0).outcomes["cost"].mean()
        for size in range(1, 40)
    ]
    low, high = np.quantile(quotients, [0.05, 0.95])
    assert np.log((1 - found.low) / (1 - found.high)) == pytest.approx(np.log(high / low), rel=0.25)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Claim(metric="cost", factor=0.5), "must be 1 or more"),
        (lambda: Claim(metric="cost", kind="noninferior", factor=2.0), "in a claim of the kind 'superior'"),
        (
            lambda: compare(
                spender("b", 1.0, judge=ROWS * 1.0),
                spender("a", 1.0, judge=ROWS * 1.0),
                [Claim(metric="judge", factor=2.0)],
            ),
            "The factor of 'judge' must be 1 but got 2",
        ),
    ],
)
def test_a_factor_that_says_nothing_is_refused(make: Any, message: str) -> None:
    with pytest.raises(RatchetError, match=message):
        make()


def test_a_factor_of_rounds() -> None:
    def rounds(name: str, seconds: float) -> Evidence:
        times = seconds * (1 + np.arange(12) / 100)
        return Evidence(
            name=name, rows=ROWS, targets={}, outcomes={}, measures={"latency": times[:: 1 if name == "b" else -1]}
        )

    half, tenth = (
        compare(rounds("b", 1.0), rounds("a", 4.0), [Claim(metric="latency", factor=factor)]) for factor in (2.0, 10.0)
    )
    assert (half.promotes, tenth.promotes) == (True, False)


def test_a_verdict_without_a_factor_is_read_as_it_was() -> None:
    verdict = compare(spender("b", 1.0), spender("dear", 2.0), ["cost"])
    fields = json.loads(json.dumps(verdict.to_dict()))
    for finding in fields["findings"]:
        del finding["factor"], finding["doubt"]
    assert Verdict.from_dict(fields) == verdict


def test_a_doctored_factor_is_refused() -> None:
    fields = compare(spender("b", 1.0), spender("dear", 120.0), [Claim(metric="cost", factor=100.0)]).to_dict()
    fields["findings"][0]["factor"] = 1_000.0
    with pytest.raises(RatchetError, match="must follow from its figures"):
        Verdict.from_dict(fields)


def test_other_columns_are_two_tables() -> None:
    a = spender("b", 1.0)
    other = Evidence(name="a", rows=ROWS, targets={"reference": ROWS + 1}, outcomes=a.outcomes)
    with pytest.raises(RatchetError, match="must agree on reference of the rows but got two tables"):
        compare(a, other, ["cost"])
    without = Evidence(name="a", rows=ROWS, targets={"reference": ROWS}, outcomes={"judge": ROWS * 1.0})
    with pytest.raises(RatchetError, match="must be one of judge but got 'cost'"):
        compare(a, without, ["cost"])


def test_seeds_of_any_metric_are_counted() -> None:
    rng = np.random.default_rng(0)
    luck = [{"cost": mean * rng.lognormal(0, 0.3, size=300)} for mean in (1.0, 1.3, 0.8)]
    first = Evidence(
        name="b",
        rows=ROWS,
        targets={"reference": ROWS},
        outcomes=luck[0],
        seeds=tuple(luck[1:]),
        fold=ROWS % 5,
        chance=True,
    )
    champion = Evidence(
        name="a", rows=ROWS, targets={"reference": ROWS}, outcomes=spender("a", 1.2).outcomes, fold=ROWS % 5
    )
    (found,) = compare(first, champion, ["cost"]).findings
    spread = np.std([run["cost"].mean() for run in luck], ddof=1) / champion.outcomes["cost"].mean()
    assert found.seed_sd == pytest.approx(spread)
    assert found.variance > 1
