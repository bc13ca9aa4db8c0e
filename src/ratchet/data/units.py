"""Which rows must stay in one part: copies, near-copies and rows of one group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ratchet.config import SplitConfig
from ratchet.data.duplicates import (
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
from ratchet.data.table import Dataset, Rows

CHAIN_SHARE = 0.01
CHAIN_TEXTS = 20  # a chain this short hurts no split, whatever its share
_STEP, _LAST = 0.1, 0.9


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
    """
    unique, _, member = unique_texts(dataset.texts)
    ngram = loose_ngram(unique)
    threshold, notes = config.near_threshold, []
    tied = exact_groups(unique, form=same_words_of)
    if config.near:
        loose, threshold = _loose(unique, ngram=ngram, threshold=threshold)
        strict, skipped = near_components(unique, ngram=NGRAM, threshold=THRESHOLD)
        tied = united(united(tied, loose), strict)
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
    unit = tied[member]
    if dataset.roles.group is not None:
        unit = united(unit, _grouped(dataset.column(dataset.roles.group)))
    return Units(unit=renumbered(unit), ngram=ngram, threshold=threshold, notes=tuple(notes))


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


def _grouped(values: list[str | None]) -> Rows:
    """A number for each row, equal for equal values; a missing value is a group of its own."""
    return exact_groups((f"\0{row}" if value is None else value for row, value in enumerate(values)), form=str)
