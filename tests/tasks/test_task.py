"""What tasks share: which metrics they have, and which rows can be used."""

from __future__ import annotations

from collections.abc import Callable

import jsonschema
import pytest

from ratchet.errors import RecipeError
from ratchet.tables.dataset import Dataset
from ratchet.tasks.registry import TASKS, task_of
from ratchet.tasks.task import Parity, filled, json_list, object_schema, require_metrics, share_columns


def test_a_metric_of_another_task_is_refused_with_the_nearest() -> None:
    for task in TASKS:
        require_metrics(task.metrics, task)
        require_metrics(["mine:score"], task)
    with pytest.raises(
        RecipeError, match=r"must be of rmse, mae, r2, spearman for regression but got 'mea'.*Did you mean mae"
    ):
        require_metrics(["rmse", "mea"], task_of("regression"))
    with pytest.raises(RecipeError, match=r"but got 'bleu'\. Or set task in the recipe"):
        require_metrics(["bleu"], task_of("classification"))
    with pytest.raises(RecipeError, match=r"gate.claims must be of accuracy, .* for classification but got 'token_f1'"):
        require_metrics(["token_f1"], task_of("classification"), key="gate.claims")


def test_rows_with_text_and_answer(table: Callable[..., Dataset]) -> None:
    rows = table({"text": ["a", None, "", "d"], "label": ["x", "y", "z", None]})
    assert filled(rows).tolist() == [0]


def test_a_share_of_no_rows_is_none() -> None:
    assert Parity(max_difference=0, disagreements=0, n=0).disagreement == 0
    assert Parity(max_difference=0, disagreements=1, n=4).disagreement == 0.25


def test_an_object_has_all_of_its_properties() -> None:
    schema = object_schema("A thing.", {"a": {"type": "number"}}, example={"a": 1})
    jsonschema.validate({"a": 2}, schema)
    for wrong in ({}, {"a": "2"}, []):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
    assert (schema["examples"], schema["title"]) == ([{"a": 1}], "Prediction")


def test_names_of_columns_and_lists() -> None:
    assert share_columns(["a", "好"]) == ["probability_a", "probability_好"]
    assert json_list(["好", 'a"b']) == '["好", "a\\"b"]'
