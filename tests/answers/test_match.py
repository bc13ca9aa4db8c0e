"""Rows are matched by id or by content, and what does not fit is counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.answers.answer_file import AnswerFile
from ratchet.answers.match import Matched, Rows, match, match_rows, rows_of
from ratchet.errors import DataError

Make = Callable[..., AnswerFile]


def said(matched: Matched, first: AnswerFile, second: AnswerFile) -> list[tuple[str | None, str | None]]:
    """The answers of both, by row; one a row."""
    found: list[list[str | None]] = [[None] * len(matched.rows), [None] * len(matched.rows)]
    for cells, file, side in zip(found, (first, second), (matched.first, matched.second), strict=True):
        for n, row in zip(side.answers, side.cluster, strict=True):
            cells[row] = file.answers[n]
    return [*zip(*found, strict=True)]


def test_by_id_in_any_order(answers: Make) -> None:
    one = answers(["a", "b", "c"], ids=["1", "2", "3"])
    other = answers(["C", "A", "B"], ids=["3", " 1", "2"])
    found = match(one, other)
    assert said(found, one, other) == [("a", "A"), ("b", "B"), ("c", "C")]
    assert found.notes == ()


def test_by_content_where_one_has_no_ids_or_others(answers: Make) -> None:
    one = answers(["a", "b"], ids=["1", "2"], inputs=["x", "y"])
    for ids in ([None, None], ["q7", "q8"]):
        other = answers(["B", "A"], ids=ids, inputs=[" y ", "x"])
        assert said(match(one, other), one, other) == [("a", "A"), ("b", "B")]


def test_equal_texts_are_matched_in_order_or_by_the_right_answer(answers: Make) -> None:
    one = answers(["a", "b"], inputs=["x", "x"])
    other = answers(["A", "B"], inputs=["x", "x"])
    assert said(match(one, other), one, other) == [("a", "A"), ("b", "B")]
    one = answers(["a", "b"], inputs=["x", "x"], references=["p", "n"])
    other = answers(["B", "A"], inputs=["x", "x"], references=["n", "p"])
    found = match(one, other)
    assert said(found, one, other) == [("a", "A"), ("b", "B")]
    assert found.references == ("p", "n")


def test_by_place_only_without_ids_and_texts(answers: Make) -> None:
    one, other = answers(["a", "b"]), answers(["A", None])
    found = match(one, other, most_missing=0.5)
    assert said(found, one, other) == [("a", "A"), ("b", None)]
    assert found.second.missing == 1
    assert found.notes == (
        "There is no id and no text: rows are taken in their order.",
        "1 of 2 rows have no answer in a.csv and count as wrong.",
    )
    with pytest.raises(DataError, match="by place, 1 of 2 rows have no answer"):
        match(one, other)
    with pytest.raises(DataError, match="must have the same rows but have 3 and 2"):
        match(one, answers(["A", "B", "C"]))


def test_missing_answers_count_as_wrong_up_to_a_share(answers: Make) -> None:
    ids = [str(n) for n in range(100)]
    one = answers(["x"] * 100, "one", ids=ids)
    other = answers([*["x"] * 96, None], "other", ids=ids[:97])
    found = match(one, other)
    assert (found.first.missing, found.second.missing) == (0, 4)
    assert found.notes == ("4 of 100 rows have no answer in other.csv and count as wrong.",)
    right = found.second.per_row(np.array([answer == "x" for answer in other.answers], dtype=float), rows=100)
    assert right.sum() == 96
    with pytest.raises(DataError, match="by id, 6 of 100 rows have no answer and 0 answers are to no row; at most 5%"):
        match(one, answers(["x"] * 94, ids=ids[:94]))
    assert match(one, answers(["x"] * 94, ids=ids[:94]), most_missing=0.06).second.missing == 6


def test_foreign_answers_are_counted_against_a_table_of_rows(answers: Make) -> None:
    ids = tuple(str(n) for n in range(20))
    rows = Rows(name="rows.csv", ids=ids, inputs=(None,) * 20, references=("r",) * 20)
    side, notes = match_rows(answers(["x"] * 21, ids=[*ids, "more"]), rows)
    assert (side.foreign, side.missing, len(side.answers)) == (1, 0, 20)
    assert notes == ("1 answers of a.csv are to no row and are left out.",)
    with pytest.raises(DataError, match="2 answers are to no row"):
        match_rows(answers(["x"] * 22, ids=[*ids, "more", "yet more"]), rows)
    found = match(answers(["x"] * 20, ids=ids), answers(["y"] * 20, ids=ids[::-1], references=["q"] * 20), rows=rows)
    assert found.references == ("r",) * 20


def test_repeated_answers_are_dropped_when_equal_and_else_refused(answers: Make) -> None:
    one = answers(["a", "b"], ids=["1", "2"])
    found = match(one, answers(["A", " A", "B"], ids=["1", "1", "2"]))
    assert (found.second.repeated, found.second.answers.tolist()) == (1, [0, 2])
    with pytest.raises(
        DataError, match="one answer a row but 1 answers differ from an earlier one to the same row, '1' in row 2 first"
    ):
        match(one, answers(["A", "C", "B"], ids=["1", "1", "2"]))
    with pytest.raises(DataError, match="'x' in row 2 first"):
        match(answers(["a", "b"], inputs=["x", "y"]), answers(["A", "C", "B"], inputs=["x", "x", "y"]))


def test_epochs_of_a_row_stay_together(answers: Make) -> None:
    one = answers(["a0", "b0", "a1", "b1", "a2"], ids=["1", "2", "1", "2", "1"], epochs=[0, 0, 1, 1, 2])
    other = answers(["B", "A"], ids=["2", "1"])
    found = match(one, other)
    assert found.first.cluster.tolist() == [0, 0, 0, 1, 1]
    assert [one.answers[n] for n in found.first.answers] == ["a0", "a1", "a2", "b0", "b1"]
    assert found.first.per_row(np.array([1.0, 0, 0, 1, 0]), rows=2).tolist() == [1 / 3, 1 / 2]
    assert found.notes == ("a.csv has up to 3 answers a row: 2 rows, not 5; scores are their means.",)
    by_content = answers(["x", "y", "z", "w"], inputs=["t", "t", "t", "t"], epochs=[0, 0, 1, 1])
    assert match(by_content, answers(["p", "q"], inputs=["t", "t"])).first.cluster.tolist() == [0, 0, 1, 1]


def test_ids_that_were_numbered_anew_are_refused(answers: Make) -> None:
    one = answers(["a", "b"], ids=["0", "1"], inputs=["x", "y"])
    other = answers(["B", "A"], ids=["0", "1"], inputs=["y", "x"])
    with pytest.raises(
        DataError, match=r"must name the same rows but 2 of 2 differ in their texts, row 1 of a\.csv first"
    ):
        match(one, other)
    assert said(match(one, other, by="content"), one, other) == [("a", "A"), ("b", "B")]
    assert said(match(one, other, by="id"), one, other) == [("a", "B"), ("b", "A")]


def test_right_answers_must_agree(answers: Make) -> None:
    one = answers(["a", "b"], ids=["0", "1"], references=["p", None])
    assert match(one, answers(["a", "b"], ids=["0", "1"], references=[" p", "n"])).references == ("p", "n")
    with pytest.raises(
        DataError,
        match=r"same right answer in each row but 1 of 2 differ: row 1 of the first file has 'p' and row 1 of the second 'q'\.",
    ):
        match(one, answers(["a", "b"], ids=["0", "1"], references=["q", "n"]))


def test_a_way_that_is_not_there_is_refused(answers: Make) -> None:
    one = answers(["a"], inputs=["x"])
    with pytest.raises(DataError, match="must name each row to be matched by id"):
        match(one, one, by="id")
    with pytest.raises(DataError, match="text of each row"):
        match(answers(["a"], ids=["1"]), answers(["a"], ids=["1"]), by="content")
    with pytest.raises(DataError, match="auto, id or content but got 'name'"):
        match(one, one, by="name")


def test_rows_of_one_id_in_the_table_are_refused(answers: Make) -> None:
    rows = Rows(name="r", ids=("1", "1"), inputs=(None, None), references=(None, None))
    with pytest.raises(DataError, match="must name each row once but 1 name several, '1' first"):
        match_rows(answers(["a"], ids=["1"]), rows)


@given(
    texts=st.lists(st.sampled_from(["x", "y", "z", "w"]), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_a_shuffle_changes_nothing(texts: list[str], order: object) -> None:
    from pathlib import Path

    def file(places: list[int], name: str) -> AnswerFile:
        nothing = (None,) * len(places)
        return AnswerFile(
            path=Path(name), format="table", model=name, ids=nothing, inputs=tuple(texts[n] for n in places),
            references=nothing, answers=tuple(texts[n].upper() for n in places), epochs=np.zeros(len(places), np.int64),
            scores={}, measures={}, columns={},
        )  # fmt: skip

    places = [*range(len(texts))]
    order.shuffle(places)  # type: ignore[attr-defined]
    one, other = file([*range(len(texts))], "one"), file(places, "other")
    found = match(one, other)
    assert (len(found.rows), found.first.missing, found.second.missing) == (len(texts), 0, 0)
    assert said(found, one, other) == [(text.upper(), text.upper()) for text in texts]
    assert len(rows_of(other)) == len(texts)
