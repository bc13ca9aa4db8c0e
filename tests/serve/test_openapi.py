"""The OpenAPI document: valid in its parts, every reference resolves, and examples have the shape they show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import read_texts
from ratchet.serve.openapi import Served, document
from ratchet.serve.rows import Fields
from ratchet.tasks.registry import TASKS
from ratchet.tasks.task import Task

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from _references(value)
    if isinstance(node, list):
        for value in node:
            yield from _references(value)


FIELDS = [Fields(texts=("text",)), Fields(texts=("标题", "body")), Fields(texts=("text",), features=("price",))]


def served(task: Task = TASKS[0], fields: Fields = FIELDS[0]) -> Served:
    facts = {"half_width": 1.5, "coverage": 0.9}
    return Served(name="评论", version="abc", prediction=task.schema(names=("a", "b"), facts=facts), fields=fields)


def resolved(api: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of a message, which jsonschema can follow."""
    return {"$ref": f"#/components/schemas/{name}", "components": api["components"]}


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("keyed", [False, True])
def test_the_document_holds_together(keyed: bool, task: Task, fields: Fields) -> None:
    api = msgspec.json.decode(msgspec.json.encode(document(served(task, fields), keyed=keyed)))
    assert set(api) == {"openapi", "info", "paths", "components"}
    assert api["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(api["info"])
    for reference in _references(api):
        node: Any = api
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node["type"] == "object"
    names = []
    for path, item in api["paths"].items():
        assert path.startswith("/")
        assert set(item) <= METHODS
        for operation in item.values():
            names.append(operation["operationId"])
            assert operation["responses"]
            for status, answer in operation["responses"].items():
                assert status.isdecimal()
                assert answer["description"]
    assert len(set(names)) == len(names)
    operation = api["paths"]["/predict"]["post"]
    assert ("401" in operation["responses"]) is keyed
    schemes = api["components"].get("securitySchemes", {})
    assert [name for need in operation.get("security", []) for name in need] == list(schemes)


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_examples_are_accepted(task: Task, fields: Fields) -> None:
    api = document(served(task, fields), keyed=False)
    operation = api["paths"]["/predict"]["post"]
    asked = operation["requestBody"]["content"]["application/json"]
    for example in asked["examples"].values():
        rows = read_texts(msgspec.json.encode(example["value"]), config=ServeConfig(), fields=fields)
        assert len(rows) >= 1
        jsonschema.validate(example["value"], resolved(api, "PredictRequest"))
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]
    jsonschema.validate(answer, resolved(api, "PredictResponse"))
    assert len(answer["predictions"]) == 1


def test_what_the_server_refuses_is_not_in_the_schema() -> None:
    api = document(served(fields=FIELDS[2]), keyed=False)
    schema = jsonschema.Draft202012Validator(resolved(api, "PredictRequest"))
    assert schema.is_valid({"row": {"text": "a", "price": 3}})
    assert schema.is_valid({"rows": [{"text": "a", "price": None}, {"text": "b"}]})
    for wrong in ({"text": "a"}, {"row": {"price": 3}}, {"row": {"text": "a", "prize": 3}}, {"row": {"text": [1]}}):
        assert not schema.is_valid(wrong), wrong
