"""Noise: the mistakes of typing, hearing and scanning, in many texts at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ratchet.augment.augmenter import Augmenter, Making
from ratchet.augment.confusions import (
    KEYBOARD,
    PUNCTUATION,
    SCAN,
    SCAN_PAIRS,
    SCAN_SPLIT,
    SHAPES,
    SOUNDS,
    Confusions,
    read_sounds,
)
from ratchet.augment.drafts import Drafts
from ratchet.augment.draws import Draw, Keys, drawn, keys_of, ranks
from ratchet.augment.pieces import Ints, Mask
from ratchet.augment.source import Source
from ratchet.errors import RatchetError
from ratchet.recipe.augment import NoiseSpec

Change = Callable[[str, str, float], tuple[str, bool]]
"""What becomes of a character, given the next one and a number in [0, 1), and whether the next one is gone with it."""

_BLOCK = 4096  # texts worked on at a time; bounds the memory, not the result
_WIDE = 0xFEE0  # from an ASCII character to the same in full width
ABOUT = {
    "keyboard": "a neighbouring key",
    "scan": "misread letters (0 and O, rn and m)",
    "sound": "another character of that sound",
    "shape": "a character of like shape",
    "width": "full or half width",
    "case": "upper or lower case",
    "punctuation": "punctuation",
    "drop": "letters left out",
    "double": "letters doubled",
    "space": "spaces left out or put in",
}
"""Each operation in words."""
OPERATIONS = tuple(ABOUT)
"""All operations, in the order in which a report has them."""


class Noise(Augmenter[NoiseSpec]):
    """Variants of each text, each by one kind of mistake in ``alpha`` of its characters (at least one).

    A text that cannot bear the mistake drawn gets the next one. What happens to a text depends on the seed and on the text
    alone.
    """

    name, spec = "noise", NoiseSpec

    def drafts(self, spec: NoiseSpec, source: Source, making: Making) -> Drafts:
        """As `Augmenter.drafts`."""
        sounds = read_sounds(Path(spec.sounds)) if spec.sounds else None
        made, names = list[str | None](), list[str]()
        for copy in range(spec.copies):
            new, done = _noised(
                source.texts, spec.operations, alpha=spec.alpha, seed=making.seed, copy=copy, sounds=sounds
            )
            made += new
            names += done
        parent = np.tile(np.arange(len(source.texts), dtype=np.int64), spec.copies)
        return Drafts(texts=made, parent=parent, operation=names)


def noisy(texts: Sequence[str], operation: str, *, alpha: float, seed: int) -> list[str | None]:
    """Each text with one kind of mistake; ``None`` where the text cannot bear it.

    Args:
        texts: n texts.
        operation: one of `OPERATIONS`.
        alpha: share of the characters that is changed; at least one is.
        seed: of the draws.

    Raises:
        RatchetError: there is no such operation.
    """
    if operation not in OPERATIONS:
        raise RatchetError(f"operation must be one of {', '.join(OPERATIONS)} but got {operation!r}.")
    return _noised(texts, (operation,), alpha=alpha, seed=seed)[0]


def _noised(
    texts: Sequence[str],
    operations: Sequence[str],
    *,
    alpha: float,
    seed: int,
    copy: int = 0,
    sounds: Confusions | None = None,
) -> tuple[list[str | None], list[str]]:
    """A variant of each text and the operation, as `_variants`, some texts at a time."""
    made, names = list[str | None](), list[str]()
    for first in range(0, len(texts), _BLOCK):
        block = [*texts[first : first + _BLOCK]]
        keys = keys_of(block, seed=seed, copy=copy)
        new, done = _variants(block, keys, operations=operations, alpha=alpha, sounds=sounds)
        made += new
        names += done
    return made, names


def _variants(
    texts: list[str], keys: Keys, *, operations: Sequence[str], alpha: float, sounds: Confusions | None
) -> tuple[list[str | None], list[str]]:
    """One variant of each text, ``None`` where no operation is possible, and the operation."""
    whole, length = "".join(texts), np.array([len(text) for text in texts], np.int64)
    start = np.concatenate(([0], np.cumsum(length)))
    row = np.repeat(np.arange(len(texts)), length)
    able, visible = _able(whole, row, texts=len(texts), operations=operations, sounds=sounds)
    operation = drawn(keys, [np.bincount(row[mask], minlength=len(texts)) > 0 for mask in able])
    draw = Draw(keys, row=row, position=np.arange(len(row)) - start[row])
    mine = np.zeros(len(row), bool)
    for number, mask in enumerate(able):
        mine |= mask & (operation == number)[row]
    rank, _ = ranks(np.where(mine, draw.uniform(1), 2.0), row, start)
    chosen = np.flatnonzero(mine & (rank < np.maximum(1, np.rint(alpha * visible)).astype(np.int64)[row]))
    changes = [_change(name, sounds) for name in operations]
    marks, last = [*whole], -1
    for at, number, value in zip(
        chosen.tolist(), operation[row[chosen]].tolist(), draw.uniform(2)[chosen].tolist(), strict=True
    ):
        if at > last:
            following = whole[at + 1] if at + 1 < len(whole) and row[at + 1] == row[at] else ""
            marks[at], taken = changes[number](whole[at], following, value)
            last = at + taken
            if taken:
                marks[last] = ""
    ends, does_what = start.tolist(), [*operations, "none"]
    new = [
        "".join(marks[first:end]) if can >= 0 else None
        for first, end, can in zip(ends[:-1], ends[1:], operation.tolist(), strict=True)
    ]
    return new, [does_what[number] for number in operation.tolist()]


def _able(
    whole: str, row: Ints, *, texts: int, operations: Sequence[str], sounds: Confusions | None
) -> tuple[list[Mask], Ints]:
    """For each operation which characters can bear it, and how many visible characters each text has."""
    codes = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)
    distinct, place = np.unique(codes, return_inverse=True)
    marks = [chr(code) for code in distinct.tolist()]

    def where(test: Callable[[str], bool]) -> Mask:
        return np.array([test(one) for one in marks], bool)[place]

    visible = np.bincount(row[where(lambda one: not one.isspace())], minlength=texts)
    letter = where(str.isalnum)
    inside = np.zeros(len(row), bool)
    inside[:-1] = letter[:-1] & letter[1:] & (row[:-1] == row[1:])
    found = {
        "width": where(lambda one: "!" <= one <= "~" or "！" <= one <= "～"),
        "case": where(lambda one: one != one.swapcase() and len(one.swapcase()) == 1),
        "drop": letter & (visible > 1)[row],
        "double": where(str.isalpha),
        "space": inside | where(lambda one: one == " "),
    }
    for name in operations:
        if name not in found:
            table = _table(name, sounds)
            found[name] = where(table.__contains__)
    return [found[name] for name in operations], visible


def _table(operation: str, sounds: Confusions | None) -> Confusions:
    """What each character is taken for."""
    match operation:
        case "keyboard":
            return KEYBOARD
        case "scan":
            return SCAN
        case "sound":
            return SOUNDS if sounds is None else sounds
        case "shape":
            return SHAPES
        case _:
            return PUNCTUATION


def _change(operation: str, sounds: Confusions | None) -> Change:
    """What an operation makes of a character."""
    match operation:
        case "scan":
            return _scanned
        case "width":
            return lambda one, _, __: (chr(ord(one) + (_WIDE if one <= "~" else -_WIDE)), False)
        case "case":
            return lambda one, _, __: (one.swapcase(), False)
        case "drop":
            return lambda _, __, ___: ("", False)
        case "double":
            return lambda one, _, __: (one * 2, False)
        case "space":
            return lambda one, _, __: ("" if one == " " else f"{one} ", False)
        case "punctuation":
            return lambda one, _, value: (_picked(PUNCTUATION[one] + "\0", value).strip("\0"), False)
        case _:
            table = _table(operation, sounds)
            return lambda one, _, value: (_picked(table[one], value), False)


def _scanned(one: str, following: str, value: float) -> tuple[str, bool]:
    """A letter that is misread; two that are read as one, or one that is read as two, wherever there are such."""
    if (both := SCAN_PAIRS.get(one + following)) is not None:
        return both, True
    return SCAN_SPLIT.get(one) or _picked(SCAN[one], value), False


def _picked(among: str, value: float) -> str:
    return among[int(value * len(among))]
