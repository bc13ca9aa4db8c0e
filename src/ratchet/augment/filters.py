"""Which new texts may be trained on: one road for all augmenters, each refusal with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ratchet.augment.drafts import Drafts
from ratchet.augment.source import Ints, Source
from ratchet.errors import DataError
from ratchet.near.copies import near_pairs, normalise, same_words, same_words_of
from ratchet.near.pairs import similar_pairs
from ratchet.recipe.augment import AugmentFilters
from ratchet.text.joined import parted
from ratchet.text.language import language_of
from ratchet.text.personal import brief

Mask = npt.NDArray[np.bool_]
Agrees = Callable[[Sequence[str], Sequence[str], Ints], Mask]
"""Whether a model that never saw the parents gives the texts these labels: asked with texts, labels and parents."""
Alike = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.float64]]
"""How like each text is to its parent, from 0 to 1."""


class Leak(DataError):
    """New texts repeat rows that must stay unseen, and their parents do not explain it."""


REASONS = (
    "nothing_to_change",
    "unchanged",
    "copy_of_train",
    "texts_run_together",
    "length",
    "language",
    "near_train",
    "near_protected",
    "label",
    "meaning",
    "two_labels",
    "copy_of_augmented",
)
"""Why a text was not kept, in the order in which they are asked."""
_SHORT = 8
_LEAKS, _LEAK_SHARE = 3, 0.01
"""So many drafts, and this share of them, that are near a row their parent is not like: that is no accident."""
_FAR = 0.35


class Protected:
    """Texts that must stay unseen (the valid and the test part), of which no new text may be a copy or a near-copy.

    As between the parts, a text of the same words is a copy, however short it is and whatever stands between the words.

    >>> near_to(["a clean and quiet room", "top up?"])(["A clean, and quiet room", "top-up", "the food was cold"]).tolist()
    [True, True, False]
    """

    def __init__(self, texts: Iterable[str], *, threshold: float, ngram: int) -> None:
        self.texts = list(dict.fromkeys(texts))
        self.threshold, self._ngram = threshold, ngram
        self._copies = {normalise(text): place for place, text in reversed([*enumerate(self.texts)])}
        self._words = {
            same_words_of(plain): place for plain, place in sorted(self._copies.items(), key=lambda one: -one[1])
        }

    def __call__(self, candidates: Sequence[str]) -> Mask:
        """(n,) whether each is too close to one of them."""
        return self.met(candidates) >= 0

    def met(self, candidates: Sequence[str]) -> Ints:
        """(n,) the place of the protected text that each is too close to; -1: none."""
        plain = [normalise(text) for text in candidates]
        found = np.array([self._words.get(same_words_of(text), -1) for text in plain], dtype=np.int64)
        if not self.texts or not plain:
            return found
        near = self._near(sorted({text for text, place in zip(plain, found.tolist(), strict=True) if place < 0}))
        return np.array([near.get(text, place) for text, place in zip(plain, found.tolist(), strict=True)], np.int64)

    def _near(self, candidates: Sequence[str]) -> dict[str, int]:
        kept = {text for text in self._copies if text}
        both = sorted({*candidates, *kept} - {""})
        asked = set(candidates)
        sides = np.array([2 if text not in asked else 1 for text in both], np.int8)
        pairs = similar_pairs(both, n=self._ngram, threshold=self.threshold, sides=sides)
        found: dict[str, int] = {}
        for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
            new, old = (left, right) if sides[left] == 1 else (right, left)
            found.setdefault(both[new], self._copies[both[old]])
        return found


def near_to(texts: Iterable[str], *, threshold: float = 0.7, ngram: int = 3) -> Protected:
    """What says which texts are copies or near-duplicates of these."""
    return Protected(texts, threshold=threshold, ngram=ngram)


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """New rows that may be trained on, and how many were rejected for which reason."""

    texts: list[str]
    labels: list[str]
    parent: Ints
    """(new,) the row of the source each was made from; -1: none."""
    place: Ints
    """(new,) which of the drafts each is."""
    operation: list[str]
    rejected: dict[str, int]
    parents: list[Sequence[int]] = field(default_factory=list)
    """(new,) all rows of the source that each was made from, ``parent`` first."""
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class _Sieve:
    """Drafts that are still in, and the reasons of those that are not."""

    texts: list[str]
    kept: list[int]
    rejected: dict[str, int]

    def drop(self, reason: str, bad: Iterable[bool]) -> None:
        """Reject those of the kept for which ``bad`` is true."""
        still = [place for place, out in zip(self.kept, bad, strict=True) if not out]
        self.rejected[reason] += len(self.kept) - len(still)
        self.kept = still

    def now(self) -> list[str]:
        return [self.texts[place] for place in self.kept]


def keep(
    drafts: Drafts,
    source: Source,
    *,
    filters: AugmentFilters,
    about: str = "The augmenter",
    protected: Protected | None = None,
    agrees: Agrees | None = None,
    alike: Alike | None = None,
) -> Made:
    """The drafts that pass all filters, in their order.

    Args:
        drafts: what was made from ``source``.
        source: the training rows.
        filters: which filters, and how strict.
        about: names the augmenter in a message.
        protected: the texts of every other part.
        agrees: who is asked for the label, where ``filters.label`` says so.
        alike: what measures the meaning, where ``filters.meaning`` says so.

    Raises:
        Leak: the augmenter makes copies or near-copies of protected rows which their parents are not like.
    """
    sieve = _Sieve(
        texts=["" if text is None else text for text in drafts.texts], kept=[], rejected=dict.fromkeys(REASONS, 0)
    )
    parent = drafts.parent
    _fresh(sieve, drafts, source)
    if source.texts_a_row > 1:
        sieve.drop("texts_run_together", (len(parted(text)) != source.texts_a_row for text in sieve.now()))
    _unlike_parent(sieve, parent, source, filters=filters)
    if filters.near is not None:
        sieve.drop("near_train", _near_others(sieve, drafts, source, threshold=filters.near))
    if protected is not None and sieve.kept:
        met = protected.met(sieve.now())
        _stop_leak(sieve, met, drafts, source, protected, about=about)
        sieve.drop("near_protected", (met >= 0).tolist())
    labels = [source.labels[row] for row in parent.tolist()] if drafts.labels is None else list(drafts.labels)
    if filters.label and agrees is not None and sieve.kept:
        same = agrees(sieve.now(), [labels[place] for place in sieve.kept], parent[sieve.kept])
        sieve.drop("label", (~same).tolist())
    if filters.meaning and alike is not None and sieve.kept and (parent >= 0).all():
        like = alike(sieve.now(), _parent_texts(sieve, parent, source))
        sieve.drop("meaning", (like < filters.meaning).tolist())
    _once(sieve, drafts, source, labels)
    return Made(
        texts=sieve.now(),
        labels=[labels[place] for place in sieve.kept],
        parent=parent[sieve.kept],
        place=np.array(sieve.kept, np.int64),
        operation=[drafts.operation[place] for place in sieve.kept],
        rejected=sieve.rejected,
        parents=[_parents(drafts, place) for place in sieve.kept],
        facts=drafts.facts,
    )


def _parents(drafts: Drafts, place: int) -> Sequence[int]:
    return [int(drafts.parent[place])] if drafts.parents is None else drafts.parents[place]


def _fresh(sieve: _Sieve, drafts: Drafts, source: Source) -> None:
    """Keep those that are neither empty nor a copy of a row; the words of its parent are no other row's."""
    own = [normalise(text) for text in source.texts]
    train = {*own, *map(same_words_of, own)}
    for place, (draft, parent) in enumerate(zip(drafts.texts, drafts.parent.tolist(), strict=True)):
        normal, of = "" if draft is None else normalise(draft), own[parent] if parent >= 0 else ""
        words = same_words_of(normal)
        if draft is None:
            reason = drafts.failed.get(place, "nothing_to_change")
        elif normal in ("", of):
            reason = "unchanged"
        elif normal in train or (words in train and words != same_words_of(of)):
            reason = "copy_of_train"
        else:
            sieve.kept.append(place)
            continue
        sieve.rejected[reason] = sieve.rejected.get(reason, 0) + 1


