"""Easy data augmentation: random swaps, deletions, insertions and replacements of words, many texts at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.pieces import Ints, Mask, Pieces, split_words
from ratchet.augment.source import Source
from ratchet.augment.substitutes import Substitutes, find_substitutes
from ratchet.recipe.augment import EdaSpec
from ratchet.text.joined import SEPARATOR, parted

Keys = npt.NDArray[np.uint64]
Uniform = npt.NDArray[np.float64]

_BLOCK = 4096  # texts worked on at a time; bounds the memory, not the result


class Eda(Augmenter[EdaSpec]):
    """Variants of each text, each by one operation on ``alpha`` of its words (at least one).

    EDA of Wei and Zou (2019, "EDA: Easy data augmentation techniques"), but inserted and replacing words come from these
    very texts (:func:`ratchet.augment.substitutes.find_substitutes`) instead of a thesaurus. A text that cannot bear the
    operation drawn gets the next one. What happens to a text depends on the seed, on the text and, through the
    substitutes, on the set of texts and labels, never on their order; nothing is drawn twice, so it always ends.
    """

    name, spec = "eda", EdaSpec
    packages = ()

    def drafts(self, spec: EdaSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`."""
        texts = source.texts
        pieces = split_words(texts)
        substitutes = find_substitutes(pieces, source.labels)
        made: list[str | None] = []
        names: list[str] = []
        parents: list[int] = []
        for copy in range(spec.copies):
            for first in range(0, len(texts), _BLOCK):
                rows = np.arange(first, min(first + _BLOCK, len(texts)))
                keys = np.array(
                    [_key(texts[row], seed=making.seed, copy=copy) for row in rows.tolist()], dtype=np.uint64
                )
                new, done = _variants(pieces.take(rows), substitutes, keys, spec=spec)
                made += new
                names += done
                parents += rows.tolist()
        return Drafts(texts=made, parent=np.array(parents, np.int64), operation=names)


def _variants(
    pieces: Pieces, substitutes: Substitutes, keys: Keys, *, spec: EdaSpec
) -> tuple[list[str | None], list[str]]:
    """One variant of each text, ``None`` where no operation is possible, and the operation."""
    row, start = pieces.row, pieces.start
    length = np.diff(start)
    able = substitutes.count[pieces.word] > 0
    replaceable = np.bincount(row[able], minlength=len(length))
    possible = {"swap": length >= 2, "delete": length >= 2, "insert": replaceable > 0, "replace": replaceable > 0}
    operation = _drawn(keys, [possible[name] for name in spec.operations])
    wanted = np.maximum(1, np.rint(spec.alpha * length)).astype(np.int64)
    draw = _Draw(keys, row=row, position=np.arange(len(row)) - start[row])
    rank, order = _ranks(draw.uniform(1), row, start)
    rank_able, _ = _ranks(np.where(able, draw.uniform(2), 2.0), row, start)
    chosen = {
        "swap": rank < 2 * np.minimum(wanted, length // 2)[row],
        "delete": rank < np.minimum(wanted, length - 1)[row],
        "insert": rank_able < np.minimum(wanted, replaceable)[row],
        "replace": rank_able < np.minimum(wanted, replaceable)[row],
    }
    does = {name: chosen[name] & (operation == i)[row] for i, name in enumerate(spec.operations)}
    none = np.zeros(len(row), dtype=bool)
    other = substitutes.words[pieces.word, (draw.uniform(3) * substitutes.count[pieces.word]).astype(np.int64)]
    word, swaps, replaces = pieces.word.copy(), does.get("swap", none), does.get("replace", none)
    word[swaps] = pieces.word[order[start[row[swaps]] + (rank[swaps] ^ 1)]]
    word[replaces] = other[replaces]
    inserts = does.get("insert", none)
    slot = (draw.uniform(4)[inserts] * length[row[inserts]]).astype(np.int64)
    texts = _assembled(pieces, word, kept=~does.get("delete", none), extra=(row[inserts], slot, other[inserts]))
    does_what = [*spec.operations, "none"]
    made = [text if can else None for text, can in zip(texts, (operation >= 0).tolist(), strict=True)]
    return made, [does_what[number] for number in operation.tolist()]


def _drawn(keys: Keys, possible: Sequence[Mask]) -> Ints:
    """The number of the operation each text gets: a random one or, where that is impossible, the next; -1: none is."""
    table = np.stack(possible, axis=1)
    first = (_mixed(keys) % np.uint64(len(possible))).astype(np.int64)
    turn = (first[:, None] + np.arange(len(possible))) % len(possible)
    ready = np.take_along_axis(table, turn, axis=1)
    pick = ready.argmax(axis=1)
    return np.where(ready.any(axis=1), turn[np.arange(len(keys)), pick], -1)


def _assembled(pieces: Pieces, word: Ints, *, kept: Mask, extra: tuple[Ints, Ints, Ints]) -> Iterator[str]:
    """The texts of these words with their glue; each extra word stands before the word in its slot."""
    strings = np.array([*pieces.strings, " "], dtype=object)
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
        yield SEPARATOR.join(map(str.strip, parted(lead + "".join(flat[first:last]))))


def _ranks(values: Uniform, row: Ints, start: Ints) -> tuple[Ints, Ints]:
    """Each word's place among those of its text by value, and the words in that order."""
    order = np.lexsort((values, row))
    rank = np.empty(len(row), dtype=np.int64)
    rank[order] = np.arange(len(row)) - start[row[order]]
    return rank, order


class _Draw:
    """Random numbers that depend on a text's key and a position in it, and on nothing else."""

    def __init__(self, keys: Keys, *, row: Ints, position: Ints) -> None:
        self._state = keys[row] ^ _mixed(position.astype(np.uint64))

    def uniform(self, stream: int) -> Uniform:
        """(words,) numbers in [0, 1)."""
        salt = np.uint64(stream * 0x9E3779B97F4A7C15 % 2**64)
        return (_mixed(self._state ^ salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: Keys) -> Keys:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _key(text: str, *, seed: int, copy: int) -> int:
    data = f"{seed}/{copy}/{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
