"""Samples of lm-evaluation-harness, written here as its evaluator and its tracker write them."""

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

DATE = "2025-03-04T10-11-12.345678"


def generated(number: int, said: str, *, filter: str = "none", **scores: Any) -> dict[str, Any]:
    """A sample of a task of generated text: one request, one answer, leaves as texts."""
    return {
        "doc_id": number,
        "doc": {"question": f"{number} + 1?", "answer": str(number + 1)},
        "target": str(number + 1),
        "arguments": {"gen_args_0": {"arg_0": f"Q: {number} + 1?\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [[f" {said}"]],
        "filtered_resps": [said],
        "filter": filter,
        "metrics": [*scores],
        "doc_hash": f"d{number}",
        "prompt_hash": f"p{number}",
        "target_hash": f"t{number}",
        **scores,
    }


def chosen(number: int, likely: list[float], **scores: Any) -> dict[str, Any]:
    """A sample of a multiple choice: one log likelihood a choice, and whether it was the greedy one."""
    requests = [[str(value), "False"] for value in likely]
    sample = generated(number, "", **scores)
    return sample | {"target": "1", "filtered_resps": requests, "resps": [[pair] for pair in requests]}


def test_answers_scores_and_hashes_of_generated_text(jsonl: Callable[..., Path]) -> None:
    path = jsonl(
        f"org__m/samples_gsm8k_{DATE}.jsonl", [generated(n, str(n + n % 2), exact_match=n % 2) for n in range(4)]
    )
    path.with_name(f"results_{DATE}.json").write_text(json.dumps({"model_name": "org/m", "results": {}}))
    found = read_answers(path)
    assert (found.format, found.model, len(found)) == ("lm-eval", "org/m", 4)
    assert found.ids == ("0", "1", "2", "3")
    assert found.answers == ("0", "2", "2", "4")
    assert found.references == ("1", "2", "3", "4")
    assert found.inputs[2] == "Q: 2 + 1?\nA:"
    assert found.scores["exact_match"].tolist() == [0, 1, 0, 1]
    assert found.columns["doc_hash"] == ("d0", "d1", "d2", "d3")
    assert all(math.isnan(cost) for cost in found.measures["cost"])


def test_a_multiple_choice_answers_with_the_most_likely(jsonl: Callable[..., Path]) -> None:
    rows = [chosen(0, [-3.0, -1.0, -2.0], acc=1.0), chosen(1, [-1.0, -9.0, -2.0], acc=0.0)]
    found = read_answers(jsonl("samples.jsonl", rows))
    assert found.answers == ("1", "0")
    assert found.scores["acc"].tolist() == [float(a == r) for a, r in zip(found.answers, found.references, strict=True)]
    assert "most likely" in found.notes[0]


def test_mutual_information_doubles_the_requests_and_not_the_choices(jsonl: Callable[..., Path]) -> None:
    found = read_answers(jsonl("s.jsonl", [chosen(0, [-3.0, -2.0, -0.1, -0.2], acc=1.0, acc_mutual_info=0.0)]))
    assert found.answers == ("1",)


def test_one_of_several_filters_is_named(jsonl: Callable[..., Path]) -> None:
    rows = [
        generated(n, f"{name}{n}", filter=name, exact_match=1.0) for n in range(2) for name in ("strict", "flexible")
    ]
    path = jsonl("s.jsonl", rows)
    assert read_answers(path, part="strict").answers == ("strict0", "strict1")
    assert read_answers(Path(f"{path}#flexible")).answers == ("flexible0", "flexible1")
    with pytest.raises(DataError, match=r"must have one filter but has 2: 'strict', 'flexible'\. Name one behind a #"):
        read_answers(path)
    with pytest.raises(DataError, match="must be one of 'strict', 'flexible' but got 'loose'"):
        read_answers(path, part="loose")


def test_a_folder_has_the_newest_samples_of_each_task(jsonl: Callable[..., Path], tmp_path: Path) -> None:
    for date, said in (("2025-03-04T10-11-12.3", "new"), ("2025-03-03T10-11-12.3", "old")):
        jsonl(f"out/m/samples_a_{date}.jsonl", [generated(0, said)])
    rows = [generated(0, name, filter=name) for name in ("strict", "flexible")]
    jsonl("out/m/samples_b_2025-03-04T10-11-12.3.jsonl", rows)
    found = read_answers(tmp_path / "out", part="strict")
    assert (found.ids, found.answers) == (("a/0", "b/0"), ("new", "strict"))
    for task in "ab":
        jsonl(f"one/samples_{task}_2025-03-04T10-11-12.3.jsonl", [generated(0, "x")])
    with pytest.raises(DataError, match="one of 'none' but got 'loose'"):
        read_answers(tmp_path / "one", part="loose")
    jsonl("out/other/samples_a_2025-03-04T10-11-12.3.jsonl", [generated(0, "x")])
    with pytest.raises(DataError, match="samples of one model but has 2: 'm', 'other'"):
        read_answers(tmp_path / "out")


def test_several_answers_to_one_document_are_epochs(jsonl: Callable[..., Path]) -> None:
    found = read_answers(
        jsonl("s.jsonl", [generated(0, "") | {"filtered_resps": [["a", "b", ""]], "pass@1": 0.5, "metrics": []}])
    )
    assert (found.ids, found.answers, found.epochs.tolist()) == (("0", "0", "0"), ("a", "b", None), [0, 1, 2])
    assert found.scores["pass@1"].tolist() == [0.5, 0.5, 0.5]


def test_scores_that_are_no_number_are_said_to_be_left_out(jsonl: Callable[..., Path]) -> None:
    found = read_answers(jsonl("s.jsonl", [generated(0, "a", bleu=["r", "p"], em=True)]))
    assert list(found.scores) == ["em"]
    assert found.notes == ("Scores that are no single number are left out: bleu.",)


def test_prompts_in_other_templates_are_the_same_documents(jsonl: Callable[..., Path]) -> None:
    rows = [generated(n, str(n)) for n in range(3)]
    one = read_answers(jsonl("a.jsonl", rows))
    chat = [row | {"arguments": {"gen_args_0": {"arg_0": f"<user>{row['doc_id']}"}}} for row in reversed(rows)]
    other = read_answers(jsonl("b.jsonl", chat))
    found = match(one, other)
    assert [other.answers[n] for n in found.second.answers] == ["0", "1", "2"]
    renumbered = read_answers(jsonl("c.jsonl", [row | {"doc_hash": f"d{2 - row['doc_id']}"} for row in rows]))
    with pytest.raises(DataError, match="must name the same rows but 2 of 3 differ in their texts"):
        match(one, renumbered)


def test_a_summary_has_no_answers(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"results": {}, "configs": {}, "versions": {}}))
    with pytest.raises(DataError, match="--log_samples"):
        read_answers(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [('{"doc_id": 1, "filt', "Line 2 of .* must be a JSON object"), ('{"doc_id": 1}', "Line 2 of .* a sample")],
)
def test_a_damaged_line_is_named(jsonl: Callable[..., Path], line: str, said: str) -> None:
    path = jsonl("s.jsonl", [generated(0, "a")])
    with path.open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=said):
        read_answers(path)
