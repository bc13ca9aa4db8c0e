"""The fast grouping is the slow one, for any texts."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ratchet.checks.context import Texts
from ratchet.near.copies import exact_groups, normalise, same_words, wording
from ratchet.near.fingerprints import _tables, same_cells, shared
from ratchet.near.scan import scan
from ratchet.text.columns import coded, picked

PIECES = st.sampled_from(
    [
        *("a", "A", "Ａ", "é", "e\u0301", "ß", "ss", "ﬁ", "fi", "K", "k", "\u212a", "İ", "i\u0307", "Ж", "ж", "😀"),
        *("中", "文", "一", "\u2f00", "，", ",", " ", "\u3000", "\u200b", "①", "1", "１", "١"),
        *("が", "か\u3099", "か\uff9e", "ガ", "ｶﾞ", "각", "\u1100\u1161\u11a8", "가\u11a8", "ㄱ"),
    ]
)


def fingerprints(texts: pa.Array) -> Any:
    return scan(texts)["print"]


def groups(texts: list[str], form: Callable[[str], str]) -> Any:
    found = Texts(column=pa.chunked_array([pa.array(texts, pa.string())]))
    return found.groups(form)[found.member]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=4).map("".join), max_size=12))
@example(["\u212b", "å", "A\u030a"])
@example(["ｶﾞ", "ガ", "カ\u3099"])
@example(["", " ", "!", "?"])
@example(["ab中", "a b.中", "ba中", "b\u00e0中", "ＢＡ中", "中\u0301ab", "!"])
def test_it_gives_the_groups_of_the_slow_road(texts: list[str]) -> None:
    for form in (normalise, wording, same_words):
        assert np.array_equal(groups(texts, form), exact_groups(texts, form=form))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=8), st.lists(st.text(max_size=5), max_size=4))
def test_for_any_characters(texts: list[str], others: list[str]) -> None:
    every = [*texts, *(text.upper() for text in texts), *(normalise(text) for text in texts), *others]
    for form in (normalise, wording):
        assert np.array_equal(groups(every, form), exact_groups(every, form=form))


CELLS = st.lists(st.none() | st.sampled_from(["", "a", "A", "ab", "ba", "中文", "文中", "中文。", "!"]), max_size=14)


@settings(max_examples=300, deadline=None)
@given(CELLS, st.lists(st.integers(0, 14), max_size=3), st.integers(0, 40))
def test_cells_are_numbered_as_by_a_dictionary(cells: list[str | None], cuts: list[int], more: int) -> None:
    cells += [f"中{i:o}" for i in range(more)]  # many different ones, so that they need not be coded
    bounds = sorted({0, len(cells), *(min(cut, len(cells)) for cut in cuts)})
    column = pa.chunked_array([pa.array(cells[a:b], pa.string()) for a, b in itertools.pairwise(bounds)], pa.string())
    first, member = same_cells(column, fingerprints(pa.array(cells, pa.string())))
    values, expected = coded(column)
    assert member.tolist() == expected.tolist()
    assert [cells[row] for row in first] == values.to_pylist()
    assert picked(column, first).to_pylist() == values.to_pylist()
    assert picked(column, first[::-1]).to_pylist() == values.to_pylist()[::-1]


def test_most_texts_are_never_normalised() -> None:
    rng = random.Random(0)
    texts = ["".join(rng.choices("中文评论服务，。！abcABC12 ", k=30)) for _ in range(2_000)]
    prints = fingerprints(pa.array([*texts, texts[5], texts[7].replace("，", ",")]))
    assert shared(prints).tolist() == [5, 7, 2_000, 2_001]


def test_texts_that_differ_in_the_order_of_their_characters_are_never_normalised() -> None:
    texts = [f"您的订单 {number:05} 已发货，Order №{number}" for number in range(20_000)]
    looked_at = []

    def form(text: str) -> str:
        looked_at.append(text)
        return normalise(text)

    assert len(np.unique(groups([*texts, texts[77].upper(), texts[78] + "。"], form))) == len(texts) + 1
    assert len(looked_at) == 4


def test_every_character_that_becomes_a_letter_is_known_to() -> None:
    stable, risky = _tables()
    for point in range(0x80, 0x30000):
        plain = normalise(chr(point)) if not 0xD800 <= point <= 0xDFFF else ""
        if not risky[point]:
            assert [stable[ord(character)] for character in plain if stable[ord(character)]] == (
                [stable[point]] if stable[point] else []
            )
