from __future__ import annotations

import json
import re
import unicodedata

import pytest

from ratchet import forms


def test_every_encoding_and_alias_is_one_that_python_has() -> None:
    for name, codec in forms.ENCODINGS.items():
        assert "a".encode(codec).decode(codec) == "a"
        assert forms.encoding_called(name.upper()) == name
        assert all(forms.encoding_called(f" {alias} ") == name for alias in forms._ALIASES[name])
    assert forms.encoding_called("utf-7") is None


@pytest.mark.parametrize(
    ("ranges", "word"),
    [
        (forms.HAN, "CJK UNIFIED IDEOGRAPH|CJK COMPATIBILITY IDEOGRAPH"),
        (forms.KANA, "HIRAGANA|KATAKANA"),
        (forms.HANGUL, "HANGUL SYLLABLE"),
        (forms.SOUTH_EAST_ASIAN, "THAI|LAO|MYANMAR|KHMER"),
    ],
)
def test_the_ranges_of_a_script_hold_its_letters_and_no_others(ranges: forms.Ranges, word: str) -> None:
    inside = re.compile(f"[{forms.characters(ranges)}]")
    for point in range(0x110000):
        character = chr(point)
        name = unicodedata.name(character, "")
        if inside.match(character) and character.isalpha():
            assert re.match(rf"(?:{word})\b|KATAKANA-HIRAGANA", name) or not name, (hex(point), name)


def test_nfkc_is_that_of_unicode() -> None:
    for text in ("，！？：；（）％～　ＡＢ", "é ①㈱", "か\u3099", "ﬁ\u0301"):
        assert forms.nfkc(text) == unicodedata.normalize("NFKC", text)


def test_json_in_one_line_for_every_terminal() -> None:
    value = {"k": "好\u202e\u200b", "half": "\ud83d", "n": [1, None]}
    written = forms.json_bytes(value)
    assert b"\\u202e" in written
    assert json.loads(written)["k"] == value["k"]
    with pytest.raises(ValueError, match="Out of range"):
        forms.json_bytes(float("nan"))


@pytest.mark.parametrize(("cell", "name"), [("\ufeff text ", "text"), (" \ufefflabel", "label"), ("", "")])
def test_names_of_columns(cell: str, name: str) -> None:
    assert forms.plain_name(cell) == name
