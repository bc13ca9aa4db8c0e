"""The OpenAPI document: valid in its parts, every reference resolves, and examples have the shape they show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ratchet.recipe.sections import ServeConfig
from ratchet.serve.messages import read_texts
from ratchet.serve.openapi import document

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


@pytest.mark.parametrize("keyed", [False, True])
def test_the_document_holds_together(keyed: bool) -> None:
    api = msgspec.json.decode(msgspec.json.encode(document(name="评论", version="abc", keyed=keyed)))
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


def test_the_examples_are_accepted() -> None:
    api = document(name="x", version="1", keyed=False)
    content = api["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert read_texts(msgspec.json.encode(example["value"]), config=ServeConfig())
