"""Encodings are told apart by their bytes, and only Chinese text is taken for GB18030."""

from __future__ import annotations

import pytest

from ratchet.errors import DataError
from ratchet.text.encodings import to_utf8, whole_lines

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
    monkeypatch.setattr("ratchet.text.encodings._BLOCK", 7)
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


@pytest.mark.parametrize(
    ("text", "encoding", "meant"),
    [
        ("이 호텔은 정말 좋았어요. 직원들이 친절하고 방이 깨끗합니다. 다음에 또 오고 싶습니다!\n", "euc-kr", "euc-kr"),
        ("とても良い本です。もう一度読みたい。\n", "euc_jp", "euc-jp"),
        ("とても良い本です。もう一度読みたい。\n", "shift_jis", "shift-jis"),
        ("Очень хорошая книга, всем советую прочитать.\n", "cp1251", "windows-1251"),
        ("Ils ont été très déçus à l'arrivée, malgré la beauté du château.\n", "cp1252", "windows-1252"),
        ("這家酒店的服務很好，早餐也不錯，下次還會再來。\n", "big5", "big5"),
    ],
)
def test_what_other_bytes_read_like_is_said_and_can_be_asked_for(text: str, encoding: str, meant: str) -> None:
    with pytest.raises(DataError, match=f"It reads like {meant}: .*--set data.encoding={meant};") as caught:
        to_utf8(text.encode(encoding), encoding="auto", name="x")
    assert "must be UTF-8 but line 1 is not" in str(caught.value)
    assert to_utf8(text.encode(encoding), encoding=meant, name="x")[0].decode() == text


@pytest.mark.parametrize(
    "row",
    [
        "review number {i} is fine,{label}",
        "还可以{i},{label}",
        "我喜欢のの{i},{label}",
        "不错 很差 非常好 好吃{i},{label}",
    ],
)
def test_a_few_words_on_every_row_make_no_other_language(row: str) -> None:
    text = "评论,标签\n" + "".join(row.format(i=i, label="好评" if i % 2 else "差评") + "\n" for i in range(60))
    assert to_utf8(text.encode("gb18030"), encoding="auto", name="x")[0].decode() == text


@pytest.mark.parametrize(
    ("head", "encoding", "found"),
    [
        (b"a\nb", "auto", (b"a\n", True)),
        ("a\nb".encode("utf-16"), "auto", ("a\n".encode("utf-16"), True)),
        ("a\nb".encode("utf-16-be"), "utf-16", ("a\n".encode("utf-16-be"), True)),
        ("\u0a00\u000a\u0a0a".encode("utf-16-le"), "utf-16", ("\u0a00\n".encode("utf-16-le"), True)),
        (b"abc", "auto", (b"abc", True)),
        ("好".encode() * 21_845 + b"\xe5", "auto", ("好".encode() * 21_845, False)),
        ("好".encode() * 21_845 + b"\xe5\xa5", "auto", ("好".encode() * 21_845, False)),
    ],
)
def test_the_beginning_of_a_file_is_cut_between_lines(head: bytes, encoding: str, found: tuple[bytes, bool]) -> None:
    assert whole_lines(head, encoding=encoding) == found


def test_chinese_with_some_kana_or_few_characters_is_still_chinese() -> None:
    for text in ("の店，服务很好，早餐也不错，下次还会再来。\n", "安静\n", "安静，干净。\n", SIMPLIFIED * 50):
        assert to_utf8(text.encode("gb18030"), encoding="auto", name="x")[1] == "gb18030"


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_second_mark_at_the_beginning_is_no_part_of_the_text(encoding: str) -> None:
    assert to_utf8(("\ufeff\ufeff" + SIMPLIFIED).encode(encoding), encoding="auto", name="x")[0].decode() == SIMPLIFIED


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf32_is_called_by_its_name(encoding: str) -> None:
    mark = "" if encoding == "utf-32" else "\ufeff"
    with pytest.raises(DataError, match=r"but is UTF-32\. Save it as UTF-8"):
        to_utf8((mark + "text,label\n").encode(encoding), encoding="auto", name="x")
