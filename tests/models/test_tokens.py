from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from ratchet.models.tokens import TextEncoder, cut, train_tokenizer
from ratchet.recipe.sections import EncoderSpec
from ratchet.text.joined import SEPARATOR, joined

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


PAIRS = [
    joined(pair)
    for pair in (("房间很干净", "服务很好"), ("my card", "has not arrived"), ("card", None), (None, "late"))
]


def test_two_texts_are_a_pair_with_room_for_both() -> None:
    tokens = train_tokenizer(PAIRS * 3, spec=SPEC, columns=2)
    assert tokens.pairs
    end = tokens.tokenizer.token_to_id("[SEP]")
    assert [int((row == end).sum()) for row in tokens.encode(PAIRS)] == [2] * 4
    (long,) = tokens.encode([joined(["card " * 50, "late " * 50])])
    first, second = np.flatnonzero(long == end)
    assert len(long) == SPEC.max_tokens
    assert abs((first - 1) - (second - first - 1)) <= 1


def test_a_pair_is_encoded_the_same_after_it_was_saved() -> None:
    tokens = train_tokenizer(PAIRS * 3, spec=SPEC, columns=2)
    again = TextEncoder.from_json(tokens.to_json(), max_tokens=SPEC.max_tokens, pad_id=tokens.pad_id, columns=2)
    assert [row.tolist() for row in again.encode(PAIRS)] == [row.tolist() for row in tokens.encode(PAIRS)]


def test_without_a_template_for_pairs_a_separator_stands_between_the_texts() -> None:
    alone = train_tokenizer(TEXTS, spec=SPEC)
    for columns in (2, 3):
        tokens = TextEncoder.from_json(alone.to_json(), max_tokens=12, pad_id=alone.pad_id, columns=columns)
        assert (tokens.pairs, tokens.separator) == (False, " [SEP] ")
        parts = ["card", "late", "my"][:columns]
        assert tokens.encode([joined(parts)])[0].tolist() == alone.encode([" [SEP] ".join(parts)])[0].tolist()


def test_without_a_separator_it_is_a_line_break() -> None:
    contents = json.loads(train_tokenizer(TEXTS, spec=SPEC).to_json().replace("[SEP]", "[END]"))
    tokens = TextEncoder.from_json(json.dumps(contents), max_tokens=12, pad_id=0, columns=2)
    assert tokens.separator == "\n"
    assert tokens.encode([joined(["card", "late"])])[0].tolist() == tokens.encode(["card late"])[0].tolist()


@pytest.mark.parametrize("text", ["card", f"card{SEPARATOR}late{SEPARATOR}my"])
def test_as_many_texts_as_columns_whatever_comes(text: str) -> None:
    tokens = train_tokenizer(PAIRS * 3, spec=SPEC, columns=2)
    assert int((tokens.encode([text])[0] == tokens.tokenizer.token_to_id("[SEP]")).sum()) == 2


def test_one_column_keeps_its_paragraph_separators() -> None:
    tokens = train_tokenizer(TEXTS, spec=SPEC)
    assert tokens.encode([f"my{SEPARATOR}card"])[0].tolist() == tokens.encode(["my card"])[0].tolist()
