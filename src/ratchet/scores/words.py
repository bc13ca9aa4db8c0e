"""Texts as they are compared: one form of each, and their words, of Chinese and Japanese the characters."""

from __future__ import annotations

import re
import unicodedata

from ratchet.forms import SPACELESS, characters

ALONE = characters(SPACELESS)
"""Characters that are words by themselves, as the inside of a regular expression's class."""
_ENDS = " .,;:!?…\"'`*_()[]{}<>“”‘’«»„‚·。、「」『』《》〈〉【】〔〕—–"
_LEADING = re.compile(r"(?:a|an|the) (?=\S)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WORDS = re.compile(f"[{ALONE}]|[^\\W{ALONE}]+")


def one_form(text: str) -> str:
    """A text as :func:`ratchet.scores.exact.exact_match` compares it.

    In this order: Unicode NFKC (full-width letters, digits and marks become plain ones); case folded; every run of white
    space one space; punctuation, quotes, brackets and Markdown's ``*``, ``_`` and backticks taken off both ends, but
    neither signs nor units (``-``, ``+``, ``%``, ``#``, ``$`` stay); one English article at the start taken off when
    something follows it. What would become empty is left as it was after the white space.

    >>> one_form("  The  Answer. "), one_form("Ａ"), one_form("（北京）。"), one_form("-5%")
    ('answer', 'a', '北京', '-5%')
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return (
        _LEADING.sub("", folded.strip(_ENDS), count=1)
        if _LEADING.match(folded.strip(_ENDS))
        else (folded.strip(_ENDS) or folded)
    )


def words(text: str) -> list[str]:
    """The words of a text for an overlap: NFKC, case folded, no punctuation, no English articles.

    A Han character or kana is a word by itself.

    >>> words("The cat's 3 帽子")
    ['cat', 's', '3', '帽', '子']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _WORDS.findall(_ARTICLES.sub(" ", folded))


def all_words(text: str) -> list[str]:
    """As `words`, with the articles.

    >>> all_words("The cat's 3 帽子")
    ['the', 'cat', 's', '3', '帽', '子']
    """
    return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


def is_alone(character: str) -> bool:
    """Whether a character is a word by itself."""
    return bool(_ALONE.fullmatch(character))


_ALONE = re.compile(f"[{ALONE}]")
