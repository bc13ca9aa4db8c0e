"""WordNet's synonyms, looked up in its own files as they lie on the machine: no table has to be built or kept."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from ratchet.errors import RatchetError

LICENCE = "WordNet 3.0 licence, Princeton University"
HOW = "Install it with `apt-get install wordnet-base`, or name its folder of data.noun and index.noun in WNSEARCHDIR."
_PARTS = ("noun", "verb", "adj", "adv")
_SENSES, _MOST = 2, 5
"""Most frequent senses of each part of speech that are looked at, and synonyms of a word."""
_PLACES = (
    "/usr/share/wordnet",
    "/usr/local/WordNet-3.0/dict",
    "/usr/local/share/wordnet",
    "/opt/homebrew/share/wordnet",
)


def find_wordnet() -> Path | None:
    """The folder of WordNet's files: what WNSEARCHDIR or WNHOME says, else a usual place; ``None``: it is not here."""
    home = os.environ.get("WNHOME", "")
    given = (os.environ.get("WNSEARCHDIR", ""), f"{home}/dict" if home else "")
    return next((Path(place) for place in (*given, *_PLACES) if place and _is_whole(Path(place))), None)


class WordNet:
    """The synonyms of single English words: words of one synset, those of the most frequent senses first.

    The format is that of wndb(5WN): a line of an index, which is sorted, names a word's senses by the byte at which each
    synset begins in the data.

    Args:
        folder: of ``data.noun``, ``index.noun`` and so on.

    Raises:
        RatchetError: a file cannot be read, or is not in that format.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._index = [(folder / f"index.{part}").read_bytes() for part in _PARTS]
            self._data = [(folder / f"data.{part}").read_bytes() for part in _PARTS]
        except OSError as error:
            raise RatchetError(f"{error.filename} must be a file that can be read but: {error.strerror}.") from None
        self._lines = [index.rstrip(b"\n").split(b"\n") for index in self._index]

    @property
    def hash(self) -> str:
        """Of the indexes, which hold every word with the places of its synsets, and of the sizes of the data."""
        digest = hashlib.sha256()
        for index, data in zip(self._index, self._data, strict=True):
            digest.update(index)
            digest.update(f"\0{len(data)}".encode())
        return digest.hexdigest()

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Of a lower-case word; none of one that it does not know."""
        if not (word.isascii() and word.isalpha()):
            return ()
        senses = [self._senses(part, word.encode()) for part in range(len(_PARTS))]
        found: dict[str, None] = {}
        for sense in range(_SENSES):
            for part, offsets in enumerate(senses):
                if sense < len(offsets):
                    found.update(dict.fromkeys(self._words(part, offsets[sense])))
        found.pop(word, None)
        return tuple(found)[:_MOST]

    def _senses(self, part: int, word: bytes) -> list[bytes]:
        """Where the synsets of a word begin, the most frequent sense first."""
        lines = self._lines[part]
        at = bisect_left(lines, word + b" ")
        if at == len(lines) or not lines[at].startswith(word + b" "):
            return []
        fields = lines[at].split()
        try:
            return fields[6 + int(fields[3]) :]
        except (IndexError, ValueError):
            raise self._damaged("index", part, lines[at]) from None

    def _words(self, part: int, offset: bytes) -> Iterator[str]:
        """The single words of a synset, in lower case."""
        data = self._data[part]
        begin = int(offset) if offset.isdigit() else len(data)
        line = data[begin : data.find(b"|", begin)]
        fields = line.split(b" ")
        if fields[0] != offset or len(fields) < 4:
            raise self._damaged("data", part, line)
        for field in fields[4 : 4 + 2 * int(fields[3], 16) : 2]:
            word = field.partition(b"(")[0].lower()  # an adjective may say where it stands: "galore(ip)"
            if word.isalpha():
                yield word.decode("ascii", "replace")

    def _damaged(self, kind: str, part: int, line: bytes) -> RatchetError:
        path = self._folder / f"{kind}.{_PARTS[part]}"
        return RatchetError(f"{path} must be in WordNet's format (wndb) but has {line[:60]!r}.", next_step=HOW)


def _is_whole(folder: Path) -> bool:
    return all((folder / f"{kind}.{part}").is_file() for kind in ("index", "data") for part in _PARTS)
