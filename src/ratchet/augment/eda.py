"""Easy data augmentation: random swaps, deletions, insertions and replacements of words, many texts at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.draws import Draw, Keys, Uniform, drawn, keys_of, ranks
from ratchet.augment.pieces import Ints, Mask, Pieces
from ratchet.augment.source import Source
from ratchet.augment.substitutes import Substitutes
from ratchet.augment.synonyms import worded
from ratchet.augment.wordnet import HOW, WordNet, find_wordnet
from ratchet.recipe.augment import EdaSpec
from ratchet.text.joined import SEPARATOR, parted

_BLOCK = 4096  # texts worked on at a time; bounds the memory, not the result
_MOST_COPIES = 16
"""Copies of a row of a small class: as many as the paper has for its smallest tables."""


class Eda(Augmenter[EdaSpec]):
    """Variants of each text, each by one operation on ``alpha`` of its words (at least one).

    EDA of Wei and Zou (2019, "EDA: Easy data augmentation techniques"), but inserted and replacing words come from these
    very texts (:func:`ratchet.augment.substitutes.find_substitutes`) unless ``synonyms`` names a thesaurus. A text that
    cannot bear the operation drawn gets the next one. What happens to a text depends on the seed, on the text and, through
    the substitutes, on the set of texts and labels, never on their order; nothing is drawn twice, so it always ends.
    """

    name, spec = "eda", EdaSpec
    packages = ()

    def named_by(self, spec: EdaSpec) -> object:
        """As `Augmenter.named_by`: another WordNet makes other texts."""
        if spec.synonyms != "auto":
            return spec
        folder = find_wordnet()
        return [spec, "" if folder is None else WordNet(folder).hash]

    def remark(self, spec: EdaSpec) -> str:
        """As `Augmenter.remark`: that there is no WordNet, where it is asked for."""
        if spec.synonyms != "auto" or find_wordnet() is not None:
            return ""
        return f"WordNet is not on this machine, so words are replaced by those that these texts use alike. {HOW}"

    def drafts(self, spec: EdaSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`."""
        texts = source.texts
        wording = worded(texts, source.labels, language=source.language, synonyms=spec.synonyms)
        copies, alpha = _shares(source.labels, spec)
        made: list[str | None] = []
        names: list[str] = []
        parents: list[Ints] = []
        for copy in range(int(copies.max(initial=0))):
            wanted = np.flatnonzero(copies > copy)
            for first in range(0, len(wanted), _BLOCK):
                rows = wanted[first : first + _BLOCK]
                keys = keys_of([texts[row] for row in rows.tolist()], seed=making.seed, copy=copy)
                new, done = _variants(
                    wording.pieces.take(rows), wording.substitutes, keys, alpha=alpha[rows], operations=spec.operations
                )
                made += new
                names += done
                parents.append(rows)
        parent = np.concatenate(parents) if parents else np.zeros(0, np.int64)
        return Drafts(texts=made, parent=parent, operation=names, facts=wording.facts)


def _shares(labels: Sequence[str], spec: EdaSpec) -> tuple[Ints, Uniform]:
    """(n,) copies of each row, and the share of its words that changes."""
    if not spec.by_class:
        return np.full(len(labels), spec.copies, np.int64), np.full(len(labels), spec.alpha)
    sizes = Counter(labels)
    full = max(sizes.values(), default=0) * (1 + spec.copies)
    copies = {label: max(spec.copies, min(_MOST_COPIES, round(full / rows) - 1)) for label, rows in sizes.items()}
    found = np.array([copies[label] for label in labels], np.int64)
    return found, np.where(found > spec.copies, spec.alpha / 2, spec.alpha)


