"""Leaks: what a random split of this very table would claim, and what is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ratchet.checks.baseline_scores import BaselineScores, accuracy, baseline_scores, why_not_fittable
from ratchet.checks.context import Context, Mask, Samples, percent
from ratchet.checks.duplicates import random_split
from ratchet.checks.finding import Finding, patch
from ratchet.metrics.metrics import Score
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows
from ratchet.text.dates import moments

GIVES = ("leaks.naive_split",)
LEAK_WARNING = 0.01
LATEST = 0.8


@dataclass(frozen=True, kw_only=True)
class NaiveSplit:
    """What a random 80/20 split of the raw rows does.

    Attributes:
        test_rows: rows of its test part.
        leaked_rows: those whose text, normalised, is also in its train part.
        near_rows: further ones with a near-duplicate there.
        model: name of the baseline that was scored; the scores are ``None`` where none was.
        unscored: why none was, in a few words.
        naive: accuracy on all test rows, which is what such a split would report.
        leaked: on the leaked ones.
        clean: on those with neither a copy nor a near-duplicate in train.
        honest: of the same model on the different texts of the table, each predicted by a fit on other clusters.
        ordered: of the same model on the latest fifth of them, fitted on earlier ones of other clusters; only where the
            recipe divides in time order.
    """

    test_rows: int
    leaked_rows: int
    near_rows: int
    model: str = ""
    naive: Score | None = None
    leaked: Score | None = None
    clean: Score | None = None
    honest: Score | None = None
    ordered: Score | None = None
    unscored: str = ""

    @property
    def leaked_share(self) -> float:
        """Test rows with a copy in train, as a share of all."""
        return self.leaked_rows / self.test_rows if self.test_rows else 0.0

    @property
    def near_share(self) -> float:
        """Test rows with a copy or a near-duplicate in train, as a share of all."""
        return (self.leaked_rows + self.near_rows) / self.test_rows if self.test_rows else 0.0

    @property
    def overstated(self) -> float | None:
        """By how much the naive score is above the honest one, as a fraction."""
        return None if self.naive is None or self.honest is None else self.naive.value - self.honest.value


def naive_split(dataset: Dataset, *, seed: int, config: Recipe | None = None, scored: bool = True) -> NaiveSplit:
    """Split the raw rows at random, as everybody does, and measure what that overstates.

    Args:
        dataset: the table as it was read.
        seed: of the split, the folds and the fits.
        config: the recipe, for the baseline and what counts as near; the default when absent.
        scored: also fit the baseline, six times.
    """
    return naive_split_of(Context(dataset=dataset, recipe=config or Recipe(), seed=seed, scored=scored))


def naive_split_of(context: Context) -> NaiveSplit:
    """:func:`naive_split` of a table under check, computed once."""
    return context.kept(_split)


def _split(context: Context) -> NaiveSplit:
    rows = np.flatnonzero(context.groups >= 0).astype(np.int64)
    train, test = random_split(rows, seed=context.seed)
    copied = _seen(context.groups, train=train, test=test)
    near = _seen(context.clusters, train=train, test=test) & ~copied
    plain = NaiveSplit(
        test_rows=len(test),
        leaked_rows=int(copied.sum()),
        near_rows=int(near.sum()),
        unscored=why_not_fittable(context) if context.scored else "no model was wanted",
    )
    scores = baseline_scores(context)
    return plain if scores is None else _scored(context, scores, plain)


def check(context: Context) -> Iterator[Finding]:
    """The naive split as a finding."""
    found = naive_split_of(context)
    if found.leaked_rows + found.near_rows == 0:
        return
    overstated = found.overstated
    disjoint = found.naive is not None and found.honest is not None and found.naive.low > found.honest.high
    claim = f" No model was scored: {found.unscored}." if found.unscored else ""
    if found.naive and found.honest:
        claim += f" There {found.model} scores {_figure(found.naive)}"
        leaked = [f"{_figure(found.leaked)} on rows with a copy in train"] if found.leaked else []
        clean = [f"{_figure(found.clean)} on clean rows"] if found.clean else []
        claim += f" ({', '.join(leaked + clean)})" if leaked or clean else ""
        claim += f"; on texts that it has not seen, {_figure(found.honest)}"
        claim += (
            f", and on the latest fifth, fitted on the earlier ones, {_figure(found.ordered)}."
            if found.ordered
            else "."
        )
    yield context.finding(
        "leaks.naive_split",
        severity="error" if disjoint else "warning" if found.near_share >= LEAK_WARNING else "note",
        message=f"A random 80/20 split puts {percent(found.leaked_share)} of its test rows into train as copies, "
        f"{percent(found.near_share)} with near-duplicates.{claim}",
        why="Such a split overstates what a model can do on new texts"
        + (f", here by {100 * overstated:.1f} points." if overstated is not None and overstated > 0 else "."),
        positions=found.leaked_rows + found.near_rows,
        fix=patch({"prepare": {"duplicates": "drop"}, "split": {"near": True}}),
        samples=Samples(at=()),
    ).among(found.test_rows)


def _figure(score: Score) -> str:
    return f"{100 * score.value:.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def _seen(groups: Rows, *, train: Rows, test: Rows) -> Mask:
    """Which test rows have their group in train too."""
    inside = np.zeros(int(groups.max(initial=0)) + 1, bool)
    inside[groups[train]] = True
    return inside[groups[test]]


def _scored(context: Context, scores: BaselineScores, plain: NaiveSplit) -> NaiveSplit:
    """The split again on the rows that a model can be fitted on, with scores."""
    places = np.arange(len(scores.rows))
    train, test = random_split(places, seed=context.seed)
    if len(np.unique(scores.truth[scores.pair[train]])) < 2:
        return replace(plain, unscored="train has one label only")
    asked, back = np.unique(scores.pair[test], return_inverse=True)
    predicted = scores.fitted(scores.pair[train], asked=asked)[back]
    right = predicted == scores.truth[scores.pair[test]]
    groups, clusters = context.groups[scores.rows], context.clusters[scores.rows]
    copied = _seen(groups, train=train, test=test)
    near = _seen(clusters, train=train, test=test)
    return replace(
        plain,
        model=scores.spec.name,
        naive=accuracy(right),
        leaked=accuracy(right[copied]),
        clean=accuracy(right[~near]),
        honest=accuracy(scores.out_of_fold.argmax(axis=1) == scores.truth),
        ordered=_in_order(context, scores) if context.recipe.split.order == "time" else None,
    )


def _in_order(context: Context, scores: BaselineScores) -> Score | None:
    """The score on the latest fifth of the pairs; ``None`` where there are not enough times or labels for one."""
    time = context.dataset.roles.time
    if time is None:
        return None
    seconds = moments(context.dataset.table.column(time)).seconds[scores.first]
    known = np.flatnonzero(~np.isnan(seconds))
    if not len(known):
        return None
    late = seconds[known] > np.quantile(seconds[known], LATEST)
    earlier, latest = known[~late], known[late]
    earlier = earlier[~np.isin(scores.unit[earlier], scores.unit[latest])]
    if not len(latest) or len(np.unique(scores.truth[earlier])) < 2:
        return None
    return accuracy(scores.fitted(earlier, asked=latest) == scores.truth[latest])
