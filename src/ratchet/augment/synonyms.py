"""Synonyms from a table, for the words of texts: of the user's file, or of WordNet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ratchet.augment.pieces import Ints, Pieces, split_words
from ratchet.augment.substitutes import Substitutes, find_substitutes
from ratchet.augment.wordnet import LICENCE, Table, find_wordnet, load_wordnet
from ratchet.errors import DataError
from ratchet.text.encodings import to_utf8

_MOST = 5
"""Substitutes of a word that are kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Wording:
    """Texts as words, what can stand for each word, and where that comes from."""

    pieces: Pieces
    """With the strings of all substitutes."""
    substitutes: Substitutes
    facts: Mapping[str, object] = field(default_factory=dict)


def worded(texts: Sequence[str], labels: Sequence[str], *, synonyms: str) -> Wording:
    """The texts as words, and what can stand for each word.

    Args:
        texts: n texts.
        labels: (n,) of the texts.
        synonyms: ``context``: words that these texts use alike; ``auto``: WordNet's where it has the word, else as context;
            ``none``; else a file (see `read_synonyms`).

    Raises:
        DataError: the file cannot be read.
    """
    if synonyms not in ("context", "none", "auto"):
        table = read_synonyms(Path(synonyms))
        pieces = split_words(texts, words=table.keys())
        return _looked_up(pieces, _nothing(pieces), table, facts={"synonyms": Path(synonyms).name})
    pieces = split_words(texts)
    if synonyms == "none":
        return Wording(pieces=pieces, substitutes=_nothing(pieces), facts={"synonyms": "none"})
    found, folder = find_substitutes(pieces, labels), find_wordnet() if synonyms == "auto" else None
    if folder is None:
        return Wording(pieces=pieces, substitutes=found, facts={"synonyms": "context"})
    table, key = load_wordnet(folder)
    return _looked_up(pieces, found, table, facts={"synonyms": "WordNet", "licence": LICENCE, "table": key})


def _nothing(pieces: Pieces) -> Substitutes:
    strings = len(pieces.strings)
    return Substitutes(np.zeros(strings, np.int64), np.zeros((strings, 1), np.int64))


def read_synonyms(path: Path) -> Table:
    """The words of a file of lines, each of words of one meaning with tabs or spaces between them, in UTF-8 or GB18030.

    A first field that ends in ``=`` names the line's meaning and is no word; ``#`` begins a remark.

    Raises:
        DataError: it cannot be read, or no line has two words.
    """
    try:
        text = to_utf8(path.read_bytes(), encoding="auto", name=str(path))[0].decode("utf-8")
    except OSError as error:
        raise DataError(f"synonyms must name a file that can be read but got {path}: {error.strerror}.") from None
    found: dict[str, dict[str, None]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].lower().split()
        words = words[1:] if words and words[0].endswith("=") else words
        if len(words) > 1:
            for word in words:
                found.setdefault(word, {}).update(dict.fromkeys(other for other in words if other != word))
    if not found:
        raise DataError(
            f"synonyms must name a file with two words or more in a line but {path} has no such line.",
            next_step="Write the words of one meaning in one line, with tabs or spaces between them.",
        )
    return {word: tuple(others) for word, others in found.items()}


def stem_of(word: str, table: Mapping[str, object]) -> tuple[str, str]:
    """A word of the table that this is a regular form of, and the ending; the word itself where there is none.

    >>> stem_of("walked", {"walk": ()})
    ('walk', 'ed')
    """
    for ending in ("s", "ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and stem in table:
            return stem, ending
    return word, ""


def _looked_up(pieces: Pieces, other: Substitutes, table: Table, *, facts: Mapping[str, object]) -> Wording:
    """The table's words for those that it has, ``other`` for the rest."""
    count, chosen = other.count.copy(), dict[int, tuple[str, ...]]()
    for number, string in enumerate(pieces.strings):
        if alike := _alike(string.lower(), table):
            chosen[number], count[number] = alike, len(alike)
    fresh = sorted({word for words in chosen.values() for word in words} - {*pieces.strings})
    strings = [*pieces.strings, *fresh]
    place = {string: number for number, string in enumerate(strings)}
    words: Ints = np.zeros((len(strings), _MOST), np.int64)
    words[: len(other.words), : other.words.shape[1]] = other.words
    for number, alike in chosen.items():
        words[number, : len(alike)] = [place[word] for word in alike]
    count = np.concatenate([count, np.zeros(len(fresh), np.int64)])
    told = {**facts, "words": len(chosen)}
    return Wording(pieces=replace(pieces, strings=strings), substitutes=Substitutes(count, words), facts=told)


def _alike(word: str, table: Table) -> tuple[str, ...]:
    """The synonyms of a word; of a plural or a past form those whose own such form the table has."""
    if word in table:
        return table[word][:_MOST]
    stem, ending = stem_of(word, table)
    if not ending:
        return ()
    return tuple(form for other in table[stem] if (form := other + ending) in table)[:_MOST]
