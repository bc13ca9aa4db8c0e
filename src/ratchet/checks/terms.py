"""The terms of a table's texts, and how often each label has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ratchet.checks.context import Context, tallied
from ratchet.near.copies import normalise, representatives
from ratchet.text.columns import Rows
from ratchet.text.terms import Ids, tokens_of
from ratchet.workspace.lazy import once

MOST = 50_000


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledTerms:
    """The terms of the different texts of a table, or of a sample of them.

    Attributes:
        unit: ``pair`` where most occurrences are pairs of characters, else ``word``.
        rows: position of the first row of each text.
        label: number of each text's label, -1 where missing.
        names: the terms.
        term: the term of each occurrence.
        text: the text of each occurrence.
        tokens: words and characters in all texts; ``different_tokens`` of them differ.
        pair: a number for each two neighbouring tokens, equal for equal ones.
        pair_text: the text of each such pair.
    """

    unit: Literal["word", "pair"]
    rows: Rows
    label: Rows
    labels: tuple[str, ...]
    names: list[str]
    term: Ids
    text: Ids
    tokens: int
    different_tokens: int
    pair: Rows
    pair_text: Ids

    @classmethod
    def of(cls, context: Context, *, most: int = MOST) -> LabelledTerms:
        """The terms of up to ``most`` different texts, drawn at random where there are more."""
        first = representatives(context.groups)
        if len(first) > most:
            first = np.sort(np.random.default_rng(context.seed).choice(first, most, replace=False))
        tokens = tokens_of([normalise(text) for text in context.texts.some(context.texts.member[first])])
        terms, pairs = tokens.terms(), tokens.pairs()
        return cls(
            unit="pair" if 2 * np.count_nonzero(terms.term >= terms.first_pair) > len(terms.term) else "word",
            rows=first.astype(np.int64),
            label=context.labels.member[first],
            labels=context.labels.values,
            names=terms.names,
            term=terms.term,
            text=terms.text,
            tokens=len(tokens.token),
            different_tokens=len(tokens.names),
            pair=pairs.code,
            pair_text=pairs.text,
        )

    @once
    def different_pairs(self) -> int:
        """How many of the neighbouring pairs differ."""
        return len(tallied(self.pair)[0])

    @once
    def documents(self) -> tuple[Ids, Ids]:
        """Each term once per text: (texts, terms), sorted by text."""
        width = max(len(self.names), 1)
        keys, _ = tallied(self.text.astype(np.int64) * width + self.term)
        return (keys // width).astype(np.int32), (keys % width).astype(np.int32)

    @once
    def frequency(self) -> Rows:
        """Texts that each term occurs in."""
        return np.bincount(self.documents[1], minlength=len(self.names))

    @once
    def label_texts(self) -> Rows:
        """Texts of each label."""
        return np.bincount(self.label[self.label >= 0], minlength=len(self.labels))

    @once
    def _by_label(self) -> tuple[Rows, Rows, Rows, Rows]:
        """(where each label begins, terms, texts of that label with the term, its occurrences there)."""
        width = max(len(self.names), 1)
        owner = self.label[self.text].astype(np.int64)
        keys, occurrences = tallied(owner * width + self.term)
        text, term = self.documents
        _, texts = tallied(self.label[text] * width + term)
        begins = np.searchsorted(keys, np.arange(len(self.labels) + 1) * width)
        return begins, keys % width, texts, occurrences

    def of_label(self, label: int) -> tuple[Rows, Rows, Rows]:
        """The terms of one label, how many of its texts have each, and how often each occurs there."""
        begins, term, texts, occurrences = self._by_label
        here = slice(begins[label], begins[label + 1])
        return term[here], texts[here], occurrences[here]
