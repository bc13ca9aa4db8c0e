"""A judge as the metric of a run: graded answers, pairs, agreement with people, and what is stored."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.endpoint.conftest import Server, server
from tests.trial import Trial, trial

from ratchet.contenders.rows import PartedRows
from ratchet.errors import RatchetError

__all__ = ["server", "trial"]

GPT = "{kind: answers, name: gpt, file: gpt.jsonl}"


def judge(server: Server, *more: str) -> tuple[str, ...]:
    return (
        "gate.metrics=[judge]",
        f"judge.endpoint={{url: {server.url!r}, model: j, retries: 0, timeout: 5, price: {{input: 100}}}}",
        "judge.rubric=Right and short is 5.",
        *more,
    )


def said(prompt: str, name: str) -> str:
    found = re.search(rf"\[begin {name} (\w+)\]\n(.*?)\n\[end {name} \1\]", prompt, re.DOTALL)
    assert found is not None
    return found[2]


def grades(stage: Any) -> None:
    """5 for the right answer, 3 for one that names a thing, else 1."""
    answer, right = said(stage.asked, "answer"), said(stage.asked, "right answer")
    grade = 5 if answer == right else 3 if "about" in answer else 1
    stage.answer(json.dumps({"score": grade}))


@pytest.fixture
def made(trial: Callable[..., Trial]) -> Trial:
    found = trial("generation")
    found.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer} for row in found.rows])
    return found


def test_it_is_said_first_where_the_answers_go(made: Trial, server: Server) -> None:
    server.play = lambda stage: stage.json(401, {})
    with contextlib.suppress(RatchetError):
        made.run(GPT, *judge(server), until="train")
    assert made.lines(f"the answers of all contenders are sent to {server.url}")


def test_the_judges_grades_decide(made: Trial, server: Server) -> None:
    server.play = grades
    summary = made.run(GPT, *judge(server))
    assert summary["champion"] == "gpt"
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "gpt")
    assert "judge +" in verdict["line"]
    assert summary["scores"]["champion"]["value"] == 1.0
    assert len(set(server.asked)) == len(server.asked), "no answer is graded twice"
    assert made.lines("it is unproven: judge.human names no verdicts of people")
    assert any(re.search(r"\d+ answers, \d+ requests, 0\.\d+ spent", line) for line in made.said)
    asked = len(server.requests)
    made.run(GPT, *judge(server))
    assert len(server.requests) == asked, "a second run asks for nothing"
    again = made.run(GPT, *judge(server, "judge.rubric=Only wit counts."), until="train")
    assert len(server.requests) > asked, "another rubric is another judge"
    first, anew = (summary["verdicts"], again["verdicts"])
    assert anew[0]["line"].split(":")[0].endswith("against majority"), "no grade stands beside one of another judge"
    assert len(anew) == len(first)


def test_pairs_are_asked_in_both_orders(made: Trial, server: Server) -> None:
    def play(stage: Any) -> None:
        first, second = said(stage.asked, "answer A"), said(stage.asked, "answer B")
        stage.answer(json.dumps({"verdict": "A" if len(first) > len(second) else "B"}))

    server.play = play
    worse = [{"id": row.id, "prediction": row.answer[:-2]} for row in made.rows]
    made.write("gpt.jsonl", worse)
    made.run(GPT, *judge(server, "judge.pairs=true"), until="train")
    orders = [(said(asked, "answer A"), said(asked, "answer B"), said(asked, "question")) for asked in server.asked]
    assert all((second, first, question) in orders for first, second, question in orders)


def human(made: Trial, grade: Callable[[int, str, str], int], *, count: int = 200) -> str:
    rows = []
    for number, row in enumerate(made.rows[:count]):
        answer = row.answer if number % 2 else "It is about the sky." if number % 4 else "No."
        rows.append({"id": row.id, "answer": answer, "verdict": str(grade(number, answer, row.answer))})
    made.write("human.jsonl", rows)
    return "judge.human=human.jsonl"


def as_the_judge(number: int, answer: str, right: str) -> int:
    return 5 if answer == right else 3 if "about" in answer else 1


def test_a_judge_that_agrees_with_people_counts(made: Trial, server: Server) -> None:
    server.play = grades
    people = human(made, lambda number, *pair: 2 if number % 11 == 0 else as_the_judge(number, *pair))
    assert made.run(GPT, *judge(server, people), until="train")["champion"] == "gpt"
    [line] = made.lines("it agrees with people: kappa ")
    assert re.search(r"kappa 0\.\d\d \[0\.\d\d, (0|1)\.\d\d\], the same verdict of 9\d% of 1\d\d answers", line)
    told = [place for place, line in enumerate(made.said) if line.startswith("challenge")]
    assert made.said.index(line) < told[0], "before its word counts"


def test_a_judge_that_does_not_agree_is_refused(made: Trial, server: Server) -> None:
    server.play = grades
    people = human(made, lambda number, *_: number % 5 + 1)
    with pytest.raises(RatchetError, match=r"must agree with people with a kappa of at least 0\.40"):
        made.run(GPT, *judge(server, people), until="train")
    assert made.lines("it agrees with people: kappa ")
    assert not [line for line in made.said if line.startswith("challenge")]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (('judge.rubric=""',), "must say what makes an answer good"),
        (("judge.human=human.jsonl", "data.id=null"), "data.id must name a column"),
    ],
)
def test_what_is_lacking_is_one_line(made: Trial, server: Server, overrides: tuple[str, ...], message: str) -> None:
    server.play = grades
    human(made, as_the_judge)
    with pytest.raises(RatchetError, match=message):
        made.run(GPT, *judge(server), *overrides, until="train")


def test_a_judge_needs_a_section(made: Trial) -> None:
    with pytest.raises(RatchetError, match=r"judge\.rubric must say what makes an answer good"):
        made.run(GPT, "gate.metrics=[judge]", until="train")


def test_few_verdicts_and_verdicts_without_answers_are_refused(made: Trial, server: Server) -> None:
    server.play = grades
    with pytest.raises(RatchetError, match="at least 50 verdicts"):
        made.run(GPT, *judge(server, human(made, as_the_judge, count=20)), until="train")
    made.write("human.jsonl", [{"id": row.id, "verdict": "5"} for row in made.rows])
    with pytest.raises(RatchetError, match="must have the column 'answer'"):
        made.run(GPT, *judge(server, "judge.human=human.jsonl"), until="train")


def test_rows_without_a_grade_are_left_out(made: Trial, server: Server) -> None:
    def play(stage: Any) -> None:
        if "no17" in stage.asked:
            stage.answer("Hm.")
        else:
            grades(stage)

    server.play = play
    summary = made.run(GPT, *judge(server), "split.test=0.05", until="train")
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "gpt")
    unread = sum(int(found[1]) for line in made.said if (found := re.search(r"(\d+) without a grade", line)))
    assert unread
    judged = PartedRows.load(next((made.folder / "w" / "data").glob("rows-*"))).parts.compared
    assert len(judged) - 11 <= verdict["n"] < len(judged)


def test_claims_hold_where_rows_have_no_grade(made: Trial, server: Server) -> None:
    def play(stage: Any) -> None:
        if "no17" in stage.asked:
            stage.answer("Hm.")
        else:
            grades(stage)

    server.play = play
    made.write("gpt.jsonl", [{"id": row.id, "prediction": row.answer, "cost": 1.0} for row in made.rows])
    claims = "gate.claims=[{metric: judge, margin: 0.4}, {metric: cost, times: 2}]"
    summary = made.run(f"{GPT}, {{kind: nearest}}", *judge(server, claims, "gate.hour=0.01"), until="train")
    assert any("cost" in verdict["line"] for verdict in summary["verdicts"])


def test_a_judge_that_comes_later_grades_everybody(made: Trial, server: Server) -> None:
    server.play = grades
    assert made.run(GPT, "gate.metrics=[exact_match]", until="train")["champion"] == "gpt"
    assert made.run(GPT, *judge(server), until="train")["scores"]["champion"]["value"] == 1.0


def test_the_judges_limit_skips_who_cannot_be_graded(made: Trial, server: Server) -> None:
    server.play = grades
    limited = (
        judge(server)[0],
        judge(server)[1].replace("retries: 0", "retries: 0, limit: {requests: 3}"),
        judge(server)[2],
    )
    with pytest.raises(RatchetError, match="limit is reached"):
        made.run(GPT, *limited, until="train")
    assert made.run(GPT, *judge(server), until="train")["champion"] == "gpt"
    assert len(set(server.asked)) == len(server.asked)
