from __future__ import annotations

import pytest

from ratchet.text.language import guess_language


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["房间很干净", "很好的酒店 nice", "ＡＢ房间"], "zh"),
        (["a clean room", "très bien", "хорошо"], "en"),
        (["房间很干净", "a clean room"], "mixed"),
        (["ห้องสะอาด"], "zh"),
        (["部屋はきれい"], "zh"),
        ([], "en"),
        (["123", "!!", ""], "en"),
        (["good"] * 9 + ["很好"], "en"),
    ],
)
def test_guess_language(texts: list[str], language: str) -> None:
    assert guess_language(texts) == language


def test_a_long_table_is_sampled_from_end_to_end() -> None:
    assert guess_language(["很好"] * 30_000 + ["a good room"] * 30_000) == "mixed"
    assert guess_language(["很好"] * 10_000 + ["a good room"] * 90_000) == "en"
