"""Which rows must stay in one part: copies, near-copies and rows of one group."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ratchet.near.copies import (
    NGRAM,
    THRESHOLD,
    exact_groups,
    loose_ngram,
    near_components,
    renumbered,
    same_words_of,
    unique_texts,
    united,
)
from ratchet.recipe.sections import SplitConfig
from ratchet.tables.dataset import Dataset
from ratchet.text.columns import Rows

CHAIN_SHARE = 0.01
CHAIN_TEXTS = 20  # a chain this short hurts no split, whatever its share
_STEP, _LAST = 0.1, 0.9
_FINER = (0.8, 0.9, None)
"""Similarities from which texts of a template are tied, where they would be all of one part; none: one wording alone."""
TEMPLATE = 0.5
"""Share of the different texts beyond which near-duplicates are taken for texts of one template."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Units:
    """A number for each row, equal for rows that must stay together; numbered from 0 by first appearance.

    ``threshold`` is the similarity from which texts were tied, over n-grams of ``ngram`` characters.
    """

    unit: Rows
    ngram: int
    threshold: float
    notes: tuple[str, ...] = ()


def units(dataset: Dataset, *, config: SplitConfig) -> Units:
    """Tie rows of one wording, near-duplicates (if ``config.near``) and rows with an equal group value together.

    Near-duplicates are tied twice: as the check finds them (trigrams, .7), always; and more loosely, from
    ``config.near_threshold`` over bigrams (4-grams outside Chinese, Japanese and Korean), since an edited copy that the
    check lets pass still lends its label. Chains of merely alike sentences can tie half a table into one unit by the
    looser rule; when a chain ties more than 1 % of the different texts, the loose threshold rises in steps of .1 until it does
    not, and a note says so. A table that is one cluster even at .9 keeps the threshold it was given.

    Texts made from a template, which differ in a number or a name, can be more than half of the table or all of a label, or
    leave fewer units than there are parts. Such units of more than 20 texts are divided by a finer measure (trigrams from
    .8, then .9, then one wording), and a note says so: else the table could not be divided at all.
    """
    unique, _, member = unique_texts(dataset.texts)
    tied = _tied(unique, config=config)
    group = None if dataset.roles.group is None else _grouped(dataset.column(dataset.roles.group))

    def of_rows(text_unit: Rows) -> Rows:
        return text_unit[member] if group is None else united(text_unit[member], group)

    unit, notes = of_rows(tied.unit), list(tied.notes)
    stuck = _undividable(unit, dataset, parts=config.folds + 1)
    stuck = stuck[[len(np.unique(member[unit == number])) > CHAIN_TEXTS for number in stuck]]
    if config.near and len(stuck):
        texts, finer, at = tied.unit, unit, None
        for at in _FINER:
            again = np.unique(member[np.isin(unit, stuck)])
            texts = _divided(texts, unique, again, threshold=at)
            finer = of_rows(texts)
            if not len(_undividable(finer, dataset, parts=config.folds + 1)):
                break
        if int(finer.max()) > int(unit.max()):
            notes.append(_template_note(dataset, unit=unit, stuck=stuck, threshold=at))
            unit = finer
    return replace(tied, unit=renumbered(unit), notes=tuple(notes))


def _tied(unique: list[str], *, config: SplitConfig) -> Units:
    """The different texts that are tied by their words, or by being alike; units of texts, not of rows."""
    ngram, threshold = loose_ngram(unique), config.near_threshold
    unit = exact_groups(unique, form=same_words_of)
    notes = []
    if config.near:
        loose, threshold = _loose(unique, ngram=ngram, threshold=threshold)
        strict, skipped = near_components(unique, ngram=NGRAM, threshold=THRESHOLD)
        unit = united(united(unit, loose), strict)
        if threshold != config.near_threshold:
            notes.append(
                f"Chains of alike texts tie more than {CHAIN_SHARE:.0%} of the texts together at a similarity of "
                f"{config.near_threshold:g}; texts stay in one part from {threshold:g} on instead."
            )
        if skipped:
            notes.append(
                f"So many texts share a boilerplate that {skipped:,} pairs were not compared one by one; a few "
                "near-duplicates among them may be in different parts."
            )
    return Units(unit=unit, ngram=ngram, threshold=threshold, notes=tuple(notes))


def with_units_of_their_own(unit: Rows, more: int) -> Rows:
    """The units with ``more`` rows behind them, each a unit of its own, as given test rows are."""
    return np.append(unit, unit.max(initial=-1) + 1 + np.arange(more))


def _loose(unique: list[str], *, ngram: int, threshold: float) -> tuple[Rows, float]:
    """Components at the lowest threshold from the given one on at which no chain ties too many texts."""
    found = given = near_components(unique, ngram=ngram, threshold=threshold)[0]
    at = threshold
    while np.bincount(found).max(initial=0) > max(CHAIN_SHARE * len(unique), CHAIN_TEXTS):
        at = round(at + _STEP, 10)
        if at > _LAST:
            return given, threshold
        found = near_components(unique, ngram=ngram, threshold=at)[0]
    return found, at


def _undividable(unit: Rows, dataset: Dataset, *, parts: int) -> Rows:
    """Units with more than half of the rows, or all of a label; every unit of rows where there are no more than parts."""
    sizes = np.bincount(unit)
    if len(sizes) <= parts:
        return np.flatnonzero(sizes > 1)
    stuck = {int(sizes.argmax())} if sizes.max() > max(TEMPLATE * len(unit), CHAIN_TEXTS) else set()
    first: dict[str | None, int] = {}
    several: set[str | None] = set()
    for label, number in zip(dataset.labels, unit.tolist(), strict=True):
        if first.setdefault(label, number) != number:
            several.add(label)
    stuck |= {number for label, number in first.items() if label not in several and sizes[number] > 1}
    return np.array(sorted(stuck), np.int64)


def _divided(tied: Rows, unique: list[str], again: Rows, *, threshold: float | None) -> Rows:
    """The grouping of the texts with those in ``again`` tied by nothing but this similarity, or one wording."""
    texts = [unique[i] for i in again]
    own = exact_groups(texts, form=same_words_of)
    if threshold is not None:
        own = united(own, near_components(texts, ngram=NGRAM, threshold=threshold)[0])
    finer = tied.copy()
    finer[again] = tied.max(initial=-1) + 1 + own
    return renumbered(finer)


def _template_note(dataset: Dataset, *, unit: Rows, stuck: Rows, threshold: float | None) -> str:
    rows = np.flatnonzero(np.isin(unit, stuck))
    how = "of one wording" if threshold is None else f"from a similarity of {threshold:g} on"
    return (
        f"{len(rows):,} of {len(dataset):,} rows look as if made from a few templates (the first is "
        f"{dataset.place(int(rows[0]))}): they differ in little, such as a number or a name, and could not be divided. Of "
        f"them only texts {how} stay in one part, so near-copies of test rows are in train: the score holds for further "
        "texts of these templates, not for new ones."
    )


def _grouped(values: list[str | None]) -> Rows:
    """A number for each row, equal for equal values; a missing value is a group of its own."""
    return exact_groups((f"\0{row}" if value is None else value for row, value in enumerate(values)), form=str)
