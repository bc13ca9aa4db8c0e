"""Short texts of rows that stand word for word in a corpus: one may do so by chance, many do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ratchet.near.copies import same_words

LEAST_BYTES, LEAST_CHARACTERS = 12, 6
"""A shorter text, in UTF-8 and as it is read, is not looked for: a greeting stands everywhere."""
MANY, SHARE = 5, 0.2
"""Different texts, and their share of those looked for, that must be found before a corpus counts as one with the rows."""
_ANCHOR = 6
_UNSPACED = "\u2e80"
"""The first character of the scripts that put no spaces between words; those before it do."""


@dataclass(frozen=True, kw_only=True)
class Short:
    """What was found of the short texts."""

    found: Mapping[str, int]
    """The place of a row of each text that stands in the corpus."""
    of: int
    """Different texts that were looked for."""

    @property
    def many(self) -> bool:
        """Too many to be there by chance."""
        return len(self.found) >= max(MANY, SHARE * self.of)


def short_texts(corpus: Sequence[str], known: Mapping[str, int], *, below: int) -> Short:
    """Look for texts between the word boundaries of a corpus.

    Args:
        corpus: its texts.
        known: texts with the place of their row.
        below: bytes of UTF-8 of the words; a text with so many is not short.
    """
    wanted: dict[str, dict[str, int]] = {}
    count = 0
    for text, row in known.items():
        words = same_words(text)
        size = len(words.encode("utf-8", "surrogatepass"))
        if LEAST_BYTES <= size < below and len(words) >= LEAST_CHARACTERS:
            alike = wanted.setdefault(words[:_ANCHOR], {})
            count += words not in alike
            alike.setdefault(words, row)
    found: dict[str, int] = {}
    for text in corpus if wanted else ():
        words = f" {same_words(text)} "
        for start in range(1, len(words) - _ANCHOR):
            alike = wanted.get(words[start : start + _ANCHOR], {})
            for one, row in alike.items() if alike and _apart(words[start - 1], words[start]) else ():
                end = start + len(one)
                if words.startswith(one, start) and _apart(words[end - 1], words[end]):
                    found.setdefault(one, row)
    return Short(found=found, of=count)


def _apart(before: str, after: str) -> bool:
    """Whether a word may end between two characters."""
    return " " in (before, after) or max(before, after) >= _UNSPACED
