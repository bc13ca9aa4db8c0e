from __future__ import annotations

import pytest

from ratchet.augment.filters import near_to

KEPT = ["The room was clean and quiet.", "房间很干净，服务也很好", "ok"]


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("The room was clean and quiet.", True),
        ("the room  was CLEAN and quiet.", True),
        ("The room was clean and quiet!!", True),
        ("房间很干净，服务也很好！", True),
        ("ＯＫ", True),
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
