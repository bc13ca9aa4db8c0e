from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from ratchet.recipe.endpoint import EndpointSpec, JudgeSpec
from ratchet.recipe.yaml import read_yaml, write_yaml

YAML = """
kind: endpoint
name: prompt
url: https://api.example.com/v1
model: small
key: EXAMPLE_API_KEY
prompt: |
  {% for example in examples %}{{ example.text }} -> {{ example.label }}
  {% endfor %}{{ text }} ->
shots: 4
structured: true
price: {input: 0.15, output: 0.6}
limit: {cost: 2.5, requests: 1000}
context: 8192
"""


def parse(text: str) -> EndpointSpec:
    return EndpointSpec.model_validate_json(json.dumps(read_yaml(text, name="r").value), strict=True)


def test_a_section_of_a_recipe() -> None:
    spec = parse(YAML)
    assert (spec.price.output, spec.limit.cost, spec.limit.requests, spec.shots) == (0.6, 2.5, 1000, 4)
    assert (spec.temperature, spec.max_tokens, spec.retries) == (0, 256, 4)
    assert spec.prompt.endswith("{{ text }} ->\n")
    assert parse(write_yaml(spec.model_dump(mode="json"))) == spec


def test_every_key_has_a_default_and_a_description() -> None:
    assert EndpointSpec().limit.cost is None
    for section in (EndpointSpec, JudgeSpec):
        schema = section.model_json_schema()
        assert "required" not in schema
        of_sections = {name for name, entry in schema["properties"].items() if "$ref" in entry}
        described = {name for name, entry in schema["properties"].items() if entry.get("description")}
        assert described | of_sections == set(schema["properties"])


def refused(**keys: object) -> str:
    with pytest.raises(ValidationError) as caught:
        EndpointSpec(**{"model": "m", **keys})  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "http:// or https://"),
        ("localhost:8080/v1", "http:// or https://"),
        ("ftp://h/v1", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("http:///v1", "a host"),
        ("http://user:hunter2@h/v1", "a password"),
        ("http://h/v1?key=hunter2", "a ? or a #"),
        ("http://h/v1#", "a ? or a #"),
        ("http://h:99999/v1", "no URL"),
        ("http://h:0/v1", "no URL"),
        ("http://h /v1", "no URL"),
        ("http://h/v1\nX: y", "no URL"),
        ("http://[::1/v1", "no URL"),
        ("http://h/v1/chat/completions", "/completions"),
    ],
)
def test_odd_urls(url: str, said: str) -> None:
    message = refused(url=url)
    assert "url must be the base of an endpoint" in message
    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "key",
    [
        "sk-0123456789abcdef0123456789abcdef",
        "gsk_0123456789abcdefghijklmnop",
        "AKIAIOSFODNN7EXAMPLE",
        "0123456789ABCDEF0123456789ABCDEF",
        "Bearer X",
        "A" * 100,
        "$OPENAI_API_KEY",
        "OPENAI_API_KEY\n",
    ],
)
def test_a_key_in_the_recipe_is_refused_and_not_repeated(key: str) -> None:
    message = refused(key=key)
    assert "key must be the name of an environment variable" in message
    assert key not in message


@pytest.mark.parametrize("key", ["OPENAI_API_KEY", "KEY", "_K2", "AZURE_OPENAI_API_KEY_PRODUCTION_EAST_2", ""])
def test_names_of_variables(key: str) -> None:
    assert EndpointSpec(model="m", key=key).key == key


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model": " "}, "model must name a model"),
        ({"prompt": "{{ text"}, "prompt must be a Jinja template but line 1"),
        ({"system": "{% if %}"}, "system must be a Jinja template"),
        ({"shots": 2, "prompt": "{{ text }}"}, "prompt must use the variable examples when shots is 2"),
        ({"context": 256}, "context must be above max_tokens (256) but got 256"),
        ({"temperature": 3}, "less than or equal to 2"),
        ({"concurrency": 0}, "greater than or equal to 1"),
        ({"timeout": float("inf")}, "finite"),
        ({"price": {"input": -1}}, "greater than or equal to 0"),
        ({"limit": {"costs": 1}}, "Extra inputs"),
        ({"kind": "linear"}, "Input should be 'endpoint'"),
        ({"name": "a/b"}, "pattern"),
    ],
)
def test_odd_values(keys: dict[str, object], said: str) -> None:
    assert said in refused(**keys)


@pytest.mark.parametrize("more", [{"prompt": "{{ text }}"}, {"structured": True}])
def test_the_prompt_of_a_judge_is_not_the_recipes(more: dict[str, Any]) -> None:
    assert JudgeSpec(endpoint=EndpointSpec(model="m"), rubric="Short and true.").endpoint is not None
    with pytest.raises(ValidationError, match="a judge's prompt is Ratchet's own"):
        JudgeSpec(endpoint=EndpointSpec(model="m", **more))


def test_reading_a_recipe_loads_neither_httpx_nor_jinja2() -> None:
    code = "import sys, ratchet.recipe.endpoint; print([name for name in ('httpx', 'jinja2') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://api.example.com/v1", True),
        ("http://127.0.0.1:8080/v1", True),
        ("http://localhost/v1", True),
        ("http://api.example.com/v1", False),
        ("http://10.0.0.7:8000/v1", False),
    ],
)
def test_a_key_leaves_the_machine_only_encrypted(url: str, fine: bool) -> None:
    if fine:
        assert EndpointSpec(model="m", url=url, key="EXAMPLE_API_KEY").url == url
    else:
        assert "must begin with https:// when a key is sent" in refused(url=url, key="EXAMPLE_API_KEY")
        assert EndpointSpec(model="m", url=url).key == ""
