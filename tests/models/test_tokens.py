from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from ratchet.models.tokens import TextEncoder, cut, train_tokenizer
from ratchet.recipe.sections import EncoderSpec

SPEC = EncoderSpec(vocabulary=120, max_tokens=12)
TEXTS = ["房间很干净，服务很好", "房间太吵，服务很差", "my card has not arrived", "the card arrived late"] * 3


def test_a_vocabulary_comes_from_the_texts_and_is_bounded() -> None:
    tokens = train_tokenizer(TEXTS, spec=SPEC)
    assert tokens.tokenizer.get_vocab_size() <= SPEC.vocabulary
    assert tokens.tokenizer.encode("房间 card").tokens[1:-1] == ["房间", "card"]


def test_the_order_of_the_texts_and_the_process_do_not_matter() -> None:
    here = train_tokenizer(TEXTS, spec=SPEC).to_json()
    assert train_tokenizer(TEXTS[::-1], spec=SPEC).to_json() == here
    code = (
        "import hashlib; from ratchet.recipe.sections import EncoderSpec; from ratchet.models.tokens import train_tokenizer\n"
        f"tokens = train_tokenizer({TEXTS!r}, spec=EncoderSpec(vocabulary=120, max_tokens=12))\n"
        "print(hashlib.sha256(tokens.to_json().encode()).hexdigest())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert there == hashlib.sha256(here.encode()).hexdigest()


def test_characters_seen_once_are_unknown_and_full_width_is_plain() -> None:
    tokens = train_tokenizer([*TEXTS, "龘"], spec=SPEC)
    unknown = tokens.tokenizer.token_to_id("[UNK]")
    assert tokens.encode(["龘"])[0].tolist()[1] == unknown
    assert tokens.encode(["ＣＡＲＤ"])[0].tolist() == tokens.encode(["card"])[0].tolist()


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800 card", "card " * 5_000, "好" * 100_000, "🙂" * 99])
def test_any_text_gets_at_least_its_two_marks_and_at_most_max_tokens(text: str) -> None:
    tokens = train_tokenizer(TEXTS, spec=SPEC)
    (found,) = tokens.encode([text])
    assert 2 <= len(found) <= SPEC.max_tokens


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [("abc", 10, "abc"), ("abcd", 2, "ab"), ("好好", 4, "好"), ("好", 2, ""), ("a\ud800b", 3, "a?b"), ("", 0, "")],
)
def test_a_cut_never_leaves_half_a_character(text: str, limit: int, wanted: str) -> None:
    assert cut(text, limit) == wanted


def test_cut_and_padding_of_a_tokenizer_file_are_replaced() -> None:
    tokens = train_tokenizer(TEXTS, spec=SPEC)
    tokens.tokenizer.enable_padding(length=9)
    tokens.tokenizer.enable_truncation(3)
    again = TextEncoder.from_json(tokens.to_json(), max_tokens=7, pad_id=0)
    assert len(again.encode(["card"])[0]) == 3
    assert len(again.encode(["card card card card card card card card"])[0]) == 7
