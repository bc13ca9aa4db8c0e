"""Files of answers as contenders, through whole runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.trial import TASKS, Row, Trial, rows_for

from ratchet.bundle.bundle import Bundle
from ratchet.errors import RecipeError

FILE = "{kind: answers, name: gpt, file: gpt.jsonl%s}"
WIDE = "{kind: linear, name: wide, features: [{unit: word, low: 1, high: 1}]}"


def told(row: Row) -> dict[str, object]:
    return {"id": row.id, "prediction": row.answer, "cost": 0.001, "latency": 0.4}


@pytest.mark.parametrize("task", TASKS)
def test_right_answers_win_and_the_best_model_is_exported(trial: Callable[..., Trial], task: str) -> None:
    made = trial(task)
    made.write("gpt.jsonl", [told(row) for row in made.rows])
    summary = made.run(FILE % "")
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "gpt")
    assert verdict["promoted"], verdict["line"]
    assert summary["champion"] == "gpt"
    said = made.lines("gpt is the champion but has no model to export; the best contender that has is ")
    best = said[0].rsplit(" ", 1)[-1]
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.name == best != "gpt"
    opened = made.lines("sealed rows (opened once)")
    assert len(opened) == 1
    assert opened[0].split()[1] == f"{best}:"


@pytest.mark.parametrize("by", ["id", "content"])
def test_rows_are_matched_by_id_and_by_content(trial: Callable[..., Trial], by: str) -> None:
    made = trial()
    key = {"id": lambda row: {"id": row.id}, "content": lambda row: {"text": row.text}}[by]
    rows = [{**key(row), "prediction": row.answer} for row in reversed(made.rows)]
    made.write("gpt.jsonl", rows)
    overrides = () if by == "id" else ("data.id=null",)
    summary = made.run(FILE % "", *overrides, until="train")
    assert summary["scores"]["champion"]["value"] == 1.0
    assert summary["champion"] == "gpt"


def test_many_missing_answers_are_refused_and_the_run_goes_on(trial: Callable[..., Trial]) -> None:
    made = trial()
    made.write("gpt.jsonl", [told(row) for row in made.rows[: len(made.rows) * 9 // 10]])
    summary = made.run(f"{FILE % ''}, {WIDE}", until="train")
    assert summary["champion"] == "wide"
    [line] = made.lines("gpt: skipped")
    assert "must answer at least 95% of the" in line
    assert "raise most_missing" in line


def test_few_missing_answers_count_as_wrong_and_are_listed(trial: Callable[..., Trial]) -> None:
    made = trial()
    kept = [{**told(row), "prediction": "no idea"} if place == 7 else told(row) for place, row in enumerate(made.rows)]
    del kept[3]
    made.write("gpt.jsonl", kept)
    summary = made.run(FILE % "", "split.test=0.05", until="train")
    report = next((made.folder / "w" / "runs").glob("*/report.html")).read_text("utf-8")
    card = made.card("gpt")
    missing = sum(card["facts"]["unanswered"].values())
    assert 1 <= missing <= 2  # one of them may be a test row
    assert {one["reason"] for one in card["facts"]["failed_rows"]} <= {"no answer", "no label named"}
    assert all(one["row"].startswith("row ") for one in card["facts"]["failed_rows"])
    assert {one["said"] for one in card["facts"]["failed_rows"]} <= {"", "no idea"}
    n = summary["scores"]["champion"]["n"]
    assert summary["scores"]["champion"]["value"] == pytest.approx(1 - missing / n)
    assert "(no answer)" in report
    assert made.lines("of the rows have no usable answer and count as wrong")


def test_other_answers_in_the_same_file_are_judged_anew(trial: Callable[..., Trial]) -> None:
    made = trial()
    made.write("gpt.jsonl", [{**told(row), "prediction": "card"} for row in made.rows])
    assert made.run(FILE % "", until="train")["champion"] != "gpt"
    made.write("gpt.jsonl", [told(row) for row in made.rows])
    assert made.run(FILE % "", until="train")["champion"] == "gpt"


def test_a_file_that_is_gone_is_one_line(trial: Callable[..., Trial]) -> None:
    with pytest.raises(RecipeError, match=r"'gpt': .*gpt\.jsonl must be a file of answers but is not there"):
        trial().run(f"{FILE % ''}, {WIDE}", until="train")


@pytest.mark.parametrize("metric", ["auc", "macro_f1", "log_loss"])
def test_a_row_without_an_answer_is_wrong_by_every_metric(trial: Callable[..., Trial], metric: str) -> None:
    rows = [row for row in rows_for("classification", 400) if row.answer != "refund"]
    made = trial(rows=rows)
    made.write(
        "gpt.jsonl",
        [{**told(row), "prediction": "?" if place % 9 == 0 else row.answer} for place, row in enumerate(rows)],
    )
    summary = made.run(FILE % ", most_missing: 0.5", f"gate.metrics=[{metric}]", until="train")
    with_gaps = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "gpt")
    made.write(
        "gpt.jsonl",
        [{**told(row), "prediction": other(row) if place % 9 == 0 else row.answer} for place, row in enumerate(rows)],
    )
    summary = made.run(FILE % "", f"gate.metrics=[{metric}]", "workspace=w2", until="train")
    with_faults = [verdict for verdict in summary["verdicts"] if verdict["name"] == "gpt"][-1]
    better = with_gaps["estimate"] - with_faults["estimate"]  # a wrong label harms the precision of another one besides
    assert -1e-9 <= better < (0.07 if metric == "macro_f1" else 1e-6)


def other(row: Row) -> str:
    return {"card": "rate", "rate": "card"}[row.answer]
