"""Several texts of a row as one, and back."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ratchet.models.ngrams import normalise
from ratchet.text.joined import SEPARATOR, joined, joined_columns, parted

CELL = st.none() | st.text(alphabet=st.sampled_from("a好 \n" + SEPARATOR), max_size=6)


def test_the_texts_come_back_and_their_own_separators_are_line_breaks() -> None:
    assert joined(["title", None]) == f"title{SEPARATOR}"
    assert parted(joined(["title", None])) == ["title", ""]
    assert parted(joined([f"a{SEPARATOR}b", "c"])) == ["a\nb", "c"]
    assert parted("one") == ["one"]


@given(st.lists(CELL, min_size=1, max_size=4))
def test_as_many_come_back_as_there_were(cells: list[str | None]) -> None:
    assert parted(joined(cells)) == [(cell or "").replace(SEPARATOR, "\n") for cell in cells]


@settings(deadline=None)  # pyarrow is imported by the first
@given(st.lists(st.tuples(CELL, CELL), max_size=5))
def test_a_column_is_joined_as_its_rows_are(rows: list[tuple[str | None, str | None]]) -> None:
    columns = [pa.chunked_array([pa.array([row[place] for row in rows], pa.string())]) for place in (0, 1)]
    found = joined_columns(columns)
    assert found.type == pa.string()
    assert found.to_pylist() == [None if row == (None, None) else joined(row) for row in rows]


def test_a_linear_model_sees_white_space() -> None:
    assert normalise(joined(["Good", "room"])) == "good room"
