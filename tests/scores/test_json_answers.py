from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.scores.json_answers import json_fields, json_valid

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_what_is_json() -> None:
    answers = [
        '{"a": [1]}',
        "```json\n{}\n```",
        " 3 ",
        '{"a": 1} {"b": 2}',
        "{'a': 1}",
        "[Infinity]",
        "[" * 100_000,
        "",
        None,
    ]
    assert json_valid(answers).tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"name": "王 ", "age": 3.0, "at": {"city": "x", "zip": null}, "tags": [1, 2], "more": 1}', 1),
        ('{"name": "王", "age": 3, "at": {"city": "y"}, "tags": [2, 1]}', 2 / 5),
        ('{"name": "王", "age": true, "at": "x"}', 1 / 5),
        ("[]", 0),
        ("no", 0),
        (None, 0),
    ],
)
def test_fields_that_are_equal(answer: str | None, value: float) -> None:
    reference = '{"name": "王", "age": 3, "at": {"city": "x", "zip": null}, "tags": [1, 2]}'
    assert json_fields([answer], [reference]) == pytest.approx([value])


def test_true_is_not_one_also_in_lists() -> None:
    assert json_fields(['{"a": [1]}', '{"a": {}}'], ['{"a": [true]}', '{"a": {}}']).tolist() == [0, 1]
    assert json_fields(["{}", "3"], ["{}", "{}"]).tolist() == [1, 0]


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_an_object_has_all_of_its_own_fields(value: dict[str, object]) -> None:
    text = json.dumps(value)
    assert json_fields([text], [text]).tolist() == [1]


def test_a_reference_must_be_an_object() -> None:
    with pytest.raises(DataError, match=r"reference of row 2 must be a JSON object but is '\[1\]'"):
        json_fields(["{}", "{}"], ["{}", "[1]"])
