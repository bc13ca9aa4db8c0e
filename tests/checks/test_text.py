"""Health of the texts, and what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from ratchet.checks import merged, plain, visible
from ratchet.checks.text import check
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import DataConfig, EncoderSpec, PrepareConfig, Recipe

FINE = [f"一段很普通的文字，第{i}号" for i in range(100)]


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("这家酒店的服务很好".encode("gbk").decode("latin-1"), "text.mojibake"),
        ("that\x92s it", "text.mojibake"),
        ("文字\ufffd\ufffd", "text.replacement"),
        ("锟斤拷锟斤拷", "text.replacement"),
        ("响铃\x07了", "text.control"),
        ("隐\u200b身", "text.invisible"),
        ("换行<br/>了", "text.html"),
        ("AT&amp;T &#183;", "text.html"),
        ("全角ＡＢＣ１２３", "text.fullwidth"),
        ("……！！", "text.wordless"),
        ("长" * 129, "text.length"),
        ("an English sentence among them", "text.language"),
        ("предложение по-русски", "text.language"),
    ],
)
def test_one_sick_text_in_a_hundred(table: Any, found: Any, text: str, id: str) -> None:
    findings = found(check, table({"text": [*FINE, text, None]}))
    assert findings[id].row_numbers["a.csv"].tolist() == [101]
    assert findings[id].examples[0].row == 101
    others = set(findings) - {id}
    assert others <= {"text.language"}


@pytest.mark.parametrize(
    "text",
    ["普通。", "5 < 6 and 7 > 3", "R&D; a&b", "x <y> z", "👍🏽 好", "👨‍👩‍👧 好", "I ❤️ 这个", "第一行\n第二行\t完"],
)
def test_sound_texts(table: Any, found: Any, text: str) -> None:
    findings = found(check, table({"text": [*FINE, text]}))
    assert set(findings) <= {"text.language"}


def test_the_repair_is_offered(table: Any, found: Any) -> None:
    meant = "这家酒店的服务很好，下次再来。"
    finding = found(check, table({"text": [meant.encode("gbk").decode("latin-1")] * 3}))["text.mojibake"]
    assert finding.severity == "error"
    assert finding.examples[0].note == f"meant: {meant}"
    assert "GBK read as Latin-1 (3)" in finding.message
    assert parse_recipe(finding.fix, folder=".").prepare.text == ("mojibake",)
    asked = Recipe(data=DataConfig(encoding="latin-1"))
    again = found(check, table({"text": [meant.encode("gbk").decode("latin-1")] * 3}), recipe=asked)["text.mojibake"]
    assert parse_recipe(again.fix, folder=".").data.encoding == "gb18030"
    sure = Recipe(data=DataConfig(encoding="utf-8"))  # whose bytes are UTF-8: it was written like this
    third = found(check, table({"text": [meant.encode("gbk").decode("latin-1")] * 3}), recipe=sure)["text.mojibake"]
    assert parse_recipe(third.fix, folder=".").prepare.text == ("mojibake",)


def test_fixes_of_texts_add_up(table: Any, found: Any) -> None:
    data = table({"text": ["<b>好</b>", "差\u200b", "cafÃ©", "ＡＢＣ"]})
    findings = found(check, data, recipe=Recipe(prepare=PrepareConfig(text=("mask",))))
    assert parse_recipe(findings["text.html"].fix, folder=".").prepare.text == ("mask", "html")
    assert findings["text.fullwidth"].fix == ""
    everything = merged(finding.fix for finding in findings.values())
    assert set(parse_recipe(everything, folder=".").prepare.text) == {"mask", "html", "invisible", "mojibake"}


def test_lengths_are_judged_against_the_encoder(table: Any, found: Any) -> None:
    data = table({"text": ["字" * 300, "word " * 100, "短"]})
    finding = found(check, data)["text.length"]
    assert finding.row_numbers["a.csv"].tolist() == [1]
    assert parse_recipe(finding.fix, folder=".").train.max_tokens == 320
    rare = found(check, table({"text": ["字" * 300, *(f"短{i}" for i in range(200))]}))["text.length"]
    assert (rare.rows, rare.fix) == (1, "")  # the limit suits 99 of 100 texts: none to raise
    wide = Recipe(train=EncoderSpec(max_tokens=512))
    assert "text.length" not in found(check, data, recipe=wide)


def test_japanese_is_no_chinese(table: Any, found: Any) -> None:
    finding = found(check, table({"text": [*FINE, "これは日本語の文章です", "한국어"]}))["text.language"]
    assert "Japanese (1)" in finding.message
    assert "Korean (1)" in finding.message


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("good<br>value &amp; <b>clean</b>", "good\nvalue & clean"),
        ("<p class='x'>a</p><p>b</p>", "\na\n\nb\n"),
        ("a<!-- hidden\nnote -->b", "ab"),
        ("5 < 6 > 3", "5 < 6 > 3"),
        ("x&nbsp;y", "x y"),
    ],
)
def test_html_is_taken_out(text: str, clean: str) -> None:
    assert plain(text) == clean


def test_unseen_characters_are_taken_out() -> None:
    assert visible("a\x07b\u200bc\ufeffd\ne") == "abcd\ne"


def test_the_example_shows_the_place_that_changes() -> None:
    from ratchet.checks.text import _meant

    before = "a" * 100 + " cafÃ© here"
    assert "café here" in _meant(before, before.replace("Ã©", "é"))
    assert _meant("cafÃ©", "café") == "meant: café"
