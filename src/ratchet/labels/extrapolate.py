"""From a learning curve to what more rows would bring: three forms averaged, resampled over the draws and over the forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ratchet.errors import DataError

Floats = npt.NDArray[np.float64]
SAMPLES = 4_000
LEVEL = 0.95
REACH = 4.0
"""Beyond so many times the rows that there are, the form that was chosen decides, and not what was measured."""
MIDDLE = (0.2, 0.8)
"""Shares of the rows at which the luck of a sample is measured: below, models are others; above, samples are the same."""
FEWEST = 3
"""Sizes that a form is fitted to at least."""
_POWERS = np.geomspace(0.1, 2.0, 12)
_LENGTHS = np.geomspace(0.1, 2.0, 10)
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Scores of one procedure at several numbers of rows, by several draws, judged on several blocks of rows."""

    sizes: npt.NDArray[np.int64]
    """(m,) training rows, ascending; each size is a share of the last, and the samples of a draw are nested."""
    scores: Floats
    """(draws, blocks, m), higher is better; the mean over the blocks is the score on all rows."""
    fold: npt.NDArray[np.int64]
    """(blocks,) blocks of one fold are judged by the same models."""

    @property
    def mean(self) -> Floats:
        """(m,) over draws and blocks."""
        mean: Floats = self.scores.mean(axis=(0, 1))
        return mean


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What more rows would bring, in the unit of the score, higher is better, with a 95 % interval."""

    rows: int
    """So many more."""
    estimate: float
    low: float
    high: float
    reason: str = ""
    """Why it cannot be told; empty: it can."""

    def to_dict(self) -> dict[str, float | int | str]:
        """Plain values for JSON."""
        return {
            "rows": self.rows,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "cannot_be_told": self.reason,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Extrapolation:
    """Curves that may be the true one, each a form with its level and slope: score(n) = level + slope * form(n)."""

    now: int
    """Rows that there are."""
    widest: int
    """The largest number of rows that was measured."""
    ceiling: float
    form: npt.NDArray[np.int64]
    """(samples,) places in `forms`."""
    level: Floats
    slope: Floats
    noise: Floats
    """(samples,) how the score of one model that is trained on the rows that there are may differ from the expected one."""
    a_lot: float
    """From this gain on more rows are worth their labels."""
    begun: bool = True
    """Whether enough sizes lie above the score of the model that learns nothing."""

    def level_at(self, rows: int) -> tuple[float, float, float]:
        """The expected score with so many rows, and its 95 % interval."""
        values = self._scores(rows)
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(np.median(values)), float(low), float(high)

    def gain(self, more: int) -> Gain:
        """What ``more`` rows would bring to the model that is trained on them, its luck with the rows included."""
        true = self._scores(self.now + more) - self._scores(self.now)
        times = (self.now + more) / self.now
        # The rows that there are stay among them: as for means of nested samples, the variance is that of one less the other.
        low, high = np.quantile(true + math.sqrt(1 - 1 / times) * self.noise, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        reason = ""
        if not self.begun:
            reason = (
                "with these rows the model hardly beats the answer that is always the same, so its rise is not seen yet"
            )
            if math.isfinite(self.ceiling):
                high = max(high, self.ceiling - float(np.median(self._scores(self.now))))
        elif times > REACH:
            reason = (
                f"that would be {times:.1f} times the rows that there are, and beyond {REACH:g} times the form of the curve "
                "decides, not what was measured"
            )
        elif low <= 0 and high >= self.a_lot:
            reason = "the interval holds both nothing and a lot"
        return Gain(rows=more, estimate=float(np.median(true)), low=float(low), high=float(high), reason=reason)

    def _scores(self, rows: int) -> Floats:
        values = self.level + self.slope * forms(np.array([rows / self.widest]))[self.form, 0]
        found: Floats = np.minimum(values, self.ceiling)
        return found


def forms(x: Floats) -> Floats:
    """(forms, m) every form at the sizes ``x``, as shares of the largest: inverse power laws, exponentials, the logarithm.

    The inverse power law is that of Figueroa, Zeng-Treitler, Kandula and Ngo 2012, "Predicting sample size required for
    classification performance"; Hestness et al. 2017, "Deep learning scaling is predictable, empirically", find it too.
    Viering and Loog 2021, "The shape of learning curves: a review", compare it with the others: none always fits.
    """
    powers = -(x[None, :] ** -_POWERS[:, None])
    exponentials = -np.exp(-x[None, :] / _LENGTHS[:, None])
    return np.concatenate([powers, exponentials, np.log(x)[None, :]])


def extrapolate(
    curve: Curve,
    *,
    now: int,
    floor: Floats | None = None,
    ceiling: float = math.inf,
    a_lot: float = 0.02,
    seed: int = 0,
    samples: int = SAMPLES,
) -> Extrapolation:
    """Fit all forms to resampled draws, each fit weighted by how well it explains them.

    The mean curve is resampled over draws and over blocks of judged rows (deviations widened by the t-quantile, since there
    are few), each form is fitted to it by least squares with weights (Figueroa et al. 2012: small samples scatter more), and
    one of them is drawn by its likelihood; the three families have the same weight beforehand (model averaging after Hoeting
    et al. 1999).

    Args:
        curve: three draws, blocks and sizes at least.
        now: labelled rows that there are: gains are counted from here.
        floor: (blocks,) scores of the model that learns nothing. A curve may lie there until there are rows enough, and no
            form that only ever slows down tells when it will rise: such sizes are left out, all but the last of them.
        ceiling: the best score that there can be.
        a_lot: a gain that would be worth the labels.
        seed: of the resampling.
        samples: curves to draw.

    Raises:
        DataError: too few of them.
    """
    draws, blocks, count = curve.scores.shape
    if draws < 3 or blocks < 3 or count < 3:
        raise DataError(
            "A learning curve must have 3 sizes, 3 draws and 3 blocks of judged rows at least but has "
            f"{count}, {draws} and {blocks}.",
            next_step="Label more rows, or take more draws.",
        )
    skipped = 0 if floor is None else max(_at_floor(curve, floor) - 1, 0)
    begun = count - skipped >= FEWEST
    if begun and skipped:
        curve = Curve(sizes=curve.sizes[skipped:], scores=curve.scores[:, :, skipped:], fold=curve.fold)
    generator = np.random.default_rng(seed)
    means, variance = _resampled(curve, samples, generator=generator)
    form, level, slope = _drawn(
        means, curve.sizes / curve.sizes[-1], _smooth(variance, curve.sizes), generator=generator
    )
    return Extrapolation(
        now=now,
        widest=int(curve.sizes[-1]),
        ceiling=ceiling,
        form=form,
        level=level,
        slope=slope,
        noise=math.sqrt(luck(curve)) * generator.standard_t((draws - 1) * len(np.unique(curve.fold)), samples),
        a_lot=a_lot,
        begun=begun,
    )


def _resampled(curve: Curve, samples: int, *, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """(samples, m) mean curves as they might have been, and (m,) their variance."""
    from scipy.stats import t

    count = len(curve.sizes)
    means, variance = np.repeat(curve.mean[None, :], samples, axis=0), np.zeros(count)
    for axis in (0, 1):  # over draws and over blocks: either is a sample
        residuals = _residuals(curve.scores.mean(axis=1 - axis))
        many = len(residuals)
        quantiles = t.ppf((1 + LEVEL) / 2, [many - 1, 10**6])
        widened = math.sqrt(many / (many - 1)) * float(quantiles[0] / quantiles[1])
        means += widened * residuals[generator.integers(0, many, (samples, many))].mean(axis=1)
        variance += widened**2 * (residuals**2).sum(axis=0) / (many - 1) / many * count / (count - 1)
    return means, variance


def _at_floor(curve: Curve, floor: Floats) -> int:
    """How many sizes, from the smallest up to the largest of them, do not beat the floor at 1 %, one-sided (paired t)."""
    from scipy.stats import t

    ahead = curve.scores.mean(axis=0) - floor[:, None]
    many = len(ahead)
    error = np.maximum(ahead.std(axis=0, ddof=1) / math.sqrt(many), _TINY)
    beaten = ahead.mean(axis=0) > t.ppf(0.99, many - 1) * error
    return 0 if beaten.all() else int(np.flatnonzero(~beaten)[-1]) + 1


def _residuals(scores: Floats) -> Floats:
    """(n, m) how each differs from the mean curve, its own level apart: that moves no gain."""
    apart = scores - scores.mean(axis=0)
    found: Floats = apart - apart.mean(axis=1, keepdims=True)
    return found


def luck(curve: Curve) -> float:
    """The variance of a score at the largest size over other samples of as many rows to train on.

    Blocks of one fold are judged by the same model, so what they have in common beyond chance is its luck; the variance of the
    mean is less than it, and stands where the blocks have nothing in common. Nested samples of a share f of the same rows
    have 1 - f of the variance of fresh ones, and it falls as one over the rows.
    """
    draws = len(curve.scores)
    share = curve.sizes / curve.sizes[-1]
    middle = (share >= MIDDLE[0]) & (share <= MIDDLE[1])
    if not middle.any():
        middle = share < 1
    own = curve.scores[:, :, middle] - curve.scores[:, :, middle].mean(axis=0)
    total = (own.mean(axis=1) ** 2).sum(axis=0) / (draws - 1)
    common = []
    for fold in np.unique(curve.fold):
        inside = own[:, curve.fold == fold]
        many = inside.shape[1]
        if many > 1:
            pairs = inside.sum(axis=1) ** 2 - (inside**2).sum(axis=1)
            common.append(pairs.sum(axis=0) / (draws - 1) / (many * (many - 1)))
    fresh = share[middle] / (1 - share[middle])
    found = [float((total * fresh).mean())]
    if common:
        found.append(float((np.mean(common, axis=0) * fresh).mean()))
    return max(*found, 0.0)


def _smooth(variance: Floats, sizes: npt.NDArray[np.int64]) -> Floats:
    """(m,) standard errors of the mean curve: a straight line of log variance over log size, never rising."""
    floor = max(float(variance.mean()) / 100, _TINY)
    logs, x = np.log(np.maximum(variance, floor)), np.log(sizes / sizes[-1])
    x = x - x.mean()
    slope = min(0.0, float((x * logs).sum() / (x * x).sum()))
    error: Floats = np.exp((logs.mean() + slope * x) / 2)
    return error * math.sqrt(float(variance.mean() + _TINY) / float((error**2).mean()))


def _drawn(
    means: Floats, x: Floats, error: Floats, *, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """For each of the (samples, m) mean curves a form, drawn by its likelihood, with its level and slope."""
    basis, weights = forms(x), error**-2
    share = weights / weights.sum()
    middle = basis @ share
    centred = basis - middle[:, None]
    level = means @ share
    moment = (centred * weights) @ (means - level[:, None]).T
    slope = moment / ((centred**2) @ weights)[:, None]
    misfit = ((means[None, :, :] - level[None, :, None] - slope[:, :, None] * centred[:, None, :]) ** 2) @ weights
    family = np.array([*[len(_POWERS)] * len(_POWERS), *[len(_LENGTHS)] * len(_LENGTHS), 1], np.float64)
    chances = -misfit / 2 - np.log(family)[:, None] + generator.gumbel(size=misfit.shape)
    form = chances.argmax(axis=0)
    place = np.arange(len(means))
    return form, level - slope[form, place] * middle[form], slope[form, place]
