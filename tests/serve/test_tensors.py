"""Columns as tensors: texts and features in, and the predictions of every task out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratchet.models.inputs import Inputs
from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import Refused
from ratchet.serve.rows import Fields
from ratchet.serve.tensors import Outputs, Tensor, rows_of
from ratchet.tasks.registry import task_of

FIELDS = Fields(texts=("title", "body"), features=("price", "city"))
CONFIG = ServeConfig(max_texts=4, max_text_bytes=23)


def column(name: str, data: list[Any], datatype: str = "BYTES") -> Tensor:
    return Tensor(name=name, datatype=datatype, shape=(len(data),), data=data)


def rows(*tensors: Tensor) -> Inputs:
    found = rows_of(tensors, fields=FIELDS, config=CONFIG)
    assert isinstance(found, Inputs)
    return found


def test_a_column_each_in_any_order() -> None:
    found = rows(column("price", [1.5, 2], "FP64"), column("body", ["b", "d"]), column("title", [b"a", "好".encode()]))
    assert found.features == {"price": ("1.5", "2"), "city": (None, None)}
    alone = rows(column("title", ["a"]), column("body", [""]))
    assert (len(found), len(alone)) == (2, 1)
    assert "好" in found[1]
    assert "d" in found[1]


@pytest.mark.parametrize(
    ("datatype", "value", "cell"),
    [
        ("FP32", float(np.float32(0.1)), "0.1"),
        ("FP64", 0.1, "0.1"),
        ("FP64", 3.0, "3"),
        ("FP64", -1e300, "-1e+300"),
        ("INT8", -128, "-128"),
        ("UINT64", 2**64 - 1, "18446744073709551615"),
        ("INT64", -(2**63), "-9223372036854775808"),
        ("BYTES", "007", "007"),
    ],
)
def test_numbers_are_cells_of_a_table(datatype: str, value: Any, cell: str) -> None:
    found = rows(column("title", ["a"]), column("body", ["b"]), column("price", [value], datatype))
    assert found.features["price"] == (cell,)
    assert float(cell) == pytest.approx(float(value), rel=1e-7)


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("FP64", math.nan),
        ("FP32", math.inf),
        ("FP32", 1e39),
        ("FP64", 10**400),
        pytest.param("INT64", 10**10_000, id="of ten thousand digits"),
        ("INT8", 128),
        ("UINT8", -1),
        ("INT32", 1.5),
        ("INT64", math.nan),
        ("FP64", "1"),
        ("FP64", True),
        ("FP64", None),
        ("BOOL", True),
        ("FP16", 1.0),
        ("", 1.0),
    ],
)
def test_numbers_that_are_none(datatype: str, value: Any) -> None:
    with pytest.raises(Refused) as caught:
        rows(column("title", ["a"]), column("body", ["b"]), column("price", [value], datatype))
    assert caught.value.status == 422
    assert "'price'" in caught.value.message


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(Refused, match="'body' must be UTF-8, but byte 1 of its text 1 is not") as caught:
        rows(column("title", ["a", "b"]), column("body", [b"a", b"a\xff"]))
    assert caught.value.status == 400


def test_columns_must_fit() -> None:
    with pytest.raises(Refused, match="must have 'body' but have 'title'"):
        rows(column("title", ["a"]))
    with pytest.raises(Refused, match="'body' must have the shape"):
        rows(column("title", ["a"]), column("body", ["a", "b"]))
    with pytest.raises(Refused, match="at most 23 bytes of UTF-8 but got 24"):
        rows(column("title", ["a" * 12]), column("body", ["b" * 12]))
    with pytest.raises(Refused, match="but got 'text'"):
        rows(column("text", ["a"]), column("body", ["b"]))


ELEMENTS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=4), st.just(10**400)
)
TENSORS = st.builds(
    Tensor,
    name=st.sampled_from([*FIELDS.names, "text"]),
    datatype=st.sampled_from(["BYTES", "FP32", "FP64", "INT8", "UINT64", "BOOL", ""]),
    shape=st.lists(st.integers(-1, 2), max_size=2).map(tuple) | st.just((2**64,)),
    data=st.lists(ELEMENTS, max_size=2),
)


@given(st.lists(TENSORS, max_size=4))
def test_whatever_comes_is_taken_or_refused(tensors: list[Tensor]) -> None:
    error: Refused | None = None
    try:
        found = rows_of(tensors, fields=FIELDS, config=CONFIG)
    except Refused as raised:
        error = raised
    if error is None:
        assert len(found) == tensors[0].shape[0]
    else:
        assert 400 <= error.status < 500
        assert len(error.message) < 2_000


TASKS: list[tuple[str, tuple[str, ...], Any, dict[str, Any], list[tuple[str, str, tuple[int, ...], list[Any]]]]] = [
    (
        "multilabel",
        ("a", "b"),
        np.array([[0.75, 0.25], [0.75, 0.75]], np.float32),
        {},
        [
            ("labels", "BYTES", (2,), ['["a"]', '["a", "b"]']),
            ("probabilities", "FP32", (2, 2), [0.75, 0.25, 0.75, 0.75]),
        ],
    ),
    (
        "regression",
        ("value",),
        np.array([[1.5], [2.0]]),
        {"half_width": 0.5, "coverage": 0.9},
        [
            ("value", "FP64", (2,), [1.5, 2.0]),
            ("low", "FP64", (2,), [1.0, 1.5]),
            ("high", "FP64", (2,), [2.0, 2.5]),
        ],
    ),
    ("generation", ("text",), np.array([["x"], [None]], object), {}, [("text", "BYTES", (2,), ["x", ""])]),
    (
        "classification",
        ("a", "b"),
        np.array([[0.75, 0.25]], np.float32),
        {"abstain": {"below": 0.9, "error": 0.01, "confidence": 0.95}},
        [
            ("label", "BYTES", (1,), ["a"]),
            ("probability", "FP32", (1,), [0.75]),
            ("probabilities", "FP32", (1, 2), [0.75, 0.25]),
            ("abstain", "BOOL", (1,), [True]),
        ],
    ),
]


@pytest.mark.parametrize(("name", "labels", "answers", "facts", "wanted"), TASKS)
def test_the_predictions_of_every_task(
    name: str, labels: tuple[str, ...], answers: Any, facts: dict[str, Any], wanted: list[Any]
) -> None:
    task = task_of(name)
    outputs = Outputs.of(task.schema(names=labels, facts=facts), labels=labels)
    found = outputs.answered(task.predictions(answers, names=labels, facts=facts))
    assert [(one.name, one.datatype, one.shape, one.data) for one in found] == wanted
    assert [one.parameters.get("missing") for one in found] == ["[1]" if name == "generation" else None] * len(found)
    assert [(one.name, one.datatype) for one in outputs.described] == [(one.name, one.datatype) for one in found]
    assert [len(one.shape) for one in outputs.described] == [len(one.shape) for one in found]
