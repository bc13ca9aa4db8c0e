from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.scores.words import one_form, words


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Paris", "paris"),
        ("  the\n\tCity of  LIGHT!! ", "city of light"),
        ("**A**", "a"),
        ("An", "an"),
        ("the the end", "the end"),
        ("vitamin A", "vitamin a"),
        ("ＡＢＣ１２３％", "abc123%"),
        ("《红楼梦》。", "红楼梦"),
        ("-5", "-5"),
        ("C#", "c#"),
        ("...", "..."),
        ("", ""),
        ("Straße", "strasse"),
    ],
)
def test_one_form(text: str, form: str) -> None:
    assert one_form(text) == form


@given(st.text())
def test_a_form_has_no_white_space_at_its_ends(text: str) -> None:
    form = one_form(text)
    assert form == " ".join(form.split())


def test_words_of_two_languages() -> None:
    assert words("The U.S. 北京, カラ an 3.5") == ["u", "s", "北", "京", "カ", "ラ", "3", "5"]
