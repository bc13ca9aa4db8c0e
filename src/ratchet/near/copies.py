"""Copies and near-copies among texts: what counts as the same text, and which rows belong together."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

import numpy as np

from ratchet.forms import SYLLABLES, nfkc
from ratchet.near.ngrams import character_counts
from ratchet.near.pairs import NearPairs, components, similar_pairs
from ratchet.text.columns import Rows

NGRAM = 3
THRESHOLD = 0.7

# Characters without a width, which editors and web pages leave behind: soft hyphen, joiners, direction marks, BOM.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)


def normalise(text: str) -> str:
    """The text without accidents of typing: NFKC (full width becomes half width), case folded, invisible characters
    removed, each run of white space one space, none at the ends.

    Texts that are equal after this are copies of each other; prepare drops all but one.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    visible = _INVISIBLE.sub("", nfkc(text).casefold())
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def wording(text: str) -> str:
    """The normalised text with each run of punctuation and spaces one space; empty if there is nothing else.

    Texts of one wording ("Can I top up?", "can I top-up") must not meet across parts though they are no copies. Letters,
    the marks on them, digits and pictures (an emoji can be the whole message) count as words.
    """
    return _words(normalise(text))


def same_words(text: str) -> str:
    """What texts of the same words share: the wording, or the normalised text itself where there are no words."""
    return same_words_of(normalise(text))


def same_words_of(plain: str) -> str:
    """:func:`same_words` of a text that is normalised already."""
    return _words(plain) or plain


def exact_groups(texts: Iterable[str], *, form: Callable[[str], str] = normalise) -> Rows:
    """A number for each text, equal for texts with equal ``form``; numbered from 0 by first appearance.

    Forms are compared by their 128-bit blake2b, which takes a quarter of the memory: among 10^9 texts the chance that any
    two different ones share it is below 10^-20.
    """
    numbers: dict[bytes, int] = {}
    digests = (blake2b(form(text).encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
    return np.fromiter((numbers.setdefault(digest, len(numbers)) for digest in digests), np.int64)


def near_pairs(texts: Sequence[str], *, ngram: int = NGRAM, threshold: float = THRESHOLD) -> NearPairs:
    """Verified pairs of different texts with a Jaccard similarity of character n-grams of at least ``threshold``.

    Texts are compared as :func:`normalise` leaves them, and copies by that measure stand for each other: the pairs name
    the first row of each. A text shorter than ``ngram`` characters is one n-gram, so it is near only to its copies; an
    empty text is near nothing. The result says whether the search was exhaustive or by MinHash, which happens beyond some
    200,000 reviews; see :func:`ratchet.near.pairs.similar_pairs`.

    >>> pairs = near_pairs(["a quick brown fox", "so be it", "a quick brown fix"], threshold=0.6)
    >>> pairs.left.tolist(), pairs.right.tolist()
    ([0], [2])
    """
    unique, rows, _ = unique_texts(texts)
    pairs = similar_pairs(unique, n=ngram, threshold=threshold)
    left, right = rows[pairs.left], rows[pairs.right]
    left, right = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((right, left))
    return NearPairs(
        left=left[order], right=right[order], jaccard=pairs.jaccard[order], method=pairs.method, skipped=pairs.skipped
    )


def clusters(texts: Iterable[str], *, ngram: int = NGRAM, threshold: float = THRESHOLD) -> Rows:
    """A cluster number for each text: copies, texts of the same wording and near-duplicates are in one cluster, and so are
    those that a chain of these connects. Numbered from 0 by first appearance; the clusters do not depend on the order.
    """
    unique, _, member = unique_texts(texts)
    near, _ = near_components(unique, ngram=ngram, threshold=threshold)
    return renumbered(united(near, exact_groups(unique, form=same_words_of))[member])


def near_components(unique: Sequence[str], *, ngram: int, threshold: float) -> tuple[Rows, int]:
    """A number for each of these different, sorted, normalised texts, equal for those that near-duplicates connect.

    The second value is :attr:`ratchet.near.pairs.NearPairs.skipped`: candidates that stayed unverified.
    """
    pairs = similar_pairs(unique, n=ngram, threshold=threshold, connect=True)
    return components(len(unique), pairs.left, pairs.right), pairs.skipped


def united(first: Rows, second: Rows) -> Rows:
    """The finest grouping that keeps the groups of both together; both are numbered from 0."""
    width = int(first.max(initial=-1)) + 1
    count = width + int(second.max(initial=-1)) + 1
    return components(count, first, second + width)[first]


def representatives(cluster: Rows) -> Rows:
    """The first row of each cluster, in the order of the cluster numbers; -1 is no cluster."""
    rows = np.flatnonzero(cluster >= 0)[::-1]
    first = np.full(int(cluster.max(initial=-1)) + 1, -1, np.int64)
    first[cluster[rows]] = rows  # of the rows of a cluster the one that is written last stays: the first
    return first[first >= 0]


def renumbered(groups: Rows) -> Rows:
    """The same grouping with numbers from 0 by first appearance."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[member]


def loose_ngram(texts: Sequence[str]) -> int:
    """The n-gram length at which about half in common means "nearly the same sentence".

    2 where at least half of the letters are Chinese, Japanese or Korean, else 4: both are about a word. Bigrams of Latin
    letters are so few that most short sentences share half of them: at .5 they chain 11,707 of Banking77's 13,071 texts.
    """
    counts = character_counts(texts)
    points = np.flatnonzero(counts)
    letters = np.array([chr(point).isalpha() for point in points.tolist()], bool)
    dense = np.zeros(len(points), bool)
    for low, high in SYLLABLES:
        dense |= (points >= low) & (points <= high)
    return 2 if 2 * counts[points[dense]].sum() >= max(counts[points[letters]].sum(), 1) else 4


def _words(plain: str) -> str:
    return _between_words().sub(" ", plain).strip()


@functools.cache
def _between_words() -> re.Pattern[str]:
    """Runs of spaces, controls, punctuation and of symbols that are no pictures."""
    ranges: list[list[int]] = []
    for point in range(0x10000):
        category = unicodedata.category(chr(point))
        if category[0] in "ZCP" or category in ("Sc", "Sk", "Sm"):
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return re.compile("[" + "".join(f"\\u{low:04x}-\\u{high:04x}" for low, high in ranges) + "]+")


def unique_texts(texts: Iterable[str]) -> tuple[list[str], Rows, Rows]:
    """The different normalised texts, sorted; the first row of each; and the place of each row's text among them."""
    number: dict[str, int] = {}
    member = np.fromiter((number.setdefault(normalise(text), len(number)) for text in texts), np.int64)
    first = np.unique(member, return_index=True)[1]
    unique = sorted(number)
    order = np.fromiter((number[text] for text in unique), np.int64, len(unique))
    place = np.empty(len(unique), np.int64)
    place[order] = np.arange(len(unique))
    return unique, first[order].astype(np.int64), place[member]
