"""Results of promptfoo, written here by its published types."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ratchet.answers.match import match
from ratchet.answers.read import read_answers
from ratchet.errors import DataError


def result(test: int, said: str | None, **changed: Any) -> dict[str, Any]:
    label, words = changed.pop("label", "P1"), changed.pop("words", f"text {test}")
    response = (
        {"output": said, "tokenUsage": {"prompt": 10, "completion": 5, "total": 15}} if said is not None else None
    )
    return {
        "promptIdx": 0,
        "testIdx": test,
        "promptId": "h",
        "provider": {"id": "openai:gpt-4o", "label": ""},
        "prompt": {"raw": f"{label}: {words}", "label": label},
        "vars": {"text": words},
        "testCase": {"vars": {"text": words}, "assert": [{"type": "equals", "value": "pos"}]},
        "response": response,
        "success": said == "pos",
        "score": 1 if said == "pos" else 0,
        "namedScores": {"tone": 0.25},
        "latencyMs": 1500,
        "cost": 0.002,
        "error": None if said is not None else "429",
        "failureReason": 0,
        **changed,
    }


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    def write(results: list[dict[str, Any]], *, name: str = "r.json", whole: bool = True) -> Path:
        summary = {"version": 3, "timestamp": "t", "prompts": [], "results": results, "stats": {}}
        path = tmp_path / name
        path.write_text(json.dumps({"evalId": "e", "results": summary, "config": {}} if whole else summary))
        return path

    return write


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_result_says(export: Callable[..., Path], whole: bool) -> None:
    found = read_answers(export([result(0, "pos"), result(1, None), result(2, "neg")], whole=whole))
    assert (found.format, found.model) == ("promptfoo", "openai:gpt-4o")
    assert (found.ids, found.inputs) == (("0", "1", "2"), ("text 0", "text 1", "text 2"))
    assert (found.answers, found.references) == (("pos", None, "neg"), ("pos",) * 3)
    assert {name: values.tolist() for name, values in found.scores.items()} == {
        "tone": [0.25] * 3,
        "success": [1, 0, 0],
        "score": [1, 0, 0],
    }
    assert found.measures["latency"].tolist() == [1.5] * 3
    assert found.measures["cost"].tolist() == [0.002] * 3
    assert (found.measures["input_tokens"][0], found.measures["output_tokens"][0]) == (10, 5)
    assert math.isnan(found.measures["input_tokens"][1])
    assert found.columns["error"][1] == "429"
    assert found.notes == ()


def test_one_of_several_providers_is_named(export: Callable[..., Path]) -> None:
    path = export([result(0, "pos"), result(0, "neg", provider={"id": "x", "label": "mine"})])
    assert read_answers(path, part="mine").answers == ("neg",)
    with pytest.raises(DataError, match="must have one contender but has 2: 'openai:gpt-4o', 'mine'"):
        read_answers(path)


def test_two_prompts_answer_the_same_rows(export: Callable[..., Path]) -> None:
    rows = [result(n, f"{label}{n}", label=label) for n in range(3) for label in ("P1", "P2")]
    path = export(rows)
    one, other = read_answers(path, part="P1"), read_answers(Path(f"{path}#P2"))
    assert (one.model, one.columns["prompt"][0]) == ("P1", "P1: text 0")
    assert match(one, other).first.missing == 0


def test_providers_and_prompts_are_told_apart_together(export: Callable[..., Path]) -> None:
    rows = [result(0, f"{p}{q}", provider=p, label=q) for p, q in (("a", "P"), ("a", "Q"), ("b", "P"))]
    path = export(rows)
    assert read_answers(path, part="a/Q").answers == read_answers(Path(f"{path}#a/Q")).answers == ("aQ",)
    assert read_answers(path, part="b").answers == ("bP",)
    with pytest.raises(DataError, match="one of 'a/P', 'a/Q', 'b/P' but got 'a'"):
        read_answers(path, part="a")


def test_repeats_are_epochs_of_one_row(export: Callable[..., Path]) -> None:
    found = read_answers(export([result(n, f"x{n}", words=f"text {n % 2}") for n in range(4)]))
    assert (found.ids, found.epochs.tolist()) == (("0", "1", "0", "1"), [0, 0, 1, 1])


def test_several_variables_in_any_order_are_one_row(export: Callable[..., Path]) -> None:
    rows = [result(0, "a", vars={"x": 1, "y": "二"}), result(1, "b", vars={"y": "二", "x": 1, "sessionId": "s"})]
    found = read_answers(export(rows))
    assert found.inputs == ('{"x":1,"y":"二"}',) * 2
    assert found.epochs.tolist() == [0, 1]


def test_a_cached_answer_has_no_latency(export: Callable[..., Path]) -> None:
    found = read_answers(export([result(0, "pos", response={"output": {"a": 1}, "cached": True})]))
    assert math.isnan(found.measures["latency"][0])
    assert found.answers == ('{"a":1}',)
    assert "cache" in found.notes[0]


def test_lines_are_results_too(jsonl: Callable[..., Path]) -> None:
    path = jsonl("r.jsonl", [result(0, "pos"), result(1, "neg")])
    assert read_answers(path).answers == ("pos", "neg")
    with path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match=r"Line 3 of .* must be a result of promptfoo"):
        read_answers(path)


def test_a_damaged_result_is_named(export: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"Result 2 of .*'promptIdx'"):
        read_answers(export([result(0, "pos"), {"vars": {}}]))
    with pytest.raises(DataError, match="has none"):
        read_answers(export([]))
