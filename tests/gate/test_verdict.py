"""The verdict: what each claim needs, what it says, and that nobody else can make one."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ratchet.errors import RatchetError
from ratchet.gate.error_budget import Family
from ratchet.gate.overlap import OVERLAP
from ratchet.gate.verdict import Claim, Round, Verdict, compare, judge
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import score


def evidence(name: str, wrong: Any, *, n: int = 1_000, fold: Any = None, measures: Any = None) -> Evidence:
    """A model that is wrong on the given rows."""
    truth = np.arange(n) % 2
    predicted = truth.copy()
    predicted[list(wrong)] ^= 1
    probability = np.eye(2)[predicted] * 0.8 + 0.1
    return Evidence.of_classes(
        name=name, rows=np.arange(n), truth=truth, probability=probability, fold=fold, measures=measures or {}
    )


GOOD, FAIR, POOR = range(50), range(60), range(150)


@pytest.mark.parametrize(
    ("challenger", "champion", "claim", "outcome", "promotes"),
    [
        (GOOD, POOR, Claim(metric="accuracy"), "better", True),
        (POOR, GOOD, Claim(metric="accuracy"), "worse", False),
        (range(1, 50), range(50), Claim(metric="accuracy"), "not_worse", False),
        (range(100, 160), range(60), Claim(metric="accuracy"), "undecided", False),
        (range(1, 51), range(50), Claim(metric="accuracy", kind="noninferior"), "not_worse", False),
        (range(95), range(60), Claim(metric="accuracy", kind="noninferior"), "worse", False),
        (range(1, 51), range(50), Claim(metric="accuracy", kind="equivalent"), "not_worse", False),
        (GOOD, POOR, Claim(metric="accuracy", kind="equivalent"), "better", False),
        (GOOD, POOR, Claim(metric="macro_f1"), "better", True),
        (POOR, GOOD, Claim(metric="macro_f1"), "worse", False),
        (GOOD, POOR, Claim(metric="auc"), "better", True),
        (GOOD, POOR, Claim(metric="log_loss"), "better", True),
    ],
)
def test_outcomes(challenger: Any, champion: Any, claim: Claim, outcome: str, promotes: bool) -> None:
    verdict = compare(evidence("b", challenger), evidence("a", champion), [claim], draws=999)
    assert (verdict.outcome, verdict.promotes) == (outcome, promotes)


def test_a_smaller_model_is_promoted_when_it_is_not_worse() -> None:
    small = evidence("int8", range(52), measures={"bytes": np.array([250.0])})
    champion = evidence("full", range(2, 52), measures={"bytes": np.array([1_000.0])})
    claims = [Claim(metric="accuracy", kind="noninferior", margin=0.01), Claim(metric="bytes")]
    verdict = compare(small, champion, claims)
    assert (verdict.outcome, verdict.promotes) == ("not_worse", True)
    assert "75.0 % saved" in verdict.line


def test_a_smaller_but_clearly_worse_model_is_not_promoted() -> None:
    small = evidence("int8", POOR, measures={"bytes": np.array([250.0])})
    champion = evidence("full", GOOD, measures={"bytes": np.array([1_000.0])})
    verdict = compare(small, champion, [Claim(metric="accuracy", kind="noninferior"), Claim(metric="bytes")])
    assert (verdict.outcome, verdict.promotes) == ("worse", False)


def test_all_metrics_must_hold() -> None:
    truth_swap = [row for row in range(1_000) if row % 2][:100]
    challenger = evidence("b", truth_swap, measures={"latency": np.full(8, 2.0) + np.arange(8) / 100})
    champion = evidence("a", range(250), measures={"latency": np.full(8, 1.0)})
    verdict = compare(challenger, champion, ["accuracy", "latency"])
    assert [finding.outcome for finding in verdict.findings] == ["better", "worse"]
    assert (verdict.outcome, verdict.promotes) == ("worse", False)


def test_folds_enlarge_the_variance_and_one_fold_or_a_copy_does_not() -> None:
    fold = np.arange(1_000) % 5
    plain = compare(evidence("b", GOOD), evidence("a", range(80)))
    folded = compare(evidence("b", GOOD, fold=fold), evidence("a", range(80), fold=fold))
    one = compare(evidence("b", GOOD, fold=fold * 0), evidence("a", range(80), fold=fold * 0))
    copy = compare(evidence("b", GOOD, fold=fold), evidence("a", range(80), fold=fold), copy=True)
    assert folded.findings[0].variance == pytest.approx(1 + OVERLAP / 1_000**0.5)
    assert folded.findings[0].low < plain.findings[0].low
    assert folded.findings[0].p > plain.findings[0].p
    assert one.findings[0].p == copy.findings[0].p == plain.findings[0].p
    assert [found.about for found in (plain, folded, copy)] == ["models", "procedures", "models"]


def test_training_that_draws_lots_is_doubted_where_its_folds_disagree() -> None:
    fold = np.arange(1_000) % 5
    uneven = [row for row in range(1_000) if row % 5 == 1][:60]
    lucky = evidence("b", range(10), fold=fold)
    champion = evidence("a", uneven, fold=fold)
    sure = compare(lucky, champion).findings[0]
    doubted = compare(replace(lucky, chance=True), champion).findings[0]
    assert doubted.variance > 2 * sure.variance


def test_rows_that_belong_together_count_once() -> None:
    """Twenty copies of each of fifty rows are fifty rows."""
    small = compare(evidence("b", range(5), n=50), evidence("a", range(3, 12), n=50)).findings[0]
    wrong = lambda rows: [k * 50 + row for k in range(20) for row in rows]  # noqa: E731
    unit = np.arange(1_000) % 50
    many = compare(
        replace(evidence("b", wrong(range(5))), unit=unit), replace(evidence("a", wrong(range(3, 12))), unit=unit)
    ).findings[0]
    assert (many.n, many.units) == (1_000, 50)
    assert many.estimate == pytest.approx(small.estimate)
    assert many.p == pytest.approx(small.p, rel=0.35)
    assert (
        "n=1,000 in 50 groups"
        in compare(
            replace(evidence("b", wrong(range(5))), unit=unit), replace(evidence("a", wrong(range(3, 12))), unit=unit)
        ).line
    )


def test_a_round_shares_its_level_and_crowns_the_highest() -> None:
    challengers = [evidence("b", range(60)), evidence("c", range(40)), evidence("d", range(100, 252))]
    family = Family(name="rows")
    found = judge(challengers, evidence("a", POOR), family=family, level=family.share(3))
    assert [verdict.outcome for verdict in found.verdicts] == ["better", "better", "undecided"]
    assert found.winner == "c"
    assert sum(verdict.level for verdict in found.verdicts) > family.share(3)  # correlated: more than Bonferroni
    assert found.spent == pytest.approx(found.verdicts[2].level)
    assert Round.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_round_cannot_use_more_than_is_left() -> None:
    with pytest.raises(RatchetError, match=r"must be at most 0\.05, what is left, but got 0\.06"):
        judge([evidence("b", GOOD)], evidence("a", POOR), family=Family(name="rows"), level=0.06)


def test_the_margin_of_a_copy_is_measured_from_the_anchor() -> None:
    anchor, champion = evidence("best", range(50)), evidence("copy", range(58))
    small = evidence("smaller", range(66), measures={"bytes": np.array([1.0])})
    champion = replace(champion, measures={"bytes": np.array([2.0])})
    claims = [Claim(metric="accuracy", kind="noninferior", margin=0.015), Claim(metric="bytes")]
    family = Family(name="copies")
    found = judge([small], champion, claims, family=family, level=family.share(), anchor=anchor, copy=True)
    assert found.winner is None
    assert found.verdicts[0].findings[0].estimate == pytest.approx(-0.016)
    assert found.verdicts[0].line.startswith("smaller against copy, measured from best: ")
    assert judge([small], champion, claims, family=family, level=family.share(), copy=True).winner == "smaller"


def test_only_shared_rows_count() -> None:
    champion = evidence("a", range(100))
    part = evidence("b", []).on(np.arange(500, 900))
    verdict = compare(part, champion)
    assert verdict.findings[0].n == 400
    assert verdict.findings[0].estimate == 0


def test_the_order_of_rows_does_not_matter() -> None:
    challenger, champion = evidence("b", GOOD), evidence("a", POOR)
    shuffled = challenger.on(np.random.default_rng(0).permutation(1_000))
    assert compare(shuffled, champion) == compare(challenger, champion)


def test_seed_noise_is_reported_and_counted() -> None:
    generator = np.random.default_rng(0)
    champion = evidence("a", range(100))
    runs = np.stack(
        [evidence("b", generator.choice(1_000, size=size, replace=False)).probability for size in (40, 70, 100)]
    )
    challenger = Evidence.of_classes(name="b", rows=champion.rows, truth=champion.truth, probability=runs)
    finding = compare(challenger, champion).findings[0]
    assert finding.seed_sd == pytest.approx(0.03)
    assert finding.variance > 1
    with pytest.raises(RatchetError, match="must be one of accuracy, log_loss but got 'macro_f1'"):
        compare(challenger, champion, ["macro_f1"])


def test_rows_needed_would_decide() -> None:
    challenger, champion = evidence("b", range(100, 170)), evidence("a", range(90))
    needed = compare(challenger, champion).findings[0].rows_needed
    assert needed is not None
    times = needed // 1_000 + 1
    larger = [
        evidence(name, [k * 1_000 + row for k in range(times) for row in rows], n=1_000 * times)
        for name, rows in (("b", range(100, 170)), ("a", range(90)))
    ]
    assert compare(*larger).outcome == "better"


def test_json_and_back() -> None:
    verdict = compare(evidence("b", GOOD), evidence("a", POOR), ["accuracy", "macro_f1"], family=Family(name="rows"))
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert again == verdict
    assert "\n" not in verdict.line
    assert "b against a: better (accuracy +10.00 [" in verdict.line


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("outcome",), "better", "must follow from its findings"),
        (("findings", 0, "outcome"), "better", "must follow from its figures"),
        (("findings", 0, "p"), 0.0, "must follow from its figures"),
        (("promotes",), True, "must follow from its findings"),
        (("surprise",), 1, "must have all its fields"),
    ],
)
def test_a_doctored_verdict_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    record = compare(evidence("b", range(100, 155)), evidence("a", range(60))).to_dict()
    record["findings"][0]["low"] = 0.001 if path[-1] == "p" else record["findings"][0]["low"]
    place = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(RatchetError, match=message):
        Verdict.from_dict(record)


def test_nobody_else_can_make_one() -> None:
    record = compare(evidence("b", GOOD), evidence("a", POOR)).to_dict()
    with pytest.raises(RatchetError, match=r"must come from ratchet\.gate\.verdict\.compare"):
        Verdict(**record)
    with pytest.raises(RatchetError, match="must come from"):
        replace(compare(evidence("b", GOOD), evidence("a", POOR)), outcome="better")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: compare(a, replace(a, rows=a.rows + 5_000)), "must have rows in common"),
        (lambda a: compare(a, replace(a, targets={"truth": 1 - a.truth})), "must agree on truth of the rows"),
        (lambda a: compare(a, a, ["acuracy"]), "must be one of accuracy"),
        (lambda a: compare(a, a, []), "at least one metric"),
        (lambda a: replace(a, rows=a.rows * 0), "each row once"),
        (lambda a: replace(a, outcomes={"probability": a.probability * np.nan}), "finite"),
        (lambda a: replace(a, targets={"truth": a.truth[:-1]}), "as many"),
        (lambda a: Claim(metric="accuracy", margin=0), "above 0"),
        (lambda a: score(replace(a, targets={"truth": a.truth * 0}), "auc"), "both classes"),
        (
            lambda a: compare(replace(a, fold=a.rows % 5), replace(a, fold=a.rows % 4)),
            "must have the same folds",
        ),
    ],
)
def test_bad_evidence_is_refused(make: Any, message: str) -> None:
    with pytest.raises(RatchetError, match=message):
        make(evidence("a", range(50)))


def test_auc_wants_two_classes() -> None:
    three = Evidence.of_classes(
        name="a", rows=np.arange(9), truth=np.arange(9) % 3, probability=np.eye(3)[np.arange(9) % 3]
    )
    with pytest.raises(RatchetError, match="two classes but got 3"):
        compare(three, three, ["auc"])


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "auc", "log_loss"])
def test_scores_have_intervals_around_them(metric: str) -> None:
    found = score(evidence("a", range(100)), metric)
    assert found.low < found.value < found.high
    assert found.n == 1_000


def test_the_hundredth_round_is_still_told() -> None:
    """The level shrinks with every round that proves nothing; below 1e-16 it must still be a level."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    family = Family(name="rows")

    def model(name: str) -> Evidence:
        said = np.where(rng.random(300) < 0.8, truth, 1 - truth)
        return Evidence.of_classes(name=name, rows=np.arange(300), truth=truth, probability=np.eye(2)[said])

    champion = model("champion")
    for number in range(100):
        found = judge([model(f"m{number}")], champion, family=family, level=family.share())
        family = family.after(found.spent)
        assert found.verdicts[0].line
    assert 0 < family.left < 1e-16


def test_all_looks_are_paid() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    sides = [
        Evidence.of_classes(
            name=name,
            rows=np.arange(300),
            truth=truth,
            probability=np.eye(2)[np.where(rng.random(300) < 0.8, truth, 1 - truth)],
        )
        for name in ("b", "a")
    ]
    found = judge(sides[:1], sides[1], family=Family(name="rows"), level=0.04, spend=[0.9], paid=[1.0])
    assert found.verdicts[0].level == pytest.approx(0.036)
    assert found.spent == pytest.approx(0.04)
    assert Round.from_dict(found.to_dict()) == found
    forged = found.to_dict() | {"paid": [0.5]}
    with pytest.raises(RatchetError, match="must be at the level"):
        Round.from_dict(forged)
