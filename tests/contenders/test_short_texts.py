"""Short texts are found between word boundaries, and count only where there are many."""

from __future__ import annotations

import pytest

from ratchet.contenders.short_texts import short_texts


@pytest.mark.parametrize(
    ("text", "corpus", "found"),
    [
        ("salt and wool", "They sell Salt, and  wool here.", True),
        ("salt and wool", "salt and wool", True),
        ("salt and wool", "They sell salt and woollen socks.", False),
        ("salt and wool", "basalt and wool", False),
        ("hello there", "Well, hello there, he said.", False),
        ("怎么申请退款呢", "有人问怎么申请退款呢我们说可以", True),
        ("怎么退款", "有人问怎么退款我们说可以", False),
        ("a" * 40, f"see {'a' * 40} here", False),
    ],
    ids=["inside", "whole", "behind", "before", "greeting", "chinese", "chinese greeting", "long"],
)
def test_a_text_is_found_between_word_boundaries(text: str, corpus: str, found: bool) -> None:
    assert list(short_texts([corpus], {text: 7}, below=40).found.values()) == ([7] if found else [])


def test_many_are_five_and_a_fifth() -> None:
    texts = {f"order number {place:03}": place for place in range(50)}

    def many(count: int, of: int) -> bool:
        known = dict([*texts.items()][:of])
        result = short_texts([" and ".join([*known][:count])], known, below=40)
        assert (len(result.found), result.of) == (count, of)
        return result.many

    assert not many(4, 4)
    assert many(5, 5)
    assert not many(9, 50)
    assert many(10, 50)
