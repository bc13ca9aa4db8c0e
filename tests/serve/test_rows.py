"""The columns of a model by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.errors import DataError
from ratchet.models.inputs import Inputs
from ratchet.serve.rows import Fields, listed, nearest

ONE = Fields(texts=("text",))
MANY = Fields(texts=("title", "body"), features=("price",))


def test_one_text_is_a_plain_list() -> None:
    assert ONE.inputs([("a",), (None,)]) == ["a", ""]
    assert ONE.plain
    assert ONE.called("评论").names == ("评论",)


def test_several_texts_are_joined_and_features_stand_beside_them() -> None:
    found = MANY.inputs([("a", None, "1"), ("b\u2029c", "d", None)])
    assert isinstance(found, Inputs)
    assert [*found] == ["a\u2029", "b\nc\u2029d"]
    assert found.features == {"price": ("1", None)}
    assert not MANY.plain


@pytest.mark.parametrize(
    ("row", "blank"),
    [((None, None, "1"), True), ((" ", "\n", "1"), True), (("a", None, None), False), ((None, "b", None), False)],
)
def test_a_row_is_blank_where_every_text_is(row: tuple[str | None, ...], blank: bool) -> None:
    assert MANY.is_blank(row) == blank


@given(st.lists(st.text(max_size=3) | st.none(), min_size=3, max_size=3))
def test_what_is_not_blank_has_something_to_predict(row: list[str | None]) -> None:
    assert MANY.is_blank(tuple(row)) == (not str(MANY.inputs([tuple(row)])[0]).strip())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["title", "body", "prize"], "must have the column 'price' .a feature of the model.*Did you mean 'prize'"),
        (["title", "body"], "Add it; its cells may be empty"),
        (["body", "price"], "the column 'title' .a text of the model"),
        (
            ["x"],
            "must have the columns 'title', 'body', 'price', as the table of the training had, but has 'x'. Add them",
        ),
    ],
)
def test_what_is_missing_is_named(names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        raise MANY.missing(names, table="t.csv")


def test_names_for_people_are_few_and_short() -> None:
    assert listed(["a"]) == "'a'"
    assert listed([f"c{n}" for n in range(2_000)]).endswith("'c7' and 1,992 more")
    assert len(listed(["x" * 1_000_000])) < 100


def test_the_nearest_name_is_found_in_any_case() -> None:
    assert nearest(["TITEL"], ["title", "body"]) == ["title"]
    assert nearest(["zzz"], ["title"]) == []


def test_a_column_of_conversations_is_asked_what_stands_before_the_answer() -> None:
    talk = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]'
    fields = Fields(texts=("ratchet_prompt",)).called("messages")
    assert fields.inputs([(talk,), ("Hi",), (talk.partition(", {")[0] + "]",)]) == ["Hi", "Hi", "Hi"]
    assert fields.is_blank(("[]",))
    assert not fields.is_blank((talk,))


def test_other_models_take_a_conversation_for_the_text_that_it_is() -> None:
    talk = '[{"role": "user", "content": "Hi"}]'
    assert Fields(texts=("text",)).called("messages").inputs([(talk,)]) == [talk]
