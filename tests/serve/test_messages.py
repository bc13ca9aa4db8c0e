"""From a request body to texts, and from probabilities to an answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused, body_limit, read_texts

CONFIG = ServeConfig(max_texts=3, max_text_bytes=9)

GOOD: list[tuple[bytes, list[str]]] = [
    (b'{"text": "a"}', ["a"]),
    (b'{"texts": []}', []),
    (b'{"texts": ["a\\u0000b", "\\ud83d\\ude00"]}', ["a\x00b", "😀"]),
    ('{"text": "三个字"}'.encode(), ["三个字"]),
    (b'{"text": "\\\\ud800"}', ["\\ud800"]),
    (b' {"text": "a"} \n', ["a"]),
]


@pytest.mark.parametrize(("body", "texts"), GOOD)
def test_texts_are_read(body: bytes, texts: list[str]) -> None:
    assert read_texts(body, config=CONFIG) == texts


BAD: list[tuple[bytes, int, str]] = [
    (b'{"text": ""}', 422, "'text' must hold a text but is empty"),
    (b'{"texts": ["a", " \\n\\u3000"]}', 422, "'texts[1]' must hold a text but is empty"),
    (b"", 400, "must be JSON"),
    (b"nonsense", 400, "must be JSON"),
    (b'{"text": "a"', 400, "must be JSON"),
    (b'{"text": "\x00"}', 400, "must be JSON"),
    (b'{"text": "a\\ud800', 400, "must be JSON"),
    (b'{"text": "\\ud800"}', 400, "must be JSON of whole characters but has half of one, \\ud800, at byte 10"),
    (b'{"text": "\\\\ud800\\ud83d"}', 400, "half of one, \\ud83d, at byte 17"),
    (b'{"texts": ["\\uDE00x", "\\ud83d\\ude00"]}', 400, "half of one, \\uDE00, at byte 12"),
    (b'{"text": "a\\\\ud83d\\ude00"}', 400, "half of one, \\ude00, at byte 18"),
    (b'{"text": "\\ude00\\ud83d"}', 400, "half of one, \\ude00, at byte 10"),
    (b'{"text": "' + b"\\ud83dx" * 1_000 + b'"}', 400, "half of one"),
    (b'{"row": {"text": "\\ud800"}}', 400, "half of one, \\ud800, at byte 18"),
    (b'{"rows": [{"text": "a"}, {"text": "x\\udc00"}]}', 400, "half of one, \\udc00"),
    (b'{"row": {"\\ud800": "a"}}', 400, "half of one, \\ud800, at byte 10"),
    (b'{"\\ud800": "a"}', 400, "half of one, \\ud800, at byte 2"),
    (b'{"text": "\\ud800", "texts": ' + b"[" * 100_000, 400, "half of one"),
    (b'{"%s": 1}' % (b"k" * 1_000_000), 422, " ... "),
    (b'{"text": "\xff"}', 400, "must be UTF-8"),
    (b'{"text": "\xed\xa0\x80"}', 400, "must be UTF-8"),
    (b"[]", 400, "must be a JSON object but got array"),
    (b'"text"', 400, "must be a JSON object but got str"),
    (b"null", 400, "must be a JSON object but got null"),
    (b"[" * 100_000, 400, "must be a JSON object but got array"),
    (b"{}", 422, "exactly one of"),
    (b'{"text": "a", "texts": ["b"]}', 422, "exactly one of"),
    (b'{"text": null}', 422, "$.text"),
    (b'{"text": ["a"]}', 422, "$.text"),
    (b'{"texts": "a"}', 422, "$.texts"),
    (b'{"texts": ["a", 1]}', 422, "$.texts[1]"),
    (b'{"texts": [["a"]]}', 422, "$.texts[0]"),
    (b'{"text": "a", "txt": "b"}', 422, "`txt`"),
    (b'{"texts": ["a", "a", "a", "a"]}', 413, "at most 3 texts but got 4"),
    (b'{"text": "0123456789"}', 413, "'text' must have at most 9 bytes of UTF-8 but got 10"),
    ('{"texts": ["a", "四个字了"]}'.encode(), 413, "'texts[1]' must have at most 9 bytes of UTF-8 but got 12"),
]


@pytest.mark.parametrize(("body", "status", "message"), BAD)
def test_other_bodies_are_refused(body: bytes, status: int, message: str) -> None:
    with pytest.raises(Refused) as caught:
        read_texts(body, config=CONFIG)
    assert caught.value.status == status
    assert message in caught.value.message
    assert "\n" not in caught.value.message


FRAGMENTS = [
    '{"text": ',
    '{"texts": [',
    '"',
    "]}",
    "}",
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    ",",
    "null",
    "1e999",
    "[",
    "好",
]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=60) | st.lists(st.sampled_from(FRAGMENTS)).map(lambda parts: "".join(parts).encode()))
def test_any_bytes_are_texts_or_refused(body: bytes) -> None:
    texts: list[str] = []
    status = 200
    try:
        texts = read_texts(body, config=CONFIG)
    except Refused as refused:
        status = refused.status
    assert status in (200, 400, 413, 422)
    assert "".join(texts).encode().decode() == "".join(texts)  # no half of a surrogate pair is left


@pytest.mark.parametrize(
    ("texts", "size", "limit"),
    [(256, 64_000, 8 * 1024 * 1024), (1, 100, 1624), (2, 100, 2224), (256, 10_000_000, 60_001_024)],
)
def test_the_body_limit_follows_from_the_texts(texts: int, size: int, limit: int) -> None:
    assert body_limit(ServeConfig(max_texts=texts, max_text_bytes=size)) == limit
