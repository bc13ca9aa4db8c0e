"""Mending texts: what each fix does, what it leaves alone, and that a mended text stays as it is."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.prepare.cleaning import STEPS, mended, plain, visible
from ratchet.recipe.sections import TextFix
from ratchet.text.joined import joined, parted

ALL: tuple[TextFix, ...] = ("mojibake", "html", "invisible", "mask")
GBK = "这家酒店的服务很好".encode("gbk").decode("latin-1")


@pytest.mark.parametrize("text", ["13812345678", GBK, "&#8233;", "a &#8233; <i>b</i>", "</b>", ""])
def test_joined_texts_are_mended_each_by_itself(text: str) -> None:
    whole = joined(["<b>ok</b>", text, None])
    after, steps = mended(whole, ALL)
    assert parted(after) == ["ok", joined([mended(text, ALL)[0]]), ""]
    assert "html" in steps
    assert mended(after, ALL) == (after, ())


@pytest.mark.parametrize(
    ("text", "after", "steps"),
    [
        (GBK, "这家酒店的服务很好", ("mojibake",)),
        ("<p>不错&amp;便宜</p>", "\n不错&便宜\n", ("html",)),
        ("好\u200b评\x01", "好评", ("invisible",)),
        ("请打13812345678", "请打138****5678", ("mask",)),
        ("&lt;b&gt;好&lt;/b&gt;", "好", ("html",)),  # escaped once too often
        ("138\u200b12345678", "138****5678", ("invisible", "mask")),
        ("caf&Atilde;&copy; <em>.</em>", "café .", ("mojibake", "html")),  # mojibake that was escaped
        ("5 < 6 & R&D，房间很大", "5 < 6 & R&D，房间很大", ()),
        ("👨‍👩‍👧 I ❤️ 这个", "👨‍👩‍👧 I ❤️ 这个", ()),
    ],
)
def test_what_the_fixes_do(text: str, after: str, steps: tuple[str, ...]) -> None:
    assert mended(text, ALL) == (after, steps)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "证明：当 x<a 且 y>b 时不等式成立",
            "if i<b && c>d then stop",
            "if a<b or c> d",
            "x<b>c 与 a<i>d",
            "1<p and p>2",
        ),
        *(
            "for (i=0;i<a;i++) if (s>b)",
            "List<String> a = new List<>();",
            "vector<int> v; a<b, c>d",
            "<3 love",
            "->_->",
        ),
        *("AT&T; R&D; Q&A;", "http://x.cn/?a=1&copy=2&lt=3&reg=4", "<img", "<br", "A<B<C", "<a b c>", "<i am here>"),
        *(
            "price < 100 & size > 5",
            "<陌生人> 你好",
            "<user@mail.com>",
            "<http://a.cn>",
            "《书》<作者>",
            "(>_<)",
            "<(￣︶￣)>",
        ),
        *("m<u>n 的大小关系", "p<.05", "5 000 €", "sin⁡x", "שלום ‏עולם‎", "مرحبا‏!"),
    ],
)
def test_sound_texts_have_no_html_and_nothing_unseen(text: str) -> None:
    assert mended(text, ("html", "invisible")) == (text, ())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('<a href="x.html" target=_blank>link</a>', "link"),
        ("<IMG SRC='a.png' />x<input type=checkbox checked>", "x"),
        ("<b>bold</b> and <b>open", "bold and open"),
        ("caf&eacute;&nbsp;&#x4e2d;&#25991; &hearts;", "café 中文 ♥"),
        ("a&lt;b&bogus;c", "a<b&bogus;c"),
        ('<td nowrap width="5">x</td>', "x"),
    ],
)
def test_html_as_it_is_written(text: str, meant: str) -> None:
    assert plain(text).strip() == meant


def test_only_what_was_asked_for() -> None:
    assert mended("<b>13812345678</b>", ()) == ("<b>13812345678</b>", ())
    assert mended("<b>13812345678</b>", ("html",)) == ("13812345678", ("html",))
    assert mended("<b>13812345678</b>", ("mask",)) == ("<b>138****5678</b>", ("mask",))


def test_comments_in_html() -> None:
    assert plain("a<!-- x\ny -->b<!-- open") == "ab<!-- open"


PIECES = (
    *("&", "amp;", "lt;", "#60;", "<", "b>", "/b>", "<!--", "-->", "\u200b", "\x01", "Ã", "©", GBK, "好", "1", " "),
    *(
        "a@b.cn",
        "13812345678",
        "11010519491231002X",
        "4111111111111111",
        "浙江省杭州市西湖区文三路",
        "478号",
        "\x92",
        "涓枃",
    ),
)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sets(st.sampled_from(ALL)))
def test_a_mended_text_stays_and_the_coarse_patterns_miss_none(text: str, fixes: set[TextFix]) -> None:
    after, steps = mended(text, fixes)
    assert mended(after, fixes) == (after, ())
    assert bool(steps) >= (after != text)
    if after != text:
        asked = [step.coarse for step in STEPS if step.name in fixes]
        assert any(pc.match_substring_regex(pa.array([text]), coarse)[0].as_py() for coarse in asked)


@pytest.mark.parametrize(
    "text",
    [
        "List<TD> rows; Map<P> p",
        "u<li>b and b>u",
        'the special "<img>" token',
        "`<PRE>` comes first",
        "a regular expression (?P<option>.*?)",
    ],
)
def test_what_only_looks_like_a_tag_stays(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("one<p>two", "one\ntwo"),
        ("one<BR>two", "one\ntwo"),
        ("<li>one <li>two", "\none \ntwo"),
        ("see <td>this</td>", "see this"),
        ("a<b>c</b>", "ac"),
        ('<img src="a.png">好', "好"),
    ],
)
def test_tags_go_where_they_can_be_nothing_else(text: str, meant: str) -> None:
    assert plain(text) == meant


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("How do I use &lt;div&gt; in flex", "How do I use <div> in flex"),
        ("Use &lt;br&gt; to break", "Use &lt;br&gt; to break"),
        ("cp <input> <output>", "cp <input> <output>"),
        ("git diff <head>..<body>", "git diff <head>..<body>"),
        ("Dear <title> <name>", "Dear <title> <name>"),
        ("<label>: <text>", "<label>: <text>"),
        ("see <!-- in code", "see <!-- in code"),
        ("good <br> value", "good \n value"),
        ("&lt;p&gt;good&lt;/p&gt;", "\ngood\n"),
        ("<div>cut", "\ncut"),
    ],
)
def test_html_that_a_text_is_about_stays(text: str, after: str) -> None:
    assert mended(text, ("html",))[0] == after
    assert mended(after, ("html",))[0] == after


def test_line_breaks_of_office_programs_and_breaks_between_khmer_words_stay() -> None:
    assert visible("one\x0btwo\x0c\x0cthree") == "one\ntwo\nthree"
    assert visible("ចង់\u200bចង់") == "ចង់\u200bចង់"
    assert visible("a\u200bb") == "ab"
    assert visible("ចង់\u200bចង់ \u200fשלום\u200f") == "ចង់\u200bចង់ \u200fשלום\u200f"


def test_a_hundred_thousand_escaped_tags_are_read_in_one_pass() -> None:
    text = "&lt;br&gt; " * 100_000
    assert mended(text, ("html",))[0] == text
