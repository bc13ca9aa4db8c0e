"""Mojibake: what was misread is recognised and mended, and no sound text is touched."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.text.mojibake import COARSE, repaired

CHINESE = "这家酒店的服务很好，房间也干净，下次还会来住。"


@pytest.mark.parametrize(
    ("text", "meant", "misread"),
    [
        ("cafÃ©", "café", "UTF-8 read as Latin-1"),
        ("Itâ€™s fine â€“ really", "It’s fine – really", "UTF-8 read as Latin-1"),
        (CHINESE.encode().decode("latin-1"), CHINESE, "UTF-8 read as Latin-1"),
        (CHINESE.encode("gbk").decode("latin-1"), CHINESE, "GBK read as Latin-1"),
        (CHINESE.encode("gbk").decode("cp1252"), CHINESE, "GBK read as Latin-1"),
        ("ÖÐÎÄ", "中文", "GBK read as Latin-1"),
        ("好：ÖÐÎÄÆÀÂÛ", "好：中文评论", "GBK read as Latin-1"),
        ("中文评论，很好！".encode().decode("gb18030"), "中文评论，很好！", "UTF-8 read as GBK"),
        (CHINESE.encode().decode("latin-1").encode().decode("latin-1"), CHINESE, "UTF-8 read as Latin-1"),
        (CHINESE.encode().decode("mac_roman"), CHINESE, "UTF-8 read as Mac Roman"),
        (CHINESE.encode().decode("cp437"), CHINESE, "UTF-8 read as code page 437"),
        ("It‚Äôs a caf√© ‚Äì really", "It’s a café – really", "UTF-8 read as Mac Roman"),
        ("that\x92s it", "that’s it", "Windows-1252 read as Latin-1"),
    ],
)
def test_misread_texts_are_mended(text: str, meant: str, misread: str) -> None:
    repair = repaired(text)
    assert repair is not None
    assert (repair.text, repair.misread) == (meant, misread)


def misread(text: str) -> str:
    """UTF-8 read as Windows-1252; bytes that it has no character for stay."""
    return "".join(bytes([b]).decode("cp1252") if b not in UNDEFINED else chr(b) for b in text.encode())


UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)


@pytest.mark.parametrize("cut", [1, 2, 4, 5])
@pytest.mark.parametrize("tail", ["", "...", " more"])
def test_a_text_cut_within_a_character_is_mended(cut: int, tail: str) -> None:
    repair = repaired(misread(CHINESE)[:-cut] + tail)
    assert repair is not None
    assert repair.misread == "UTF-8 read as Latin-1"
    whole = CHINESE[: (len(CHINESE.encode()) - cut) // 3]
    assert repair.text == f"{whole}\ufffd{tail}"


@pytest.mark.parametrize("instead", ["", "?", " ", "\ufffd"])
def test_dropped_bytes_cost_their_characters_alone(instead: str) -> None:
    text = "这一家店的服务真的很周到，下次还会再来，房间也很干净。"
    dropped = "".join(instead if ord(character) in UNDEFINED else character for character in misread(text))
    assert dropped != misread(text)
    repair = repaired(dropped)
    assert repair is not None
    assert sum(character in repair.text for character in text) >= 0.8 * len(text)


@settings(derandomize=True)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30))
def test_latin_texts_are_left_alone_unless_they_are_whole_sequences(text: str) -> None:
    """Of random letters of Latin-1 nothing is made Chinese; what is valid UTF-8 by chance may be read so."""
    repair = repaired(text)
    assert repair is None or not any("\u4e00" <= c <= "\u9fff" for c in repair.text)


def test_a_lost_byte_leaves_a_mark() -> None:
    repair = repaired("我觉得很好".encode().decode("gbk", "ignore"))
    assert repair is not None
    assert "�" in repair.text
    assert "很好" in repair.text


@pytest.mark.parametrize(
    "text",
    [
        "café crème à l'œuvre",
        "Größe über naïve ÀÈÌÒÙ",
        "São Paulo ÁÉÍÓÚ",
        "联通 移动 电信",
        CHINESE,
        "ひらがなとカタカナ",
        "Привет, мир",
        "Привет мир".encode("cp1251").decode("latin-1"),
        "Ελληνικά",
        "한국어 텍스트",
        "°C ± 5 µm ½",
        "",
        "«à» — “ok”…",
        *("等了三天······终于到了", "手机尾号××××××××，请回电", "××××××", "×××·×××·", "·×·×·×·×", "°°°°°°", "±±±±±±±±"),
        *(
            "»»»»»»»»",
            "ÄÄÄÄÄÄÄÄ",
            "ÀÂÄÉÈÊËÎÏÔÖÙÛÜ",
            "ÁÉÍÓÚÑÜ¿¡ÁÉÍÓÚ",
            "ÄÖÜäöüßÄÖÜ",
            "ÅÄÖåäöÅÄÖ",
            "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓ",
        ),
        *(
            "¥¥¥¥ £££ ¢¢¢",
            "§§§§ ¶¶¶¶",
            "½¼¾½¼¾",
            "²³¹²³¹",
            "ªº°ªº°",
            "ÐÞÆØÅÐÞÆØÅ",
            "±×÷±×÷±×÷",
            "x²+y²≤z² ± ½·π",
            "¯\\_(ツ)_/¯",
        ),
        *(
            "张××、李××、王××××",
            "1×2×3×4×5×6",
            "（°ー°〃）",
            "→→→→→→",
            "★☆★☆★☆",
            "ÕÕÕÕÕÕ",
            "ÇA ÉTÉ ÊTRE À CÔTÉ",
            "ĐỖ ÁNH",
        ),
    ],
)
def test_sound_texts_are_left_alone(text: str) -> None:
    assert repaired(text) is None


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5, codec="gb2312"), min_size=3, max_size=40))
def test_no_chinese_text_is_taken_for_mojibake(text: str) -> None:
    repair = repaired(text)
    assert repair is None or repair.misread == "UTF-8 read as GBK"


def test_the_coarse_pattern_misses_nothing() -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = [CHINESE.encode().decode("latin-1"), CHINESE.encode("gbk").decode("latin-1"), "that\x92s", "cafÃ©"]
    texts.append("中文评论，很好！".encode().decode("gb18030"))
    assert pc.all(pc.match_substring_regex(pa.array(texts), COARSE)).as_py()
    assert not pc.any(pc.match_substring_regex(pa.array([CHINESE, "plain"]), COARSE)).as_py()


@pytest.mark.parametrize(
    "text", ["l’équipe de France", "“Écoute”, dit-il", "«Élan»", "√2 ≈ 1.41 … ‰", "±5 µm ∆T", "Ωmega"]
)
def test_sound_texts_of_mac_roman_are_left_alone(text: str) -> None:
    assert repaired(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "BEYONCÉ’s new album",
        "NESCAFÉ® “CAFÉ” „MENÜ“ «CAFÉ»",
        "NESCAFÉ®",
        "POR QUÉ”",
        "¿QUÉ…",
        "“SÍ”",
        "MALMÖ–LUND",
        "JOSÉ–LUIS",
        "12.5 Å³",
        "10 Å²",
        "Ø±0.05 mm",
        "Ø¼",
        "ß±0.1",
        "ÉTÉ·HIVER",
        "“AMANHÔ",
        "IRMÃ…",
        "“café”…",
    ],
)
def test_an_accented_capital_before_a_quote_or_a_sign_is_no_mojibake(text: str) -> None:
    assert repaired(text) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("å¥½ has", "好 has"),
        ("byÅ‚", "był"),
        ("20Â°", "20°"),
        ("MÃœNCHEN", "MÜNCHEN"),
        ("CÃ”TE", "CÔTE"),
        ("ã€‚", "。"),
        ("ðŸ˜€", "😀"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
        ("donâ€™t", "don’t"),
    ],
)
def test_one_short_run_is_still_read_again_where_nobody_would_write_it(text: str, meant: str) -> None:
    found = repaired(text)
    assert found is not None
    assert found.text == meant


def test_long_texts_take_time_in_proportion() -> None:
    def seconds(copies: int) -> float:
        text = "x cafÃ© y Ä€ " * copies
        begun = time.perf_counter()
        repaired(text)
        return time.perf_counter() - begun

    assert min(seconds(80_000) for _ in range(2)) < 24 * max(min(seconds(10_000) for _ in range(3)), 0.01)
