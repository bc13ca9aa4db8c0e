"""Synonyms from a table, for the words of texts: of the user's file, or of WordNet."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ratchet.augment.lines import read_lines
from ratchet.augment.pieces import Ints, Pieces, split_words
from ratchet.augment.substitutes import Substitutes, find_substitutes
from ratchet.augment.wordnet import LICENCE, WordNet, find_wordnet
from ratchet.errors import DataError
from ratchet.text.language import Language

Table = Mapping[str, tuple[str, ...]]
Look = Callable[[str], tuple[str, ...]]
"""The synonyms of a lower-case word, the most usual first."""

_MOST = 5
"""Substitutes of a word that are kept."""
_ALONE = re.compile(r"[a-z]{2}\d\d[a-z]\d\d@")
"""The code of a line of Cilin with a word alone, in lower case; after `#` all is a remark anyway."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Wording:
    """Texts as words, what can stand for each word, and where that comes from."""

    pieces: Pieces
    """With the strings of all substitutes."""
    substitutes: Substitutes
    facts: Mapping[str, object] = field(default_factory=dict)


def worded(texts: Sequence[str], labels: Sequence[str], *, language: Language, synonyms: str) -> Wording:
    """The texts as words, and what can stand for each word.

    Args:
        texts: n texts.
        labels: (n,) of the texts.
        language: of the texts.
        synonyms: ``context``: words that these texts use alike; ``auto``: WordNet's in English texts, where it is here, in
            others as context; ``none``; else a file (see `read_synonyms`).

    Raises:
        DataError: the file cannot be read.
    """
    if synonyms not in ("context", "none", "auto"):
        table = read_synonyms(Path(synonyms))
        pieces = split_words(texts, words=table.keys())
        found = _looked_up(pieces, _nothing(pieces), lambda word: table.get(word, ()))
        return replace(found, facts={**found.facts, "synonyms": Path(synonyms).name})
    pieces = split_words(texts)
    folder = find_wordnet() if synonyms == "auto" and language != "zh" else None
    if synonyms == "none" or (folder is not None and language == "en"):
        other = _nothing(pieces)
    else:
        other = find_substitutes(pieces, labels)
    if folder is None:
        return Wording(
            pieces=pieces, substitutes=other, facts={"synonyms": "none" if synonyms == "none" else "context"}
        )
    wordnet = WordNet(folder)
    found = _looked_up(pieces, other, wordnet.synonyms)
    return replace(found, facts={**found.facts, "synonyms": "WordNet", "licence": LICENCE, "table": wordnet.hash})


def _nothing(pieces: Pieces) -> Substitutes:
    strings = len(pieces.strings)
    return Substitutes(np.zeros(strings, np.int64), np.zeros((strings, 1), np.int64))


def read_synonyms(path: Path) -> Table:
    """The words of a file of lines, each of words of one meaning with tabs or spaces between them, in UTF-8 or GB18030.

    A first field that ends in ``=`` names the line's meaning and is no word; ``#`` begins a remark. Of Cilin, lines whose code
    ends in ``@`` (a word alone) or ``#`` (words that are related only) have no synonyms.

    Raises:
        DataError: it cannot be read, or no line has two words.
    """
    found: dict[str, dict[str, None]] = {}
    for line in read_lines(path, key="synonyms"):
        words = line.lower().split()
        if words and _ALONE.fullmatch(words[0]):
            continue
        words = words[1:] if words and words[0].endswith("=") else words
        if len(words) > 1:
            first = dict.fromkeys(words[: _MOST + 1])
            for word in words:
                found.setdefault(word, {}).update(first)
    if not found:
        raise DataError(
            f"synonyms must name a file with two words or more in a line but {path} has no such line.",
            next_step="Write the words of one meaning in one line, with tabs or spaces between them.",
        )
    return {word: tuple(other for other in others if other != word)[:_MOST] for word, others in found.items()}


def _looked_up(pieces: Pieces, other: Substitutes, look: Look) -> Wording:
    """The synonyms of the words that have some, ``other`` for the rest."""
    known, count = frozenset(pieces.strings), other.count.copy()
    memory: dict[str, tuple[str, ...]] = {}
    chosen: dict[int, tuple[str, ...]] = {}
    for number in np.unique(pieces.word).tolist():
        word = pieces.strings[number].lower()
        if word not in memory:
            memory[word] = look(word)[:_MOST] or _inflected(word, look, known)
        if alike := memory[word]:
            chosen[number], count[number] = alike, len(alike)
    fresh = sorted({word for words in chosen.values() for word in words} - known)
    strings = [*pieces.strings, *fresh]
    place = {string: number for number, string in enumerate(strings)}
    words: Ints = np.zeros((len(strings), _MOST), np.int64)
    words[: len(other.words), : other.words.shape[1]] = other.words
    for number, alike in chosen.items():
        words[number, : len(alike)] = [place[word] for word in alike]
    count = np.concatenate([count, np.zeros(len(fresh), np.int64)])
    told = {"words": len(chosen)}
    return Wording(pieces=replace(pieces, strings=strings), substitutes=Substitutes(count, words), facts=told)


def _inflected(word: str, look: Look, known: Collection[str]) -> tuple[str, ...]:
    """Of a plural or a form in -ed or -ing the same forms of its stem's synonyms, those that these texts have."""
    for ending in ("s", "ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and (others := look(stem)):
            return tuple(form for other in others if (form := other + ending) in known)[:_MOST]
    return ()
