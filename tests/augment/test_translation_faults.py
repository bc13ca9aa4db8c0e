"""What is wrong with a translation."""

from __future__ import annotations

import pytest

from ratchet.augment.translation_faults import expected, expected_like, repeats

ENGLISH = [f"the room number {n} was clean and {word} but the breakfast was cold" for n, word in enumerate("abc")]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("", 0),
        ("...", 0),
        ("the", 1),
        ("the the the the", 4),
        ("a b a b a b end", 3),
        ("start no way, no way, no way, no way", 4),
        ("很好很好很好很好", 4),
        ("a b c d e f g h " * 3, 3),
        ("the cat and the dog and the bird", 1),
    ],
)
def test_repeats_are_counted(text: str, times: int) -> None:
    assert repeats(text) == times


@pytest.mark.parametrize(
    ("language", "new", "old", "fault"),
    [
        ("Chinese", "房间很干净", "the room was clean", ""),
        ("Chinese", "  ", "the room was clean", "empty"),
        ("Chinese", "!!! 12", "the room was clean", "empty"),
        ("Chinese", "the room was clean", "the room was clean", "language"),
        ("Chinese", "部屋はとてもきれいでした", "the room was clean", "language"),
        ("chinese", "комната", "room", "language"),
        ("English", "the the the the the", "房间", "repeats"),
        ("English", "very very very very good", "very very very very nice", ""),
        ("Klingon", "nuqneH", "what", ""),
        ("Klingon", "", "what", "empty"),
    ],
)
def test_a_translation_into_a_language(language: str, new: str, old: str, fault: str) -> None:
    assert expected(language).faults([new], [old]) == [fault]


def test_a_translation_back_is_written_as_its_text_is() -> None:
    back = expected_like(ENGLISH)
    assert back.faults(
        ["the room was tidy", "房间", "комната была", "room 房间很好"], ["the room"] * 3 + ["room 房间很好"]
    ) == [
        "",
        "language",
        "language",
        "",
    ]


def test_a_longer_text_of_unknown_words_is_in_another_language() -> None:
    words = [f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(250)]
    back = expected_like([" ".join(words), *ENGLISH])
    spanish = "el cuarto estaba muy limpio pero frío"
    other_words = "this spotless room was cleaned twice but the coffee was awful"
    assert back.faults([spanish, other_words, "el cuarto"], ["the room was clean"] * 3) == ["language", "", ""]
    assert expected_like(ENGLISH).faults([spanish], ["the room"]) == [""]  # of so few words nothing can be told
