from __future__ import annotations

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.guard.challenge import Side, challenge


def scores(rng: np.random.Generator, attack: np.ndarray, *, strength: float) -> np.ndarray:
    return np.asarray(rng.normal(size=len(attack)) + strength * attack)


@pytest.fixture
def attack() -> np.ndarray:
    return np.arange(12_000) < 600


def test_a_stronger_guard_is_better_and_a_weaker_one_worse(attack: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    strong = Side(name="strong", scores=scores(rng, attack, strength=4))
    weak = Side(name="weak", scores=scores(rng, attack, strength=2))
    assert challenge(strong, weak, attack=attack).promotes
    back = challenge(weak, strong, attack=attack)
    assert (back.promotes, back.outcome) == (False, "worse")


def test_scales_of_scores_do_not_matter(attack: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    own = scores(rng, attack, strength=2)
    other = scores(rng, attack, strength=4)
    assert challenge(Side(name="b", scores=np.exp(other)), Side(name="a", scores=own * 100), attack=attack).promotes


def test_equally_good_guards_are_seldom_called_better() -> None:
    attack = np.arange(2200) < 200
    wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        sides = [Side(name=name, scores=scores(rng, attack, strength=2)) for name in "ab"]
        wrong += challenge(sides[0], sides[1], attack=attack, seed=seed).promotes
    assert wrong <= 8


def test_a_guard_that_flags_everything_beyond_its_calibration_is_not_better() -> None:
    attack = np.arange(2000) < 400
    rng = np.random.default_rng(3)
    champion = Side(name="old", scores=scores(rng, attack, strength=3))
    benign = np.random.default_rng(0).permutation(np.flatnonzero(~attack))
    cheating = np.ones(2000)
    cheating[benign[: len(benign) // 2]] = 0.0
    assert challenge(Side(name="new", scores=cheating), champion, attack=attack).outcome == "worse"


@pytest.mark.parametrize(("n", "attack"), [(3, [True, False]), (2, [True, False]), (3, [False, False, False])])
def test_rows_that_do_not_fit_are_refused(n: int, attack: list[bool]) -> None:
    with pytest.raises(DataError):
        challenge(Side(name="b", scores=[0.1] * n), Side(name="a", scores=[0.2] * n), attack=attack)
