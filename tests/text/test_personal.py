"""Personal data: check digits, and what is masked."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ratchet.text.personal import KINDS, Kind, brief, hidden, id_card, luhn, mask, matches, part

BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("number", "sound"),
    [
        ("11010519491231002X", True),
        ("11010519491231002x", True),
        ("440524188001010014", True),
        ("110105194912310021", False),
        ("99010519491231002X", False),
        ("11010519491331002X", False),
        ("1101051949123100", False),
    ],
)
def test_id_cards_by_their_check_digit(number: str, sound: bool) -> None:
    assert id_card(number) is sound


@pytest.mark.parametrize(
    ("number", "sound"),
    [
        ("4111111111111111", True),
        ("4111 1111 1111 1111", True),
        ("4111111111111112", False),
        ("0000000000000000", False),
    ],
)
def test_bank_cards_by_luhn(number: str, sound: bool) -> None:
    assert luhn(number) is sound


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话13812345678。", "电话138****5678。"),
        ("+86 138-1234-5678", "+86 138-****-5678"),
        ("call 12812345678", "call 12812345678"),
        ("order 138123456789", "order 138123456789"),
        ("mail a.b@example.com now", "mail a***@example.com now"),
        ("no@mail", "no@mail"),
        ("身份证11010519491231002X", "身份证110105**********2X"),
        ("card 4111 1111 1111 1111", "card 4111 **** **** 1111"),
        ("order 4111111111111112", "order 4111111111111112"),
        ("浙江省杭州市西湖区文三路100号", "浙江省*************"),
        ("at 10 Downing Street", "at 10 D****** ******"),
        ("£100 High Street prize", "£100 High Street prize"),
    ],
)
def test_what_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_kinds_can_be_chosen() -> None:
    text = "13812345678 a@b.cn"
    assert mask(text, kinds=("email",)) == "13812345678 a***@b.cn"
    assert mask(text, kinds=()) == text


def test_masking_twice_changes_nothing_more() -> None:
    once = mask("13812345678, a.b@example.com, 4111 1111 1111 1111, 11010519491231002X")
    assert mask(once) == once


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_coarse_pattern_misses_nothing(kind: object) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    samples = {
        "email": ["x a.b-c@mail.example.com", "张a@b.cn"],
        "id_card": ["号11010519491231002X。"],
        "card": ["4111 1111 1111 1111", "6222021234567890128"],
        "phone": ["138-1234-5678", "+8613812345678", "138 1234 5678"],
        "address": ["广东省深圳市南山区科技园路12号", "221 Baker Street"],
    }
    name = kind.name  # type: ignore[attr-defined]
    texts = [text for text in samples[name] if matches(text, BY_NAME[name])]
    assert texts
    assert pc.all(pc.match_substring_regex(pa.array(texts), BY_NAME[name].coarse)).as_py()


def test_what_may_be_personal_is_hidden() -> None:
    assert hidden("1381234") == "138**34"
    assert hidden("ab") == "ab"


PIECES = st.sampled_from(
    [
        *("13812345678", "+86 ", "86-", "138 1234 5678", "1", "9", "x", "A", "号", "\n", " ", "-", ".", "@", "a@b.cn"),
        *("4111111111111111", "11010519491231002X", "北京市海淀区中关村大街27号", "12 Baker Street", "１３８"),
    ]
)


FULL = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=5).map("".join), st.booleans())
@example("13812345678\n", False)
def test_what_is_found_fast_is_what_is_found(text: str, wide: bool) -> None:
    """No text with a match is left out by what is looked at first."""
    text = text.translate(FULL) if wide else text
    for kind in KINDS:
        if matches(text, kind):
            assert pc.match_substring_regex(pa.array([text]), kind.coarse)[0].as_py(), kind.name
            assert sum(c in "0123456789０１２３４５６７８９" for c in text) >= kind.digits
            assert kind.digits or "@" in text or "＠" in text


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_coarse_pattern_is_never_narrower_than_the_exact_one(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    text = data.draw(st.from_regex(kind.pattern, alphabet=st.characters(codec="utf-8", exclude_characters="\n")))
    text = text.translate(FULL) if data.draw(st.booleans()) else text
    if matches(text, kind):
        assert pc.match_substring_regex(pa.array([text]), kind.coarse)[0].as_py(), (kind.name, text)


@pytest.mark.parametrize(
    "text",
    [
        *("加V{}", "vx{}", "tel{}", "手机：{}", "{}微信同号", "{}wx", "VX:{} ", "call+86{}", "我的号码是{}。"),
        *("１：{}", "（{}）"),
    ],
)
@pytest.mark.parametrize(
    "number", ["13812340000", "138 1234 0000", "１３８１２３４００００", "１３８－１２３４－００００"]
)
def test_a_number_is_found_however_it_is_written(text: str, number: str) -> None:
    assert matches(text.format(number), BY_NAME["phone"])
    assert "12340" not in mask(text.format(number)).translate({full: half for half, full in FULL.items()})


@pytest.mark.parametrize(
    "text",
    [
        *("a1b13812345678", "f81d4fae13812345678a00c9", "138123456789", "2138123456780", "12812345678", "1381234567"),
        *("sha 9f13812345678", "13812345678a1", "ISBN 9787138123456780"),
    ],
)
def test_codes_are_no_numbers_to_call(text: str) -> None:
    assert mask(text, kinds=("phone",)) == text


@pytest.mark.parametrize("host", ["vip.163.com", "126.com", "mail.126.com", "qq.com", "x1.y2.cn", "163.com"])
def test_hosts_may_begin_with_a_digit(host: str) -> None:
    assert mask(f"联系lan.chen3@{host}。") == f"联系l***@{host}。"
    assert pc.match_substring_regex(pa.array([f"lan@{host}"]), BY_NAME["email"].coarse)[0].as_py()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("_tom@163.com", "_***@163.com"),
        ("请联系张三@qq.com", "请联***@qq.com"),
        ("我的邮箱是tom@qq.com", "我的邮箱是t***@qq.com"),
        ("tom@müller.de", "t***@müller.de"),
        ("jürgen.müller@web.de", "j***@web.de"),
        ("138\u00a01234\u00a05678", "138\u00a0****\u00a05678"),
        ("138.1234.5678", "138.****.5678"),
        ("138–1234–5678", "138–****–5678"),
        ("13812345678QQ1234567", "138****5678QQ1234567"),
        ("QQ1234567tel13812345678", "QQ1234567tel138****5678"),
        ("008613812345678", "0086138****5678"),
        ("+86 (138) 1234 5678", "+86 (138) **** 5678"),
        ("NO110101199003077758", "NO110101**********58"),
        ("138\u200b1234\u200b5678", "138\u200b****\u200b5678"),
        ("a1b13812345678", "a1b13812345678"),
        ("10.138.1234.5678", "10.138.1234.5678"),
        ("v138.1234.5678.2", "v138.1234.5678.2"),
    ],
)
def test_personal_data_as_people_write_it(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert any(re.search(kind.coarse, text) for kind in KINDS) or text == masked


@given(st.sampled_from([kind for kind in KINDS if kind.plain]), st.data())
def test_what_is_plainly_of_a_kind_is_so_for_the_exact_pattern(kind: Kind, data: st.DataObject) -> None:
    pattern = kind.plain.replace("\\z", "\\Z")
    text = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    assert pc.match_substring_regex(pa.array([text]), kind.plain)[0].as_py()
    assert pc.match_substring_regex(pa.array([text]), kind.coarse)[0].as_py()
    assert matches(text, kind) == [text]


@pytest.mark.parametrize(
    "text", ["13812345678\n", " 13812345678", "138123456789", "x13812345678", "a@b.cn\n", "é@b.cn"]
)
def test_what_is_not_plain_is_looked_at(text: str) -> None:
    assert not any(pc.match_substring_regex(pa.array([text]), kind.plain)[0].as_py() for kind in KINDS if kind.plain)


@pytest.mark.parametrize("start", range(0, 60, 7))
@pytest.mark.parametrize("most", [1, 5, 12, 40])
def test_nothing_is_cut_before_it_is_masked(start: int, most: int) -> None:
    text = "打电话 13812345678 或写信给 alice.wonder@example.com，卡号 4012 8888 8888 1881。" * 3
    shown, said = part(text, start, most=most), brief(text, start, most=most)
    for personal in ("12345", "lice", "888 8888"):
        assert not any(personal[i : i + 3] in shown + said for i in range(len(personal) - 2)), (shown, said)
    assert len(said) <= most + 1


def test_a_part_is_a_part_of_the_masked_text() -> None:
    text = "a" * 5_000 + " 13812345678 " + "b" * 5_000
    assert part(text, 4_990, most=30) == "a" * 10 + " 138****5678 " + "b" * 7
    assert part(text, 5_005, most=3) == "", "what is hidden is shown where it begins"
    assert brief("x\ny", most=9) == "x⏎y"
    assert mask("lan@13812345678.com") == "l***@138****5678.com"
