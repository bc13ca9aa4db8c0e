"""What is wrong with a translation: nothing in it, the same over and over, or another language than was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ratchet.augment.pieces import Ints
from ratchet.forms import SPACELESS, characters
from ratchet.text.characters import SCRIPTS, look_at

EMPTY, REPEATS, LANGUAGE = "empty", "repeats", "language"
FAULTS = (EMPTY, REPEATS, LANGUAGE)
"""In the order in which they are asked."""
_SCRIPT_OF = {
    **dict.fromkeys(("English", "French", "German", "Spanish", "Portuguese", "Italian", "Dutch", "Polish"), "latin"),
    **dict.fromkeys(("Turkish", "Vietnamese", "Indonesian", "Swedish", "Czech", "Romanian", "Finnish"), "latin"),
    **dict.fromkeys(("Russian", "Ukrainian", "Bulgarian"), "cyrillic"),
    "Chinese": "han",
    "Japanese": "kana",
    "Korean": "hangul",
    "Greek": "greek",
    "Arabic": "arabic",
    "Persian": "arabic",
    "Hebrew": "hebrew",
    "Hindi": "indic",
    "Thai": "thai",
}
_DENSE = characters(SPACELESS)
_UNIT = re.compile(rf"[{_DENSE}]|[^\W_{_DENSE}]+")
_SPACED_WORD = re.compile(rf"[^\W\d_{_DENSE}]+")
_PERIODS, _TIMES = 8, 4  # a unit of up to so many words, so many times on end, is a fault
_WORDS, _VOCABULARY, _KNOWN = 5, 200, 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What translations into one language must look like."""

    script: str = ""
    """One of `SCRIPTS`; empty: that of the text beside it, or none where ``as_before`` is false."""
    as_before: bool = False
    """They stand beside texts in the language that they are in."""
    vocabulary: frozenset[str] = frozenset()
    """Words of that language in small letters; of a longer text without enough of them the language is another one."""

    def faults(self, new: Sequence[str], old: Sequence[str]) -> list[str]:
        """What is wrong with each text, empty where nothing is; ``old`` are the texts they are compared with."""
        scripts, before = _scripts(new), _scripts(old)
        return [self._fault(*one) for one in zip(new, old, scripts.tolist(), before.tolist(), strict=True)]

    def _fault(self, new: str, old: str, script: int, before: int) -> str:
        if script < 0:
            return EMPTY
        if (times := repeats(new)) >= _TIMES and times > repeats(old):
            return REPEATS
        wanted = SCRIPTS.index(self.script) if self.script else before if self.as_before else script
        if script != wanted and wanted >= 0:
            return LANGUAGE
        words = _SPACED_WORD.findall(new.lower())
        known = sum(word in self.vocabulary for word in words)
        strange = len(self.vocabulary) >= _VOCABULARY and len(words) >= _WORDS and known < _KNOWN * len(words)
        return LANGUAGE if strange else ""


def expected(language: str) -> Expected:
    """What a translation into a language, in English words, looks like; nothing is known of most languages."""
    return Expected(script=_SCRIPT_OF.get(language.strip().capitalize(), ""))


def expected_like(texts: Sequence[str]) -> Expected:
    """What a translation back into the language of these texts looks like: written as its text is, in words of theirs."""
    return Expected(
        as_before=True, vocabulary=frozenset(word for text in texts for word in _SPACED_WORD.findall(text.lower()))
    )


def repeats(text: str) -> int:
    """How many times on end the same one to eight words (characters in Chinese) come, at most.

    >>> repeats("the the the the end"), repeats("to be or not to be"), repeats("很好很好很好")
    (4, 1, 3)
    """
    units = _UNIT.findall(text.lower())
    most = min(1, len(units))
    for period in range(1, min(_PERIODS, len(units) // 2) + 1):
        run = longest = 0
        for one, other in zip(units, units[period:], strict=False):
            run = run + 1 if one == other else 0
            longest = max(longest, run)
        most = max(most, longest // period + 1)
    return most


def _scripts(texts: Sequence[str]) -> Ints:
    """(n,) the number of each text's script; -1: it has no letters."""
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.array([len(text) for text in texts], np.int64)
    return np.asarray(look_at(points, lengths)["script"], np.int64)
