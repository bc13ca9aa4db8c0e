"""What the classifier sees of a window of words: hashed words and pairs, hashed characters, concepts and rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ratchet.guard.lexicon import CONCEPTS, Hit, stem
from ratchet.guard.rules import RULES, Found

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

WINDOW, STEP = 64, 32
"""Words of a window, and from one window to the next."""
BITS = 16
"""Of the buckets of the words, and of those of the characters."""
_BUCKETS = 1 << BITS
_CONCEPTS = tuple(CONCEPTS)
_IDS = tuple(rule.id for rule in RULES)
_NUMBER = {concept: number for number, concept in enumerate(_CONCEPTS)}
_RULE_NUMBER = {id: number for number, id in enumerate(_IDS)}
_PAIRS = len(_CONCEPTS) ** 2
WORDS_AT, CHARACTERS_AT = 0, _BUCKETS
CONCEPTS_AT = 2 * _BUCKETS
PAIRS_AT = CONCEPTS_AT + len(_CONCEPTS)
RULES_AT = PAIRS_AT + _PAIRS
SIZE = RULES_AT + len(_IDS)
"""All features."""
_NEAR = 6  # words between two concepts that make a pair
_LOW, _HIGH = 3, 5  # characters
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """Words ``first`` to ``last`` of a view, as features that are there and how much each counts."""

    first: int
    last: int
    node: Ints
    value: Floats


def windows(
    words: Sequence[re.Match[str]], hits: Sequence[Hit], found: Sequence[Found], *, most: int
) -> Iterator[Window]:
    """The windows over the words of a view, at most ``most``, the first of them first.

    Words and pairs of words share a vector of length one, as do runs of 3 to 5 characters; a concept, a pair of concepts near
    each other, and a rule count one half each.
    """
    plain = [word[0] for word in words]
    numbers = np.fromiter((crc32(stem(word).encode("utf-8", "replace")) for word in plain), np.uint64, len(plain))
    several = (numbers[:-1] * _MIX) ^ numbers[1:]
    for first in range(0, max(len(words) - STEP, 1), STEP)[:most]:
        last = min(first + WINDOW, len(words))
        grams = [numbers[first:last], several[first : max(last - 1, first)]]
        text = np.unique(_buckets(np.concatenate(grams)))
        characters = np.unique(_buckets(_runs(" ".join(plain[first:last])))) + CHARACTERS_AT
        known = np.array(sorted({*_known(hits, found, first, last)}), np.int64)
        sizes = [len(text), len(characters), len(known)]
        values = [1 / np.sqrt(max(sizes[0], 1)), 1 / np.sqrt(max(sizes[1], 1)), 0.5]
        yield Window(
            first, last, np.concatenate((text, characters, known)), np.repeat(values, sizes).astype(np.float32)
        )


def _buckets(numbers: npt.NDArray[np.uint64]) -> Ints:
    return ((numbers * _MIX) >> np.uint64(64 - BITS)).astype(np.int64)


def _runs(text: str) -> npt.NDArray[np.uint64]:
    """A number for each run of characters."""
    codes = np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint64)
    total, found = codes, []
    for length in range(2, _HIGH + 1):
        if len(codes) < length:
            break
        total = total[: len(codes) - length + 1] * _MIX + codes[length - 1 :]
        if length >= _LOW:
            found.append(total ^ (total >> np.uint64(29)))
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _known(hits: Sequence[Hit], found: Sequence[Found], first: int, last: int) -> Iterator[int]:
    """The concepts of a window, the pairs of different ones that are near each other, and the rules that fire in it."""
    near: list[Hit] = []
    for hit in hits:
        if first <= hit.start < last:
            number = _NUMBER[hit.concept]
            yield CONCEPTS_AT + number
            near = [other for other in near if hit.start - other.end <= _NEAR]
            for other in near:
                if other.concept != hit.concept and other.end <= hit.start:
                    yield PAIRS_AT + _NUMBER[other.concept] * len(_CONCEPTS) + number
            near.append(hit)
    for one in found:
        if first <= one.first < last and one.rule.id in _RULE_NUMBER:
            yield RULES_AT + _RULE_NUMBER[one.rule.id]
