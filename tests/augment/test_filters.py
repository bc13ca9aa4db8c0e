from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ratchet.augment.drafts import Drafts
from ratchet.augment.filters import Mask, keep, near_to
from ratchet.augment.source import Ints, Source
from ratchet.errors import DataError
from ratchet.recipe.augment import AugmentFilters

KEPT = ["The room was clean and quiet.", "房间很干净，服务也很好", "ok", "top up?", "好的！", "it's late!", "?!"]


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("The room was clean and quiet.", True),
        ("the room  was CLEAN and quiet.", True),
        ("The room was clean and quiet!!", True),
        ("房间很干净，服务也很好！", True),
        ("ＯＫ", True),
        ("ok!", True),
        ("top-up", True),
        ("top up now", False),
        ("好的。", True),
        ("好", False),
        ("it’s late", True),
        ("?!", True),
        ("!", False),
        ("The food was cold and late.", False),
        ("房间很大", False),
        ("", False),
    ],
)
def test_copies_and_near_copies(text: str, close: bool) -> None:
    assert near_to(KEPT)([text, "something else"]).tolist() == [close, False]
    assert near_to([*KEPT, *KEPT])([text] * 2).tolist() == [close] * 2


def test_nothing_protected_and_nothing_asked() -> None:
    assert near_to([])(["a", "b"]).tolist() == [False, False]
    assert near_to(KEPT)([]).tolist() == []


def test_the_threshold() -> None:
    text = "The room was clean but noisy."
    assert near_to(KEPT, threshold=0.4)([text]).tolist() == [True]
    assert near_to(KEPT, threshold=0.9)([text]).tolist() == [False]


def drafts(*texts: str | None, parent: Sequence[int] | None = None) -> Drafts:
    rows = range(len(texts)) if parent is None else parent
    return Drafts(texts=texts, parent=np.array(rows, np.int64), operation=["copied"] * len(texts))


def source(*texts: str, **more: Any) -> Source:
    return Source(texts=texts, labels=[f"label {i}" for i in range(len(texts))], language="en", **more)


def kept(made: Drafts, of: Source, **more: Any) -> dict[str, int]:
    more.setdefault("filters", AugmentFilters())
    found = keep(made, of, **more)
    assert len(found.texts) + sum(found.rejected.values()) == len(made.texts)
    assert found.labels == [f"label {row}" for row in found.parent.tolist()]
    return {reason: count for reason, count in found.rejected.items() if count}


@pytest.mark.parametrize(
    ("parent", "new", "reason"),
    [
        ("the room was clean", "the room was very clean", ""),
        ("the room was clean", None, "nothing_to_change"),
        ("the room was clean", "  ", "unchanged"),
        ("the room was clean", "The  ROOM was clean", "unchanged"),
        ("the room was clean", "another row", "copy_of_train"),
        ("the room was clean", "another, row!", "copy_of_train"),
        ("the room was clean", "the room was clean?!", ""),
        ("the room was clean", "clean", "length"),
        ("the room was clean", "the room was clean " * 4, "length"),
        ("ok", "everything was all right", ""),
        ("the room was clean", "房间很干净，服务也好", "language"),
        ("房间很干净，服务也好", "the room is clean", "language"),
        ("房间很干净，wifi也好", "房间很干净", ""),
    ],
)
def test_one_reason_for_each_draft(parent: str, new: str | None, reason: str) -> None:
    assert kept(drafts(new), source(parent, "another row")) == ({reason: 1} if reason else {})


def test_a_reason_of_the_augmenter_is_counted() -> None:
    made = Drafts(texts=[None, None], parent=np.array([0, 0]), operation=["asked"] * 2, failed={1: "refused"})
    assert kept(made, source("a text")) == {"nothing_to_change": 1, "refused": 1}


def test_texts_of_a_row_stay_apart() -> None:
    assert kept(drafts("one"), source("one\u2029two", texts_a_row=2)) == {"texts_run_together": 1}


def test_near_another_row_of_its_part() -> None:
    rows = source("we liked the clean and quiet room", "the breakfast was cold and late again")
    new = drafts("we liked the clean and quiet rooms", "we liked the clean and quiet room!! now", parent=[0, 1])
    assert kept(new, rows) == {}
    assert kept(new, rows, filters=AugmentFilters(near=0.7)) == {"near_train": 1}


def test_label_and_meaning_are_asked_last_and_of_those_still_in() -> None:
    asked: list[list[str]] = []

    def agrees(texts: Sequence[str], labels: Sequence[str], parent: Ints) -> Mask:
        asked.append([*texts])
        assert [f"label {row}" for row in parent.tolist()] == list(labels)
        return np.array([text != "row one b" for text in texts])

    def alike(texts: Sequence[str], parents: Sequence[str]) -> npt.NDArray[np.float64]:
        asked.append([*texts])
        assert list(parents) == ["row one", "row one"]
        return np.array([0.5, 0.2])

    new = drafts("row one a", "row one b", "row one c", None, parent=[0, 0, 0, 0])
    more = {"agrees": agrees, "alike": alike, "filters": AugmentFilters(label=0.5, meaning=0.3)}
    assert kept(new, source("row one"), **more) == {"nothing_to_change": 1, "label": 1, "meaning": 1}
    assert asked == [["row one a", "row one b", "row one c"], ["row one a", "row one c"]]