def _once(sieve: _Sieve, drafts: Drafts, source: Source, labels: Sequence[str]) -> None:
    """Keep one of the texts of the same words, and none where they come with two labels; the order of the rows has no say.

    Variants of one parent may share their words, but are no copies of each other.
    """
    alike: dict[str, list[int]] = {}
    for place, text in zip(sieve.kept, sieve.now(), strict=True):
        alike.setdefault(same_words(text), []).append(place)
    torn = {place for of in alike.values() if len({labels[one] for one in of}) > 1 for place in of}
    sieve.drop("two_labels", [place in torn for place in sieve.kept])
    copies = {place for of in alike.values() if of[0] not in torn for place in _copies(of, sieve, drafts, source)}
    sieve.drop("copy_of_augmented", [place in copies for place in sieve.kept])


def _copies(places: Sequence[int], sieve: _Sieve, drafts: Drafts, source: Source) -> Iterator[int]:
    """Those of some texts of the same words that are copies of one which comes before them, by parent and text."""
    parents = {place: int(drafts.parent[place]) for place in places}
    ranked = sorted(places, key=lambda place: (_parent_text(parents[place], source), sieve.texts[place], place))
    first, taken = _parent_text(parents[ranked[0]], source), set[str]()
    for place in ranked:
        plain, parent = normalise(sieve.texts[place]), _parent_text(parents[place], source)
        if plain in taken or (taken and (parent != first or parents[place] < 0)):
            yield place
        taken.add(plain)


