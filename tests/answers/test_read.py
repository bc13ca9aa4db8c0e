"""Which tool wrote a file is told by its content, and whatever is damaged is refused in words."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.answers.read import read_answers
from ratchet.errors import DataError

INSPECT: dict[str, Any] = {
    "version": 2,
    "status": "success",
    "eval": {"model": "m"},
    "samples": [
        {
            "id": 1,
            "epoch": 1,
            "input": [{"role": "user", "content": "q"}],
            "target": ["a"],
            "messages": [{"role": "assistant"}],
            "output": {
                "completion": "",
                "choices": [{"message": {"content": [{"text": "a"}]}}],
                "time": 1,
                "usage": {},
            },
            "scores": {"match": {"value": {"a": "C"}}},
            "model_usage": {"m": {"input_tokens": 1}},
            "error": None,
            "attachments": {},
        }
    ],
}
PROMPTFOO: dict[str, Any] = {
    "results": {
        "stats": {},
        "results": [
            {
                "promptIdx": 0,
                "testIdx": 0,
                "provider": {"id": "p"},
                "prompt": {"raw": "r", "label": "l"},
                "vars": {"x": "y"},
                "response": {"output": "o", "cached": False, "tokenUsage": {"prompt": 1}},
                "testCase": {"assert": [{"type": "equals", "value": "o"}]},
                "namedScores": {"a": 1},
                "success": True,
                "score": 1,
                "latencyMs": 1,
                "cost": 1,
            }
        ],
    }
}
LM_EVAL: dict[str, Any] = {
    "doc_id": 0,
    "doc": {"q": "x"},
    "target": "1",
    "arguments": {"gen_args_0": {"arg_0": "x"}},
    "filtered_resps": [["-1.0", "False"], ["-2.0", "False"]],
    "filter": "none",
    "metrics": ["acc"],
    "acc": 1.0,
    "doc_hash": "h",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**400) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every value in a document, by what holds it and where."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [pair for key, one in inner for pair in [(value, key), *places(one)]]


@pytest.mark.parametrize(("whole", "name"), [(INSPECT, "a.json"), (PROMPTFOO, "b.json"), (LM_EVAL, "c.jsonl")])
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_whatever_stands_in_a_place_is_read_or_refused(
    tmp_path: Path, whole: dict[str, Any], name: str, data: st.DataObject
) -> None:
    changed = copy.deepcopy(whole)
    holder, key = data.draw(st.sampled_from(places(changed)))
    holder[key] = data.draw(ANYTHING)
    path = tmp_path / name
    path.write_text(json.dumps(changed))
    try:
        said = "" if read_answers(path).answers else "nothing"
    except DataError as problem:
        said = str(problem)
    assert said == "" or path.stem in said


@pytest.mark.parametrize(("whole", "name"), [(INSPECT, "a.json"), (PROMPTFOO, "b.json"), (LM_EVAL, "c.jsonl")])
def test_the_content_tells_the_tool(tmp_path: Path, whole: dict[str, Any], name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(whole))
    assert read_answers(path).format == {"a": "inspect", "b": "promptfoo", "c": "lm-eval"}[path.stem]


def test_other_json_is_a_table(tmp_path: Path) -> None:
    for name, text in (("a.json", '[{"id": 1, "output": "x"}]'), ("b.jsonl", '\n{"id": 1, "output": "x"}\n')):
        (tmp_path / name).write_text(text)
        found = read_answers(tmp_path / name)
        assert (found.format, found.answers) == ("table", ("x",))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"eval": ', "must be a JSON document"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.jsonl", "", "must have a header and rows but is empty"),
        ("a.jsonl", "[1]\n", "Line 1 of .* must be a JSON object but is list"),
        ("a.eval", "no zip", "whole log of Inspect but is damaged"),
        ("a.txt", "just words\nand more\n", "column of answers"),
    ],
)
def test_what_is_no_file_of_answers_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_answers(tmp_path / name)


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("a.txt", "x")
    with pytest.raises(DataError, match="must end in"):
        read_answers(path)