def labelled(order: Sequence[int]) -> tuple[Drafts, Source]:
    """Drafts of three rows in an order: two of them of the same words."""
    rows = [("the room was clean", "good"), ("the rooms was clean", "bad"), ("we liked the room", "good")]
    made = ["the roomy was clean", "the roomy was clean!", "we liked the roomy"]
    drawn = Source(texts=[rows[row][0] for row in order], labels=[rows[row][1] for row in order], language="en")
    return drafts(*(made[row] for row in order)), drawn


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_text_that_comes_with_two_labels_is_left_out_in_any_order(order: Sequence[int]) -> None:
    new, rows = labelled(order)
    found = keep(new, rows, filters=AugmentFilters())
    assert found.texts == ["we liked the roomy"]
    assert found.rejected["two_labels"] == 2


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_text_that_a_filter_rejects_is_not_lost_for_the_right_row(order: Sequence[int]) -> None:
    new, rows = labelled(order)

    def agrees(texts: Sequence[str], labels: Sequence[str], parent: Ints) -> Mask:
        return np.array([label == "good" for label in labels])

    found = keep(new, rows, filters=AugmentFilters(label=0.5), agrees=agrees)
    assert {*zip(found.texts, found.labels, strict=True)} == {
        ("the roomy was clean", "good"),
        ("we liked the roomy", "good"),
    }


@pytest.mark.parametrize("near", [None, 0.7])
@pytest.mark.parametrize("turned", [False, True])
def test_which_copy_is_kept_does_not_depend_on_the_order_of_the_rows(turned: bool, near: float | None) -> None:
    texts = ["the card is late", "the card is very late today", "we paid the fee on Monday", "hello"]
    made = ["a card is late", "a card, is late", "we paid a fee on Monday", "hello, you"]
    if turned:
        texts, made = texts[::-1], made[::-1]
    rows = Source(texts=texts, labels=["one"] * 4, language="en")
    found = keep(drafts(*made), rows, filters=AugmentFilters(near=near))
    parents = {text: texts[row] for text, row in zip(found.texts, found.parent.tolist(), strict=True)}
    assert parents == {
        "a card is late": "the card is late",
        "we paid a fee on Monday": "we paid the fee on Monday",
        "hello, you": "hello",
    }


def test_variants_of_one_row_may_share_their_words() -> None:
    new = drafts("well, its late", "well its, late", "well its, late", parent=[0, 0, 0])
    assert kept(new, source("its late")) == {"copy_of_augmented": 1}


TEST = [
    f"the {name} was broken when the parcel came on {day}" for name in ("lamp", "chair") for day in ("Monday", "Friday")
]


def test_an_augmenter_that_knows_test_rows_is_stopped_and_named() -> None:
    rows = source(*(f"my card number {i} does not work in the shop" for i in range(20)))
    new = drafts(*(f"{rows.texts[i]} today" for i in range(16)), *(f"{text}!" for text in TEST))
    with pytest.raises(
        DataError, match=r"The paraphraser must make .* but 4 of its 20 .*'the lamp was .*'my card number 16"
    ):
        kept(new, rows, protected=near_to(TEST), about="The paraphraser")


def test_rows_that_are_like_a_test_row_are_left_out_without_a_stop() -> None:
    rows = source(*(text.replace("parcel came", "box came") for text in TEST))
    assert kept(drafts(*TEST), rows, protected=near_to(TEST)) == {"near_protected": 4}


def test_short_rows_that_share_their_words_with_a_test_row_are_left_out_without_a_stop() -> None:
    rows, test = source("很好吃", "top up now", "not ok", "好的呢"), ["很好！", "top-up?", "Ok.", "好的。"]
    assert kept(drafts("很好", "top up", "ok", "好的"), rows, protected=near_to(test)) == {"near_protected": 4}


def test_a_text_of_several_parents_is_no_leak_where_any_of_them_is_like_the_test_row() -> None:
    like = [text.replace("parcel came", "box came") for text in TEST]
    rows = source(*(f"my card number {row} is somewhere else" for row in range(len(TEST))), *like)
    alone = drafts(*TEST)
    with pytest.raises(DataError, match="valid or test row that the row they are made from is not like"):
        kept(alone, rows, protected=near_to(TEST))
    both = replace(alone, parents=[(row, len(TEST) + row) for row in range(len(TEST))])
    assert kept(both, rows, protected=near_to(TEST)) == {"near_protected": len(TEST)}