def _parent_text(parent: int, source: Source) -> str:
    return normalise(source.texts[parent]) if parent >= 0 else ""


def _parent_texts(sieve: _Sieve, parent: Ints, source: Source) -> list[str]:
    return [source.texts[parent[place]] for place in sieve.kept]


def _unlike_parent(sieve: _Sieve, parent: Ints, source: Source, *, filters: AugmentFilters) -> None:
    """Drop what is too long or too short for its parent, or in another language; rows without a parent stay."""
    if not (parent >= 0).all():
        return
    sieve.drop(
        "length",
        map(lambda new, old: _misfit(new, old, filters.longer), sieve.now(), _parent_texts(sieve, parent, source)),
    )
    if filters.language:
        sieve.drop("language", map(_other_language, sieve.now(), _parent_texts(sieve, parent, source)))


def _misfit(new: str, old: str, longer: float) -> bool:
    if len(old) < _SHORT:
        return False
    return len(new) > longer * len(old) or len(new) * longer < len(old)


def _other_language(new: str, old: str) -> bool:
    theirs, ours = language_of(new), language_of(old)
    return theirs != ours and "mixed" not in (theirs, ours) and ours != "none"


def _near_others(sieve: _Sieve, drafts: Drafts, source: Source, *, threshold: float) -> list[bool]:
    """Whether each is near a training row that is not its parent, or a new text of another parent that is kept.

    New texts are looked at in the order of their letters, so that the order of the rows has no say.
    """
    parents = [_parent_text(int(drafts.parent[place]), source) for place in sieve.kept]
    texts, made = [*map(normalise, sieve.now())], dict[str, set[str]]()
    for text, parent in zip(texts, parents, strict=True):
        made.setdefault(text, set()).add(parent)
    new, rows = sorted(made), [*map(normalise, source.texts)]
    pairs = near_pairs([*rows, *new], threshold=threshold)
    near: list[list[int]] = [[] for _ in new]
    for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True):
        if right >= len(rows):
            near[right - len(rows)].append(left)
    kept: dict[str, set[str]] = {}
    for text, of in zip(new, near, strict=True):
        others = set[str]().union(*(kept[new[one - len(rows)]] if one >= len(rows) else {rows[one]} for one in of))
        kept[text] = {parent for parent in made[text] if not (others - {parent} if parent else others)}
    return [parent not in kept[text] for text, parent in zip(texts, parents, strict=True)]


def _stop_leak(sieve: _Sieve, met: Ints, drafts: Drafts, source: Source, protected: Protected, *, about: str) -> None:
    """Refuse an augmenter that knows rows it must not know.

    A variant of a training row comes near a held-out row by chance only where the training row is like that row already.

    Raises:
        Leak: too many new texts are near a protected row that their parents are not like.
    """
    leaks = [
        (place, int(row))
        for place, row in zip(sieve.kept, met.tolist(), strict=True)
        if row >= 0
        and drafts.parent[place] >= 0
        and all(
            _jaccard(source.texts[one], protected.texts[row]) < min(_FAR, protected.threshold / 2)
            for one in _parents(drafts, place)
        )
    ]
    leaks = [*{same_words(sieve.texts[place]): (place, row) for place, row in reversed(leaks)}.values()][::-1]
    if len(leaks) < _LEAKS or len(leaks) < _LEAK_SHARE * len(drafts.texts):
        return
    place, row = leaks[0]
    raise Leak(
        f"{about} must make new texts from training rows alone, but {len(leaks):,} of its {len(drafts.texts):,} texts repeat a "
        f"valid or test row that the row they are made from is not like; the first is {_short(sieve.texts[place])}, made from "
        f"{_short(source.texts[drafts.parent[place]])}, and repeats {_short(protected.texts[row])}.",
        next_step="Look where its texts come from: what knows these rows cannot be measured on them.",
    )


def _short(text: str) -> str:
    return repr(brief(text, most=80))


def _jaccard(left: str, right: str) -> float:
    """How like the words of two texts are, by 3-grams; by shorter ones where a text is shorter than that."""
    words = same_words(left), same_words(right)
    n = max(1, min(3, *map(len, words)))
    ours, theirs = (_grams(one, n) for one in words)
    return len(ours & theirs) / max(1, len(ours | theirs))


def _grams(text: str, n: int) -> set[str]:
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))}
