"""Encodings are told apart by their bytes, and only Chinese text is taken for GB18030."""

from __future__ import annotations

import pytest

from ratchet.data.encoding import to_utf8
from ratchet.errors import DataError

SIMPLIFIED = "这家酒店的服务很好，早餐也不错，下次还会再来。房间有点小，隔音一般！\n"
TRADITIONAL = "這家酒店的服務很好，早餐也不錯，下次還會再來。房間有點小，隔音一般！\n"


@pytest.mark.parametrize("text", [SIMPLIFIED, TRADITIONAL, "ok, 好\n", "€ 𠮷 好的，可以\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_text_is_recognised(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert to_utf8(data, encoding="auto", name="x")[0].decode() == text
    assert to_utf8(data, encoding=encoding, name="x")[0].decode() == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Ils ont été très déçus à l'arrivée, malgré la beauté du château.\n", "latin-1"),
        ("Die Größe war völlig falsch, schöne Grüße aus München.\n", "cp1252"),
        ("Очень хорошая книга, всем советую прочитать.\n", "cp1251"),
        ("Очень хорошая книга, всем советую прочитать.\n", "koi8-r"),
        ("這家酒店的服務很好，早餐也不錯，下次還會再來。\n", "big5"),
        ("とても良い本です。もう一度読みたい。\n", "shift_jis"),
    ],
)
def test_another_language_in_another_encoding_is_not_guessed(text: str, encoding: str) -> None:
    with pytest.raises(DataError, match="x must be UTF-8 but line 1 is not"):
        to_utf8(text.encode(encoding), encoding="auto", name="x")


def test_blocks_may_end_inside_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.data.encoding._BLOCK", 7)
    for encoding in ("utf-8", "gb18030", "utf-16"):
        assert to_utf8(SIMPLIFIED.encode(encoding), encoding="auto", name="x") == (SIMPLIFIED.encode(), encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["文本,标签\n很好,正面\n", "text,label\ngood,a\n"])
def test_utf16_without_a_mark_is_read_when_it_is_asked_for(text: str, encoding: str) -> None:
    assert to_utf8(text.encode(encoding), encoding="utf-16", name="x") == (text.encode(), "utf-16")


@pytest.mark.parametrize(
    ("data", "encoding", "problem"),
    [
        (b"a\n\xff\n", "utf-8", "must be UTF-8 but line 2 is not: byte 0xFF at position 1"),
        (b"a\n\x81", "gb18030", "must be GB18030 but line 2 is not"),
        (b"\xff\xfea", "utf-16", "must be UTF-16 but its bytes are not"),
    ],
)
def test_the_encoding_that_was_asked_for_is_kept_to(data: bytes, encoding: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        to_utf8(data, encoding=encoding, name="x")
