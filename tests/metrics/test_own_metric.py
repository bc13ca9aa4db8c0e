"""Metrics of the user's own: what the function gets, what it may return, and a test that does not promote by chance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.metrics import own_examples

from ratchet.errors import RecipeError
from ratchet.gate.verdict import Claim, compare
from ratchet.metrics.evidence import Evidence
from ratchet.metrics.metrics import find_metric, named, score
from ratchet.metrics.own_function import divided, known_as
from ratchet.metrics.own_metric import CALLS, Case, OwnValue, Parts

OWN = "tests.metrics.own_examples:"


def classes(name: str, *, n: int = 300, right: float = 0.7, seed: int = 0, unit: bool = False) -> Evidence:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 2
    said = np.where(np.random.default_rng(seed).random(n) < right, truth, 1 - truth)
    shares = np.full((n, 2), 0.2)
    shares[np.arange(n), said] = 0.8
    country = np.array(["de", "fr", "it"], dtype=object)[np.random.default_rng(9).integers(0, 3, n)]
    del rng
    return replace(
        Evidence.of_classes(
            name=name, rows=np.arange(n), truth=truth, probability=shares, unit=np.arange(n) // 3 if unit else None
        ),
        labels=("0", "1"),
        features={"country": country},
    )


def test_the_function_gets_names_probabilities_and_features() -> None:
    evidence = classes("a")
    right = evidence.truth == evidence.predicted
    assert score(evidence, OWN + "share_right").value == right.mean()
    assert score(evidence, OWN + "sure").value == pytest.approx(np.where(right, 0.8, 0.2).mean())
    german = evidence.features["country"] == "de"
    assert score(evidence, OWN + "of_german").value == right[german].mean()
    part = evidence.on(np.array([5, 3, 1]))
    assert part.features["country"].tolist() == evidence.features["country"][[5, 3, 1]].tolist()


def test_less_may_be_better() -> None:
    evidence = classes("a")
    found = score(evidence, OWN + "cost:min")
    plain = own_examples.cost(evidence.truth.astype(str), evidence.predicted.astype(str))
    assert (found.value, found.shown[0]) == (-plain, plain)
    assert found.line.startswith("tests.metrics.own_examples:cost:min ")
    assert {metric.sign for metric in named(OWN + "cost:min")} == {-1}
    assert divided("m:f:max") == ("m:f", "max")
    verdict = compare(classes("b", right=0.9, seed=1), evidence, [OWN + "cost:min"])
    assert verdict.outcome == "better"
    assert "+ is better" in verdict.line


def test_sets_and_numbers_are_given_as_such() -> None:
    member = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    labels = Evidence(
        name="a",
        rows=np.arange(3),
        targets={"labels": member},
        outcomes={"membership": np.array([[0.9, 0.1], [0.5, 0.2], [0.1, 0.7]])},
        labels=("x", "y"),
    )
    assert score(labels, OWN + "found").value == 2 / 3
    assert Case.of(labels).given.tolist() == [{"x"}, {"x"}, {"y"}]
    values = Evidence(
        name="a", rows=np.arange(3), targets={"value": np.arange(3.0)}, outcomes={"value": np.array([0.0, 2.0, 4.0])}
    )
    assert score(values, OWN + "error:min").value == -1
    with pytest.raises(RecipeError, match="must not need probabilities, which a number has none of"):
        score(values, OWN + "sure")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("raises", "'tests.metrics.own_examples:raises' must give a number for 30 rows but failed: KeyError: 'what'"),
        ("leaves", "must give a number for 30 rows but failed: SystemExit: 3"),
        ("nan", "must return one finite number for 30 rows but returned nan"),
        ("text", "must return one finite number for 30 rows but returned str '0.5'"),
        ("array", r"must return one finite number for 30 rows but returned ndarray '\[1. 1. 1.\]'"),
        ("nothing", "but returned NoneType"),
        ("truth", "but returned bool"),
        ("three", "may take probability and rows, but needs right, given, weights"),
        ("number", "must be a function but is int"),
        (
            "absent",
            r"must be a function of tests\.metrics\.own_examples \(.*own_examples\.py\) but that has the functions ",
        ),
    ],
)
def test_every_mistake_names_the_function_and_what_it_gave(function: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        compare(classes("b", n=30), classes("a", n=30, seed=1), [OWN + function])


def test_a_module_that_cannot_be_imported_is_said_with_the_way_to_find_it() -> None:
    with pytest.raises(RecipeError, match="No module named 'not_there_at_all'") as caught:
        score(classes("a"), "not_there_at_all:f")
    assert "PYTHONPATH" in str(caught.value.next_step)


def test_a_mean_as_an_own_metric_is_told_as_the_mean_is() -> None:
    """Against Student's t and Wilson's interval, which know that it is a mean."""
    a, b = classes("b", right=0.8, seed=3), classes("a", right=0.7, seed=4)
    own, known = (compare(a, b, [name]).findings[0] for name in (OWN + "share_right", "accuracy"))
    assert own.estimate == pytest.approx(known.estimate)
    assert known.p / 3 < own.p < known.p * 6 + 0.01
    assert own.low == pytest.approx(known.low, abs=0.02)
    first, second = (score(a, name) for name in (OWN + "share_right", "accuracy"))
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=0.012)


def test_the_function_is_called_as_often_as_is_said() -> None:
    own_examples.CALLS.clear()
    compare(classes("b", seed=1), classes("a"), [OWN + "share_right"])
    assert len(own_examples.CALLS) <= CALLS + 2


def test_units_are_drawn_whole_and_widen_the_interval() -> None:
    evidence = classes("a", unit=True)
    parts = Parts.of(evidence, None)
    assert parts.groups == 100
    drawn = parts.drawn(np.random.default_rng(0)).reshape(-1, 3)
    assert (drawn // 3 == drawn[:, :1] // 3).all()
    assert len({*parts.flipped(np.random.default_rng(0)).reshape(-1, 3).sum(axis=1)} - {0, 3}) == 0
    alike = np.repeat(np.random.default_rng(1).random(100) < 0.7, 3)
    truth = evidence.truth
    said = np.where(alike, truth, 1 - truth)
    shares = np.eye(2)[said]
    apart, together = (
        score(
            replace(evidence, outcomes={"probability": shares}, unit=unit),
            OWN + "share_right",
        )
        for unit in (None, evidence.unit)
    )
    assert together.high - together.low == pytest.approx(3**0.5 * (apart.high - apart.low), rel=0.2)
    a = replace(evidence, outcomes={"probability": shares})
    b = classes("b", unit=True, right=0.5, seed=5)
    own, known = (compare(a, b, [name]).findings[0] for name in (OWN + "share_right", "accuracy"))
    assert own.units == known.units == 100
    assert own.low == pytest.approx(known.low, abs=0.04)


def test_many_rows_are_left_out_in_groups_whose_influence_is_that_of_the_rows() -> None:
    a, b = classes("b", n=1_000, right=0.8, seed=3), classes("a", n=1_000, right=0.7, seed=4)
    setting = [Claim(metric=OWN + "share_right")]
    one, by = compare(a, b, setting).findings[0], compare(a, b, ["accuracy"]).findings[0]
    assert one.high - one.low == pytest.approx(by.high - by.low, rel=0.2)
    parts = Parts.of(replace(a, fold=np.arange(1_000) % 4), np.arange(1_000) % 4)
    assert parts.groups == 200
    for number in range(200):
        assert len(np.unique(np.flatnonzero(parts.group == number) % 4)) == 1


def test_one_row_or_a_class_that_is_not_there_proves_nothing() -> None:
    assert compare(classes("b", n=1), classes("a", n=1, right=0.0), [OWN + "share_right"]).outcome != "better"
    few = classes("a", n=9)
    lonely = replace(few, targets={"truth": np.array([1, *[0] * 8])})
    verdict = compare(
        replace(lonely, name="b", outcomes=classes("x", n=9, seed=2).outcomes), lonely, [OWN + "needs_both"]
    )
    assert verdict.outcome == "undecided"
    assert "has no value on parts of these rows" in verdict.line


def test_equally_good_ones_are_called_better_in_a_twentieth_at_most() -> None:
    """A smaller form of the rows in benchmarks/gate_tasks.py: 120 pairs of 60 rows by a metric that jumps."""
    promoted = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        truth, hard = rng.integers(0, 2, 60), rng.normal(size=60)
        sides = []
        for name in "ba":
            share = 1 / (1 + np.exp(-(2 * truth - 1 + hard + rng.normal(size=60))))
            side = Evidence.of_classes(
                name=name, rows=np.arange(60), truth=truth, probability=np.stack([1 - share, share], axis=1)
            )
            sides.append(replace(side, labels=("0", "1")))
        promoted += compare(sides[0], sides[1], [OWN + "cost:min"], seed=seed).promotes
    assert promoted <= 11  # of 120 at 5 %: 6 expected, 11 with two standard errors


def test_an_edited_function_is_another_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "edited_metric.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    path.write_text("def f(right, given):\n    return 1.0\n", encoding="utf-8")
    before = known_as("edited_metric:f:min")
    assert before.startswith("edited_metric:f:min@")
    assert known_as("edited_metric:f:min") == before
    path.write_text("def f(right, given):\n    return 2.0\n", encoding="utf-8")
    assert known_as("edited_metric:f:min") != before
    assert known_as("accuracy") == "accuracy"


def test_it_is_imported_when_it_is_asked_for_a_value_only() -> None:
    assert named("no_such_module_here:f:min")[0].sign == -1
    with pytest.raises(RecipeError):
        OwnValue.of("no_such_module_here:f")
    generated = Evidence(name="a", rows=np.arange(2), targets={}, outcomes={"m:f:min": np.array([-1.0, -3.0])})
    assert find_metric("m:f:min", generated).seeds
    assert score(generated, "m:f:min").shown[0] == 2
