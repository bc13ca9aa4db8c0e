"""A corpus of plain texts beside the rows: read, and refused where it holds a row that is judged."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.short_texts import short_texts
from ratchet.errors import DataError
from ratchet.generators.chat import turns_of
from ratchet.near.copies import NGRAM, THRESHOLD, same_words, unique_texts
from ratchet.near.pairs import similar_pairs
from ratchet.text.encodings import to_utf8
from ratchet.text.joined import parted
from ratchet.workspace.finished import regular_file

LONG_BYTES = 40
"""A piece of so many bytes of UTF-8 (13 Chinese characters, half a line of English) is no chance find inside a longer text."""
_ANCHOR = 8
"""Characters by which the beginning of a piece is looked up."""


@dataclass(frozen=True, kw_only=True)
class _Passage:
    """A line or a paragraph of the corpus."""

    text: str
    file: str
    line: int
    """Of its beginning, from 1."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The first passage of the corpus that has a row's text, and how many more such there are."""

    file: str
    line: int
    row: int
    more: int


def read_corpus(files: Sequence[str]) -> list[str]:
    """The text of each file; its encoding is found out as that of a table.

    Raises:
        DataError: a file is missing, empty or no text.
    """
    return [_read(Path(file)) for file in files]


def _read(path: Path) -> str:
    regular_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        step = (
            "Name files, not folders, in"
            if path.is_dir()
            else "Correct the path in"
            if not path.exists()
            else "Look at"
        )
        raise DataError(
            f"The corpus must be text files that can be read but got {path}: {error.strerror}.",
            next_step=f"{step} pretrain.corpus of this challenger.",
        ) from error
    text = to_utf8(data, encoding="auto", name=str(path))[0].decode("utf-8")
    if not text.strip():
        raise DataError(f"The corpus file {path} must hold text but is empty.", next_step="Leave it out.")
    return text


def require_unseen(files: Sequence[str], rows: PartedRows, *, choosing: bool = False) -> None:
    """Refuse a corpus with the text of a row that is judged or of the test part, or with one that is nearly the same.

    A line or a paragraph is compared with the whole text of a row, copies and near-duplicates, as training rows are with test
    rows; a text, a column or an answer of at least `LONG_BYTES` is also found inside a longer passage, word for word. Shorter
    whole texts are counted there, and many of them are refused.

    Args:
        files: of the corpus.
        rows: of the run.
        choosing: training rows choose the epoch or score trials, and count as judged.

    Raises:
        DataError: it has one; the first is named by file and line.
    """
    texts = read_corpus(files)
    judged = rows.parts.dev if choosing else rows.parts.compared
    held = np.union1d(judged, rows.parts.test).astype(np.int64)
    whole = ["\n\n".join(turn.text for turn in turns_of(text)) for text in rows.texts(held)]
    found = _near(texts, files, whole, held) or _inside(texts, files, rows, held)
    if found is not None:
        also = f", and {found.more:,} more of its passages are such" if found.more else ""
        which = "is judged or chooses" if choosing else "is judged"
        raise DataError(
            f"The corpus must hold no text of a row that {which} but {found.file}, line {found.line}, has that of "
            f"{rows.dataset.place(found.row)}, or nearly so{also}.",
            next_step="Take these passages out of the corpus, or leave pretrain.corpus of this challenger out.",
        )
    _require_few_short(texts, whole, rows, held)


def _require_few_short(texts: Sequence[str], whole: Sequence[str], rows: PartedRows, held: Ints) -> None:
    """Refuse a corpus in which many whole texts of these rows stand that are too short for one of them to say anything.

    Raises:
        DataError: it is such a corpus.
    """
    short = short_texts(texts, dict(zip(whole, held.tolist(), strict=True)), below=LONG_BYTES)
    if short.many:
        first = min(short.found.values())
        raise DataError(
            f"The corpus must hold no text of a row that is judged but {len(short.found):,} of the {short.of:,} short ones "
            f"stand in it word for word, that of {rows.dataset.place(first)} among them.",
            next_step="Take the rows out of the corpus, or leave pretrain.corpus of this challenger out.",
        )


def _near(texts: Sequence[str], files: Sequence[str], whole: Sequence[str], held: Ints) -> _Found | None:
    """Passages that are copies or near-copies of the texts of these rows, with the first such row."""
    passages = [one for text, file in zip(texts, files, strict=True) for one in _passages(text, file)]
    owner: dict[str, int] = {}
    for text, row in zip(whole, held.tolist(), strict=True):
        owner.setdefault(same_words(text), row)
    equal = [(one, owner[words]) for one in passages if (words := same_words(one.text)) and words in owner]
    unique, origin, place = unique_texts([*(one.text for one in passages), *whole])
    sides = np.zeros(len(unique), np.int8)
    sides[place[: len(passages)]] |= 1
    sides[place[len(passages) :]] |= 2
    pairs = similar_pairs(unique, n=NGRAM, threshold=THRESHOLD, sides=sides)
    near = []
    for one, other in zip(origin[pairs.left].tolist(), origin[pairs.right].tolist(), strict=True):
        passage, text = min(one, other), max(one, other)
        if passage < len(passages) <= text:
            near.append((passages[passage], int(held[text - len(passages)])))
    if not (found := [*equal, *near]):
        return None
    first, row = min(found, key=lambda one: (one[0].file, one[0].line, one[1]))
    return _Found(file=first.file, line=first.line, row=row, more=len(found) - 1)


def _passages(text: str, file: str) -> Iterator[_Passage]:
    """Each line, and each paragraph of several lines."""
    lines, begun = [*text.splitlines(), ""], 0
    for number, line in enumerate(lines):
        if line.strip():
            yield _Passage(text=line, file=file, line=number + 1)
            continue
        if number - begun > 1:
            yield _Passage(text="\n".join(lines[begun:number]), file=file, line=begun + 1)
        begun = number + 1


def _inside(texts: Sequence[str], files: Sequence[str], rows: PartedRows, held: Ints) -> _Found | None:
    """Where the words of a long piece of these rows stand inside a text."""
    pieces: dict[str, dict[int, dict[str, int]]] = {}
    """By their beginning and their length: many rows may begin alike."""
    for text, answer, row in zip(rows.texts(held), rows.names(held), held.tolist(), strict=True):
        for piece in (text, answer, *parted(text), *(turn.text for turn in turns_of(text))):
            words = same_words(piece)
            if len(words.encode("utf-8", "surrogatepass")) >= LONG_BYTES:
                pieces.setdefault(words[:_ANCHOR], {}).setdefault(len(words), {}).setdefault(words, row)
    found: list[tuple[str, int, int, str]] = []
    for text, file in zip(texts, files, strict=True):
        words = same_words(text)
        for start in range(len(words) - _ANCHOR + 1):
            for length, known in pieces.get(words[start : start + _ANCHOR], {}).items():
                piece = words[start : start + length]
                if piece in known:
                    found.append((file, start, known[piece], piece))
    if not found:
        return None
    file, _, row, piece = min(found)  # the line of the first alone, since one takes many looks
    return _Found(file=file, line=_line_of(piece, texts[files.index(file)]), row=row, more=len(found) - 1)


def _line_of(piece: str, text: str) -> int:
    """The line where the words of a piece begin for the first time."""
    lines = text.splitlines()

    def has(begin: int, end: int) -> bool:
        return piece in same_words("\n".join(lines[begin:end]))

    end = 1 + bisect_left(range(1, len(lines) + 1), True, key=lambda end: has(0, end))
    return bisect_left(range(end), True, key=lambda begin: not has(begin, end))
