from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from ratchet.errors import DataError
from ratchet.gate.selective import NAIVE, Choice, choose_threshold, curve, error_of, fewest, grid

REPEATS = 400
ALLOWED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPEATS)
"""A promise of 95 % and three standard errors of the simulation."""


def world(rng: np.random.Generator, n: int, *, kind: str = "sure") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences, the true probability that each answer is wrong, and whether it is right."""
    confidence = 0.5 + 0.5 * rng.beta(2.0, 0.6, n)
    wrong = {
        "sure": (1 - confidence) ** 1.1,  # overconfident where it matters
        "flat": np.full(n, 0.05),  # the error is the wanted rate at every threshold: a null everywhere
        "noisy": np.maximum(0.4 * (1 - confidence), np.where(confidence > 0.999, 0.08, 0.02)),  # the surest are worse
    }[kind]
    return confidence, wrong, rng.random(n) >= wrong


def true_error(choice: Choice, population: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    confidence, wrong, _ = population
    return float(wrong[confidence >= choice.threshold].mean()) if choice.threshold is not None else 0.0


@pytest.mark.parametrize(("kind", "error"), [("sure", 0.02), ("sure", 0.1), ("flat", 0.0499), ("noisy", 0.03)])
def test_the_promise_is_broken_in_at_most_one_of_twenty_draws(kind: str, error: float) -> None:
    rng = np.random.default_rng(5)
    population = world(rng, 400_000, kind=kind)
    broken, found = 0, 0
    for _ in range(REPEATS):
        confidence, _, right = world(rng, 1_500, kind=kind)
        choice = choose_threshold(confidence, right, error=error)
        broken += true_error(choice, population) > error
        found += choice.threshold is not None
    assert broken <= ALLOWED * REPEATS, (broken, found)
    if kind == "sure":
        assert found > 0.7 * REPEATS, "it must not keep its promise by answering nothing"


def test_rows_of_one_unit_are_one_draw() -> None:
    """Eight rows a unit with one fate: taken for independent rows they break the promise, one of each unit keeps it."""
    rng = np.random.default_rng(8)
    population = world(rng, 400_000, kind="flat")
    broken = {"units": 0, "rows": 0}
    for _ in range(REPEATS):
        confidence, _, right = (np.repeat(side, 8) for side in world(rng, 400, kind="flat"))
        unit = np.repeat(np.arange(400), 8)
        for name, known in (("units", unit), ("rows", None)):
            broken[name] += (
                true_error(choose_threshold(confidence, right, error=0.0499, unit=known), population) > 0.0499
            )
    assert broken["units"] <= ALLOWED * REPEATS
    assert broken["rows"] > 2 * ALLOWED * REPEATS


def test_the_loosest_threshold_that_seems_to_do_breaks_the_promise() -> None:
    """What a test buys: the naive choice on the same rows is wrong about as often as not."""
    rng = np.random.default_rng(6)
    population = world(rng, 400_000)
    broken = 0
    for _ in range(100):
        confidence, _, right = world(rng, 1_500)
        seems = [point.threshold for point in curve(confidence, right, most=500) if point.error.value <= 0.05]
        broken += float(population[1][population[0] >= min(seems)].mean()) > 0.05 if seems else 0
    assert broken > 20


def test_the_choice_says_what_it_answers() -> None:
    rng = np.random.default_rng(1)
    confidence, _, right = world(rng, 4_000)
    choice = choose_threshold(confidence, right, error=0.05)
    assert choice.chosen is not None
    assert choice.threshold in grid()
    taken = confidence >= choice.threshold
    assert choice.chosen.answered.value == pytest.approx(taken.mean())
    assert choice.chosen.error is not None
    assert choice.chosen.error.value == pytest.approx((~right[taken]).mean())
    exact = binomtest(choice.chosen.wrong, int(taken.sum()))
    assert choice.p == pytest.approx(binomtest(choice.chosen.wrong, int(taken.sum()), 0.05, "less").pvalue)
    interval = exact.proportion_ci(0.95, "exact")
    assert (choice.chosen.error.low, choice.chosen.error.high) == pytest.approx((interval.low, interval.high))
    assert choice.p <= choice.level == pytest.approx(0.05 / 3)
    assert choice.naive.threshold == NAIVE
    assert "at most 5% of what is answered wrong" in choice.line
    assert choose_threshold(confidence, right, error=0.05) == choice


def test_a_stricter_promise_answers_less() -> None:
    confidence, _, right = world(np.random.default_rng(2), 8_000)
    shares = [choose_threshold(confidence, right, error=error).chosen for error in (0.02, 0.05, 0.1, 0.4)]
    known = [point.answered.value for point in shares if point is not None]
    assert len(known) == 4
    assert known == sorted(known)
    assert known[-1] == 1.0


def test_all_right_needs_enough_rows() -> None:
    level = 0.05 / 3
    few, enough = fewest(0.01, level) - 1, fewest(0.01, level)
    assert 0.99**few > level >= 0.99**enough
    for n, found in ((few, False), (enough, True)):
        choice = choose_threshold(np.full(n, 0.8), np.ones(n, bool), error=0.01)
        assert (choice.threshold is not None) == found
    short = choose_threshold(np.full(10, 0.8), np.ones(10, bool), error=0.01)
    assert short.rows_needed == enough
    assert f"at least about {enough} judged rows" in short.line


def test_all_wrong_is_for_people() -> None:
    choice = choose_threshold(np.linspace(0.5, 1, 500), np.zeros(500, bool), error=0.1)
    assert choice.threshold is None
    assert choice.rows_needed is None
    assert "more rows would not help" in choice.line
    assert choice.naive.error is not None
    assert choice.naive.error.value == 1.0


def test_no_rows_and_one_confidence() -> None:
    none = choose_threshold(np.zeros(0), np.zeros(0, bool), error=0.1)
    assert none.threshold is None
    assert none.naive.error is None
    assert none.line
    assert curve(np.zeros(0), np.zeros(0, bool)) == ()
    sure = choose_threshold(np.ones(2_000), np.ones(2_000, bool), error=0.01)
    assert sure.threshold == 0.0
    assert [point.answered.value for point in curve(np.ones(9), np.ones(9, bool))] == [1.0]


def test_the_rows_that_are_said_to_be_needed_are_about_enough() -> None:
    rng = np.random.default_rng(3)
    confidence, _, right = world(rng, 200)
    choice = choose_threshold(confidence, right, error=0.02)
    assert choice.threshold is None
    assert choice.rows_needed is not None
    assert 200 < choice.rows_needed < 20_000
    confidence, _, right = world(rng, 5 * choice.rows_needed)
    assert choose_threshold(confidence, right, error=0.02).threshold is not None


def test_every_rejection_is_where_hoeffding_holds() -> None:
    """Where the binomial tail is at most the level, the wrong rows are at most n * error - 1: the guard takes nothing away."""
    from scipy.stats import binom

    for error in (0.001, 0.01, 0.05, 0.2, 0.5):
        n = np.unique(np.geomspace(fewest(error, 0.02), 200_000, 300).astype(int))
        most = binom.ppf(0.02, n, error)
        most -= binom.cdf(most, n, error) > 0.02
        assert (most <= n * error - 1 + 1e-9).all()


@pytest.mark.parametrize("wanted", [{"error": 0.0}, {"error": 1.0}, {"error": 0.1, "confidence_level": 1.0}])
def test_a_rate_is_a_share(wanted: dict[str, float]) -> None:
    with pytest.raises(DataError, match="must be between 0 and 1 but got"):
        choose_threshold(np.array([0.5]), np.array([True]), **wanted)
    with pytest.raises(DataError, match="must be a number"):
        choose_threshold(np.array([np.nan]), np.array([True]), error=0.1)


def test_error_of_agrees_with_scipy() -> None:
    for wrong, n in ((0, 5), (5, 5), (3, 400)):
        found, interval = error_of(wrong, n), binomtest(wrong, n).proportion_ci(0.95, "exact")
        assert found is not None
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert error_of(0, 0) is None
