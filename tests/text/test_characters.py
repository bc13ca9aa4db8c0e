from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.near.scan import scan
from ratchet.text.characters import SCRIPTS, Characters
from ratchet.text.mojibake import COARSE, LOST


def test_one_look_tells_what_the_characters_are_like() -> None:
    texts = ["ab 12", "中文，Ａ", "", "é\x00\u200b\ufffd", "かな한국", "鋩\xa0\x80", "1" * 300, "かな漢字", "!?"]
    look = scan(pa.array([*texts, None]))["look"]
    found = Characters(look=look)
    assert look["length"].tolist() == [*map(len, texts), 0]
    assert look["tokens"].tolist() == [1, 3, 0, 1, 4, 2, 75, 4, 1, 0]
    assert look["digits"].tolist() == [2, 0, 0, 0, 0, 0, 255, 0, 0, 0]
    scripts = ["" if number < 0 else SCRIPTS[number] for number in look["script"]]
    assert scripts == ["latin", "han", "", "latin", "kana", "han", "", "kana", "", ""]
    for kind in ("latin1", "control", "invisible", "replacement"):
        assert np.flatnonzero(found.having(kind)).tolist() == [3]
    assert np.flatnonzero(found.wordless).tolist() == [2, 8, 9]
    assert np.flatnonzero(found.maybe_mojibake).tolist() == [3, 5]
    assert len(scan(pa.array([], pa.string()))) == 0
    many = ["中文" * 1000, "x" * 5000] * 600  # more than one block
    assert np.array_equal(scan(pa.array(many))["look"]["length"], [2000, 5000] * 600)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("a 中é\x80\x85\x9d\xa0\xad\xff€“鋩鋪锟斤拷Ã©。"), max_size=6) | st.text(max_size=6))
def test_where_there_is_mojibake_its_characters_are(text: str) -> None:
    maybe = Characters(look=scan(pa.array([text]))["look"]).maybe_mojibake
    if pc.match_substring_regex(pa.array([text]), COARSE)[0].as_py() or LOST in text:
        assert maybe.all()