def _variants(
    pieces: Pieces, substitutes: Substitutes, keys: Keys, *, alpha: Uniform, operations: Sequence[str]
) -> tuple[list[str | None], list[str]]:
    """One variant of each text, ``None`` where no operation is possible, and the operation."""
    row, start = pieces.row, pieces.start
    length, (part, first) = np.diff(start), _columns(pieces)
    size = np.diff(first)
    several = np.bincount(row[first[:-1]][size >= 2], minlength=len(length)) > 0
    able = substitutes.count[pieces.word] > 0
    replaceable = np.bincount(row[able], minlength=len(length))
    possible = {"swap": several, "delete": several, "insert": replaceable > 0, "replace": replaceable > 0}
    operation = drawn(keys, [possible[name] for name in operations])
    wanted = np.maximum(1, np.rint(alpha * length)).astype(np.int64)
    moved = np.maximum(1, np.rint(alpha[row[first[:-1]]] * size)).astype(np.int64)
    draw = Draw(keys, row=row, position=np.arange(len(row)) - start[row])
    rank, order = ranks(draw.uniform(1), part, first)
    rank_able, _ = ranks(np.where(able, draw.uniform(2), 2.0), row, start)
    chosen = {
        "swap": rank < 2 * np.minimum(moved, size // 2)[part],
        "delete": rank < np.minimum(moved, size - 1)[part],
        "insert": rank_able < np.minimum(wanted, replaceable)[row],
        "replace": rank_able < np.minimum(wanted, replaceable)[row],
    }
    does = {name: chosen[name] & (operation == i)[row] for i, name in enumerate(operations)}
    none = np.zeros(len(row), dtype=bool)
    other = substitutes.words[pieces.word, (draw.uniform(3) * substitutes.count[pieces.word]).astype(np.int64)]
    word, swaps, replaces = pieces.word.copy(), does.get("swap", none), does.get("replace", none)
    word[swaps] = pieces.word[order[first[part[swaps]] + (rank[swaps] ^ 1)]]
    word[replaces] = other[replaces]
    inserts = does.get("insert", none)
    slot = (draw.uniform(4)[inserts] * length[row[inserts]]).astype(np.int64)
    deletes, last = does.get("delete", none), _parting(pieces)[pieces.glue]
    word[deletes & last] = len(pieces.strings) + 1  # nothing, so that the mark between two columns stays
    texts = _assembled(pieces, word, kept=~deletes | last, extra=(row[inserts], slot, other[inserts]))
    does_what = [*operations, "none"]
    made = [text if can else None for text, can in zip(texts, (operation >= 0).tolist(), strict=True)]
    return made, [does_what[number] for number in operation.tolist()]


def _columns(pieces: Pieces) -> tuple[Ints, Ints]:
    """The number of the column that each word stands in, over all texts, and where each begins and the last ends.

    Words change places, and are left out, inside of a column of their row: a question gets no word of its answer.
    """
    begins = np.zeros(len(pieces.row), dtype=bool)
    begins[pieces.start[:-1][np.diff(pieces.start) > 0]] = True
    begins[1:] |= _parting(pieces)[pieces.glue[:-1]]
    return np.cumsum(begins) - 1, np.append(np.flatnonzero(begins), len(begins))


def _parting(pieces: Pieces) -> Mask:
    """Which strings have the mark between two columns in them."""
    return np.array([SEPARATOR in string for string in pieces.strings], dtype=bool)


def _assembled(pieces: Pieces, word: Ints, *, kept: Mask, extra: tuple[Ints, Ints, Ints]) -> Iterator[str]:
    """The texts of these words with their glue; each extra word stands before the word in its slot."""
    strings = np.array([*pieces.strings, " ", ""], dtype=object)
    extra_row, slot, extra_word = extra
    row, position = pieces.row[kept], (np.arange(len(word)) - pieces.start[pieces.row])[kept]
    every_row = np.concatenate([extra_row, row])
    every_word = np.concatenate([extra_word, word[kept]])
    space = np.where(pieces.dense[extra_word], 0, len(pieces.strings))
    every_glue = np.concatenate([space, pieces.glue[kept]])
    before = np.concatenate([np.zeros(len(extra_row)), np.ones(len(row))])
    order = np.lexsort((before, np.concatenate([slot, position]), every_row))
    flat = strings[np.stack([every_word[order], every_glue[order]], axis=1).ravel()].tolist()
    ends = 2 * np.searchsorted(every_row[order], np.arange(len(pieces.lead) + 1))
    for lead, first, last in zip(strings[pieces.lead], ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        text = lead + "".join(flat[first:last])
        yield SEPARATOR.join(map(str.strip, parted(text))) if SEPARATOR in text else text.strip()
