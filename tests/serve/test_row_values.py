"""A JSON object as cells: numbers keep their digits, as they do where a table is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.serve.row_values import Wrong, cells_of
from ratchet.serve.rows import Fields
from ratchet.tables.parse import json_row

FIELDS = Fields(texts=("a",), features=("n",))


def cells(body: str) -> tuple[str | None, ...]:
    return cells_of(body.encode(), fields=FIELDS, where="'row'")


@pytest.mark.parametrize("literal", ["12.50", "1e3", "-0", "12345678901234567890123", "0.1", "1E-400"])
def test_a_number_keeps_its_digits(literal: str) -> None:
    body = f'{{"a": "x", "n": {literal}}}'
    assert cells(body) == ("x", literal)
    assert cells(body)[1] == json_row(body, number=1, name="t.jsonl")["n"]


def test_what_is_left_out_or_null_is_missing() -> None:
    assert cells('{"a": "x"}') == cells('{"n": null, "a": "x"}') == ("x", None)


@given(
    st.text(max_size=6),
    st.text(max_size=6) | st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_row_is_read_as_a_line_of_a_table(text: str, value: str | float | None) -> None:
    body = json.dumps({"a": text, "n": value})
    row = json_row(body, number=1, name="t.jsonl")
    assert cells(body) == (row["a"], row["n"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "must be an object with 'a', 'n' but is a list"),
        ("true", "but is true or false"),
        ("3", "but is a text or number"),
        ('{"a": "x", "a": "y"}', "'a' is there twice"),
        ('{"a": "x", "n": 1e999}', "1e999 is too large"),
        ('{"n": 1}', "must have 'a' but has 'n'"),
        ('{"a": "x", "m": 1}', "but 'a', 'n' and got 'm'"),
        ('{"a": ["x"]}', "as 'a' but has a list"),
    ],
)
def test_other_values_are_refused(body: str, message: str) -> None:
    with pytest.raises(Wrong, match=message):
        cells(body)
