"""ROUGE-L (Lin 2004): how much of answer and reference is a common subsequence of words."""

from __future__ import annotations

from ratchet.scores.rows import Floats, Texts, scored
from ratchet.scores.words import all_words


def rouge_l(answers: Texts, references: Texts) -> Floats:
    """The harmonic mean of the shares of both texts' words that stand in their longest common subsequence, from 0 to 1.

    Words as of :func:`ratchet.scores.words.all_words`: of Chinese and Japanese the characters, and none is left out. Where
    both have no words it is 1.

    Args:
        answers: n texts; ``None`` scores 0.
        references: n texts.

    Returns:
        Shape (n,).

    Raises:
        DataError: a row has no reference.

    >>> rouge_l(["the cat sat here", "我在北京"], ["the cat lay here", "北京"]).round(3).tolist()
    [0.75, 0.667]
    """
    return scored(answers, references, _f1)


def _f1(answer: str, reference: str) -> float:
    said, right = all_words(answer), all_words(reference)
    if not said and not right:
        return 1.0
    return 2 * longest_common(said, right) / (len(said) + len(right))


def longest_common(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence, all places of the first at once in the bits of one number (Hyyrö 2004,
    "Bit-parallel LCS-length computation revisited")."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & full
    return len(first) - row.bit_count()
