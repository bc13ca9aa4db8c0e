"""BLEU (Papineni et al. 2002) of a corpus, from counts of each row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ratchet.errors import DataError
from ratchet.forms import HAN, characters
from ratchet.scores.rows import Floats, Texts, paired

ORDERS = 4
_MARKS = re.compile(r"([ -&(-+/:-@\[-`{-~])")
_POINT_AFTER, _POINT_BEFORE = re.compile(r"([^0-9])([.,])"), re.compile(r"([.,])([^0-9])")
_DASH = re.compile(r"([0-9])(-)")
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_CHINESE = (
    *((0x2001, 0x2A6D), (0x2E80, 0x2EFF), (0x2F00, 0x2FDF), (0x2FF0, 0x303F), (0x3100, 0x312F), (0x31A0, 0x31BF)),
    *((0x31C0, 0x31EF), (0x3200, 0x33FF), (0x3400, 0x4DB5), (0x4E00, 0x9FBB), (0xF900, 0xFA2D), (0xFA30, 0xFA6A)),
    *((0xFA70, 0xFAD9), (0xFE10, 0xFE1F), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF)),
)
"""What sacrebleu's ``zh`` takes apart: more than Chinese, dashes and quotes too, and no Han beyond U+FFFF."""
_APART = re.compile(f"([{characters(_CHINESE)}])")
_IS_HAN = re.compile(f"[{characters(HAN)}]")


def bleu_counts(answers: Texts, references: Texts, *, tokens: str = "auto") -> Floats:
    """What BLEU counts in each row.

    The words are those of sacrebleu's tokenizers ``13a`` (of mteval-v13a) and ``zh``; ``auto`` takes the second where
    more than half of the references' letters are Han characters, whatever the answers are.

    Args:
        answers: n texts; ``None`` counts as an empty answer.
        references: n texts.
        tokens: ``13a``, ``zh`` or ``auto``.

    Returns:
        Shape (n, 10): n-grams of the answer that are in the reference (each at most as often as there) of orders 1 to 4,
        n-grams of the answer of orders 1 to 4, words of the answer, words of the reference.

    Raises:
        DataError: a row has no reference, or there is no such tokenizer.
    """
    if tokens not in ("auto", "13a", "zh"):
        raise DataError(f"The tokens of BLEU must be one of auto, 13a and zh but got {tokens!r}.")
    pairs = paired(answers, references)
    chinese = _mostly_han([reference for _, reference in pairs]) if tokens == "auto" else tokens == "zh"
    split = _words_zh if chinese else _words_13a
    return np.array([_row(split(answer or ""), split(reference)) for answer, reference in pairs]).reshape(-1, 10)


def bleu_of(counts: Floats) -> Floats:
    """BLEU of a corpus, from 0 to 100, as sacrebleu reports it by default.

    Orders without a match are smoothed by halving (Chen and Cherry 2014, method 3); nothing is smoothed where no word
    matches or no answer is four words long, which scores 0.

    Args:
        counts: shape (..., n, 10), as of :func:`bleu_counts`.

    Returns:
        Shape (...): a number for each set of n rows, such as a bootstrap sample.
    """
    summed = counts.sum(axis=-2)
    matches, totals = summed[..., :ORDERS], summed[..., ORDERS : 2 * ORDERS]
    said, right = summed[..., 8], summed[..., 9]
    halved = 0.5 ** np.cumsum(matches == 0, axis=-1)
    precision = np.where(matches > 0, matches, halved) / np.maximum(totals, 1)
    brevity = np.exp(np.minimum(0.0, 1 - right / np.maximum(said, 1)))
    usable = (matches[..., 0] > 0) & (totals[..., -1] > 0)
    value: Floats = np.where(usable, 100 * brevity * np.exp(np.log(precision).mean(axis=-1)), 0.0)
    return value


def _mostly_han(references: Sequence[str]) -> bool:
    han = sum(len(_IS_HAN.findall(reference)) for reference in references)
    return 2 * han > sum(character.isalpha() for reference in references for character in reference)


def _words_13a(text: str) -> list[str]:
    plain = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES:
        plain = plain.replace(entity, character)
    return _split(f" {plain} ")


def _words_zh(text: str) -> list[str]:
    return _split(_APART.sub(r" \1 ", text.strip()))


def _split(text: str) -> list[str]:
    """Marks from words, points and commas but between digits, and a dash from the digit before it."""
    apart = _POINT_AFTER.sub(r"\1 \2 ", _MARKS.sub(r" \1 ", text))
    return _DASH.sub(r"\1 \2 ", _POINT_BEFORE.sub(r" \1 \2", apart)).split()


def _row(said: Sequence[str], right: Sequence[str]) -> list[float]:
    grams = [(_grams(said, order), _grams(right, order)) for order in range(1, ORDERS + 1)]
    matches = [(one & other).total() for one, other in grams]
    return [*map(float, matches), *(float(one.total()) for one, _ in grams), float(len(said)), float(len(right))]


def _grams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order)), strict=False))
