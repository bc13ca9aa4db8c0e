"""Online error levels: they add up, a win hands its level on, and fifty useless challengers rarely win."""

import numpy as np
import pytest

from ratchet.family import Family, share
from ratchet.metrics import Evidence
from ratchet.verdict import compare


def test_the_shares_never_exceed_one() -> None:
    total = sum(share(j) for j in range(1, 200_001))
    assert total < 1
    assert total == pytest.approx(1, abs=2e-3)


def test_levels_without_a_win_stay_within_alpha() -> None:
    family, spent = Family(name="rows"), 0.0
    for _ in range(200):
        spent += family.level
        family = family.after(promoted=False)
    assert spent < 0.05


def test_a_win_hands_its_level_to_the_next_challenge() -> None:
    family = Family(name="rows")
    after_win, after_loss = family.after(promoted=True), family.after(promoted=False)
    assert after_win.level == pytest.approx(after_loss.level + family.level)
    assert after_win.number == 2


def test_levels_of_a_winning_streak_never_exceed_alpha() -> None:
    family = Family(name="rows", promoted=(True,) * 100)
    assert family.level <= 0.05


def _useless_family(seed: int, n: int, challengers: int) -> bool:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 2, size=n)
    hard = generator.normal(size=n)

    def model(name: str) -> Evidence:
        right = hard + generator.normal(size=n) > -1.2
        return Evidence(
            name=name, rows=np.arange(n), truth=truth, probability=np.eye(2)[np.where(right, truth, 1 - truth)]
        )

    champion, family = model("champion"), Family(name="rows")
    for _ in range(challengers):
        if compare(model("challenger"), champion, family=family).promotes:
            return True
        family = family.after(promoted=False)
    return False


def test_fifty_useless_challengers_promote_one_in_at_most_five_percent_of_runs() -> None:
    promoted = sum(_useless_family(seed, 400, 50) for seed in range(120))
    assert promoted <= 12  # P(more than 12 of 120) is 0.6 % at a true rate of 5 %
