from __future__ import annotations

import pytest
from tests.generators.test_decoder import TEXTS

from ratchet.gateway.words import Words
from ratchet.generators.chat import ChatTokens
from ratchet.generators.generators import new_tokenizer

SAID = ["你好，世界 🙂🙂 done", "  two  spaces \n\n and an end  ", "stop here. stop it. st", "a\ufffdb", "", "   "]
STOPS: list[tuple[str, ...]] = [(), ("stop",), ("界", "p h"), ("  ",), (" it. st!",), ("🙂🙂",)]


@pytest.fixture(scope="module")
def tokens() -> ChatTokens:
    return ChatTokens(tokenizer=new_tokenizer(TEXTS, vocabulary=300), max_tokens=96, max_new_tokens=24)


@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.parametrize("stops", STOPS)
@pytest.mark.parametrize("text", SAID)
def test_pieces_make_the_text_before_the_first_stop(
    tokens: ChatTokens, text: str, stops: tuple[str, ...], stripped: bool
) -> None:
    ids = tokens.document(text).tolist()
    assert tokens.raw_text(ids) == text
    whole = text.lstrip() if stripped else text
    end = min((whole.index(stop) for stop in stops if stop in whole), default=len(whole))
    expected = whole[:end].rstrip() if stripped else whole[:end]
    words, told = Words(tokens, stops=stops, stripped=stripped), ""
    for size in range(1, len(ids) + 1):
        told += words.more(ids[:size])
        assert expected.startswith(told)
        if words.stopped:
            break
    told += words.rest(ids)
    assert told == expected == words.told
    assert words.stopped == (end < len(whole))
