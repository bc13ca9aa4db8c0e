from __future__ import annotations

import pytest

from ratchet.errors import DataError
from ratchet.scores.exact import contains, exact_match, token_f1


def test_exact_match_after_one_form() -> None:
    answers = ["The Paris!", "ｐａｒｉｓ", "London", None, "北京。", ""]
    assert exact_match(answers, ["paris"] * 4 + ["北京", "x"]).tolist() == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("I think it is Paris.", "paris", 1),
        ("Parisian", "Paris", 0),
        ("answer: 15", "5", 0),
        ("答案是5个", "5", 1),
        ("我在北京大学", "北京", 1),
        ("abcabc abc", "abc", 1),
        ("anything", "", 0),
        ("-5 degrees", "-5", 1),
    ],
)
def test_contains_whole_words(answer: str, reference: str, value: int) -> None:
    assert contains([answer], [reference]).tolist() == [value]


def test_f1_of_words() -> None:
    """By hand: 2 shared of 3 and 2 words; 2 of 4 and 2 characters; "a" alone has no words."""
    found = token_f1(["cat sat mat", "我在北京", "a", "x", None], ["sat the cat", "北京", "the", "y", "z"])
    assert found == pytest.approx([2 * 2 / 5, 2 * 2 / 6, 1, 0, 0])


def test_rows_must_have_references() -> None:
    with pytest.raises(DataError, match=r"1 of 2 have none, row 2 first"):
        exact_match(["a", "b"], ["a", None])
    with pytest.raises(DataError, match="there are 2 and 1"):
        contains(["a", "b"], ["a"])
    assert exact_match([], []).shape == (0,)
