from __future__ import annotations

import math

import numpy as np
import pytest

from ratchet.errors import DataError
from ratchet.labels.extrapolate import Curve, extrapolate, forms, luck

SIZES = np.array([80, 160, 320, 560, 800])


def simulated(truth, *, seed: int, rows: float = 0.01, model: float = 0.01, draws: int = 5, blocks: int = 10) -> Curve:
    """Scores with luck of a fold's model, of a block of rows, and of a model on a block, as fresh samples would have."""
    rng = np.random.default_rng(seed)
    fold = np.arange(blocks) // 2
    own = rng.normal(0, model, (draws, blocks // 2, len(SIZES)))[:, fold]
    level = rng.normal(0, 3 * rows, (1, blocks, 1)) + rng.normal(0, rows, (1, blocks, len(SIZES)))
    noise = own + level + rng.normal(0, rows, (draws, blocks, len(SIZES)))
    return Curve(sizes=SIZES, scores=truth(SIZES) + noise, fold=fold)


TRUTHS = {
    "power": lambda n: 0.95 - 2.0 * n**-0.5,
    "slow power": lambda n: 1.1 - 0.9 * n**-0.12,
    "exponential": lambda n: 0.9 - 0.3 * np.exp(-n / 400),
    "logarithm": lambda n: 0.4 + 0.05 * np.log(n),
    "nothing": lambda n: 0.8 + 0.0 * n,
}


@pytest.mark.parametrize("name", TRUTHS)
def test_interval_holds_the_true_gain(name: str) -> None:
    truth, inside, trials = TRUTHS[name], 0, 60
    for seed in range(trials):
        found = extrapolate(simulated(truth, seed=seed), now=1000, ceiling=1.0, seed=seed, samples=800).gain(1000)
        inside += found.low <= float(truth(np.array(2000.0)) - truth(np.array(1000.0))) <= found.high
    # Nominal 95 %: 60 trials below 51 would have a chance of 5e-4 at 95 %.
    assert inside >= 51


def test_estimate_finds_a_power_law() -> None:
    truth = TRUTHS["power"]
    found = extrapolate(simulated(truth, seed=1, rows=1e-4, model=1e-4), now=800)
    assert found.gain(800).estimate == pytest.approx(float(truth(1600.0) - truth(800.0)), abs=0.002)
    assert found.level_at(800)[0] == pytest.approx(float(truth(800.0)), abs=0.001)


def test_intervals_widen_with_distance() -> None:
    found = extrapolate(simulated(TRUTHS["power"], seed=3), now=1000)
    gains = [found.gain(more) for more in (100, 300, 1000, 3000, 10_000)]
    widths = [gain.high - gain.low for gain in gains]
    assert widths == sorted(widths)
    assert widths[-1] > 1.3 * widths[0]


def test_says_what_cannot_be_told() -> None:
    found = extrapolate(simulated(TRUTHS["power"], seed=3, rows=0.001, model=0.001), now=1000)
    assert found.gain(1000).reason == ""
    assert "4.1 times" in found.gain(3_100).reason
    noisy = extrapolate(simulated(TRUTHS["nothing"], seed=3, rows=0.1, model=0.1), now=1000)
    assert noisy.gain(1000).reason == "the interval holds both nothing and a lot"
    quiet = extrapolate(simulated(TRUTHS["nothing"], seed=3, rows=0.0005, model=0.0005), now=1000)
    assert quiet.gain(1000).reason == ""
    assert quiet.gain(1000).high < 0.02


def test_no_score_beyond_the_ceiling() -> None:
    found = extrapolate(simulated(lambda n: 0.5 + 0.07 * np.log(n), seed=5), now=1000, ceiling=1.0)
    assert max(found.level_at(10**6)) <= 1.0
    assert max(extrapolate(simulated(lambda n: 0.5 + 0.07 * np.log(n), seed=5), now=1000).level_at(10**6)) > 1.0


def test_luck_is_the_variance_of_fresh_samples() -> None:
    rng = np.random.default_rng(0)
    share = SIZES / SIZES[-1]
    fold, found = np.arange(10) // 2, []
    for _ in range(200):
        # A sample of a share f of the rows differs from the whole with variance (1 - f) / f times that of the whole.
        spread = 0.02 * np.sqrt((1 - share) / share)
        own = (rng.normal(0, 1, (5, 5, len(SIZES))) * spread)[:, fold]
        scores = own + rng.normal(0, 0.02, (5, 10, len(SIZES)))
        found.append(luck(Curve(sizes=SIZES, scores=scores, fold=fold)))
    assert math.sqrt(np.mean(found)) == pytest.approx(0.02, rel=0.15)


def test_forms_rise_and_agree_with_their_formulas() -> None:
    values = forms(np.array([0.5, 1.0, 2.0]))
    assert (np.diff(values, axis=1) > 0).all()
    assert values[-1] == pytest.approx(np.log([0.5, 1.0, 2.0]))
    assert values[0] == pytest.approx(-(np.array([0.5, 1.0, 2.0]) ** -0.1))


def test_same_seed_same_answer() -> None:
    curve = simulated(TRUTHS["power"], seed=2)
    assert extrapolate(curve, now=1000, seed=4).gain(500) == extrapolate(curve, now=1000, seed=4).gain(500)


def test_refuses_what_is_too_little() -> None:
    curve = simulated(TRUTHS["power"], seed=2)
    with pytest.raises(DataError, match="3 draws"):
        extrapolate(Curve(sizes=SIZES, scores=curve.scores[:2], fold=curve.fold), now=1000)
    with pytest.raises(DataError, match="3 sizes"):
        extrapolate(Curve(sizes=SIZES[:2], scores=curve.scores[:, :, :2], fold=curve.fold), now=1000)


def plateau(begin: int, *, seed: int) -> Curve:
    """A curve that lies at 0.8 until a size, and rises by 0.04 at each size from then on."""
    rise = 0.04 * np.maximum(np.arange(len(SIZES)) - begin + 1, 0)
    curve = simulated(lambda n: 0.8 + rise, seed=seed, rows=0.002, model=0.002)
    return Curve(sizes=SIZES, scores=curve.scores, fold=curve.fold)


def test_a_curve_that_has_not_begun_tells_nothing() -> None:
    curve = plateau(len(SIZES), seed=1)
    floor = np.full(10, 0.8) + (curve.scores.mean(axis=(0, 2)) - curve.scores.mean())
    lost = extrapolate(curve, now=1000, floor=floor, ceiling=1.0).gain(500)
    assert "hardly beats the answer that is always the same" in lost.reason
    assert lost.high == pytest.approx(0.2, abs=0.01)
    blind = extrapolate(curve, now=1000, ceiling=1.0).gain(500)
    assert blind.high < 0.05


def test_sizes_at_the_floor_are_left_out() -> None:
    curve = plateau(2, seed=1)
    floor = np.full(10, 0.8) + (curve.scores.mean(axis=(0, 2)) - curve.scores.mean())
    found = extrapolate(curve, now=800, floor=floor, ceiling=1.0)
    assert found.begun
    alone = Curve(sizes=SIZES[1:], scores=curve.scores[:, :, 1:], fold=curve.fold)
    assert found.gain(400) == extrapolate(alone, now=800, ceiling=1.0).gain(400)
