"""Is the answer the reference, does it contain it, and how many words do both share?"""

from __future__ import annotations

from collections import Counter

from ratchet.scores.rows import Floats, Texts, scored
from ratchet.scores.words import is_alone, one_form, words


def exact_match(answers: Texts, references: Texts) -> Floats:
    """1 where answer and reference are one text after :func:`ratchet.scores.words.one_form`, else 0.

    Args:
        answers: n texts; ``None`` scores 0.
        references: n texts.

    Returns:
        Shape (n,).

    Raises:
        DataError: a row has no reference.

    >>> exact_match(["The Paris.", "北京。", None], ["paris", "北京", "x"]).tolist()
    [1.0, 1.0, 0.0]
    """
    return scored(answers, references, lambda answer, reference: float(one_form(answer) == one_form(reference)))


def contains(answers: Texts, references: Texts) -> Floats:
    """1 where the reference stands in the answer, both after :func:`ratchet.scores.words.one_form`, else 0.

    It stands there as whole words: 5 is not in 15, but it is in 是5个. Arguments, shape and errors as :func:`exact_match`.

    >>> contains(["It is Paris, I think", "15", "答案是5个"], ["Paris", "5", "5"]).tolist()
    [1.0, 0.0, 1.0]
    """
    return scored(
        answers, references, lambda answer, reference: float(_stands_in(one_form(reference), one_form(answer)))
    )


def token_f1(answers: Texts, references: Texts) -> Floats:
    """The harmonic mean of the shares of words that answer and reference have in common, from 0 to 1.

    As the F1 of SQuAD (Rajpurkar et al. 2016), but for :func:`ratchet.scores.words.words`, which also reads Chinese.
    Where both have no words it is 1. Arguments, shape and errors as :func:`exact_match`.

    >>> token_f1(["the cat sat", "我在北京"], ["a cat", "北京"]).round(3).tolist()
    [0.667, 0.667]
    """
    return scored(answers, references, _f1)


def _stands_in(part: str, whole: str) -> bool:
    at = whole.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        if not (_joined(whole[at - 1 : at], part[0]) or _joined(part[-1], whole[end : end + 1])):
            return True
        at = whole.find(part, at + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Whether two characters beside each other belong to one word."""
    return left.isalnum() and right.isalnum() and not (is_alone(left) or is_alone(right))


def _f1(answer: str, reference: str) -> float:
    said, right = Counter(words(answer)), Counter(words(reference))
    if not said and not right:
        return 1.0
    return 2 * (said & right).total() / (said.total() + right.total())
