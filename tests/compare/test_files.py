"""Files of any origin are compared: the task is guessed, scores are found or computed, several answers stay one row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ratchet.compare.files import compare_files, sides_of
from ratchet.compare.question import Question
from ratchet.errors import DataError, RatchetError

Write = Callable[..., str]
N = 120


def answers(seed: int, share: float, *, n: int = N) -> list[tuple[str, str, str]]:
    """Questions, right answers, and answers of which a share is right, all different from row to row."""
    dice = np.random.default_rng(seed)
    return [
        (f"What is {i} and {i}?", f"the {2 * i}th", f"the {2 * i}th" if dice.random() < share else "no idea")
        for i in range(n)
    ]


def as_rows(found: Sequence[tuple[str, str, str]], **more: object) -> list[dict[str, object]]:
    return [{"question": asked, "reference": right, "output": said, **more} for asked, right, said in found]


def test_files_of_four_tools_give_one_verdict(table: Write, lm_eval: Write, inspect: Write, promptfoo: Write) -> None:
    good, poor = answers(1, 0.9), answers(2, 0.6)
    firsts = {
        "table": table("a.csv", as_rows(good)),
        "lm_eval": lm_eval("a.jsonl", [(*row, 0.0) for row in good]),
        "inspect": inspect("a.eval", [(asked, right, [said]) for asked, right, said in good]),
    }
    seconds = {
        "table": table("b.csv", as_rows(poor[::-1])),
        "promptfoo": promptfoo("b.json", [(asked, said) for asked, _, said in poor[::-1]]),
    }
    found = [compare_files(first, second, Question()) for first in firsts.values() for second in seconds.values()]
    assert {one.task for one in found} == {"generation"}
    figures = {(one.verdict.outcome, one.verdict.findings[0].estimate, one.verdict.findings[0].p) for one in found}
    assert len(figures) == 1
    assert figures.pop()[0] == "better"
    assert {(one.scores[0][0].metric, one.scores[0][0].n) for one in found} == {("exact_match", N)}


def test_right_answers_may_be_in_a_table_of_rows(table: Write, promptfoo: Write) -> None:
    good, poor = answers(1, 0.9), answers(2, 0.6)
    paths = [promptfoo(name, [(row[0], row[2]) for row in rows]) for name, rows in (("a.json", good), ("b.json", poor))]
    with pytest.raises(DataError, match=r"a\.json or .*b\.json must have a right answer in a column .* --rows"):
        compare_files(*paths, Question(metrics=("exact_match",)))
    rows = table("rows.csv", [{"question": asked, "answer": right} for asked, right, _ in good])
    found = compare_files(*paths, Question(rows=Path(rows)))
    assert found.verdict.outcome == "better"
    fewer = table("fewer.csv", [{"question": asked, "answer": right} for asked, right, _ in good[:-5]])
    found = compare_files(*paths, Question(rows=Path(fewer)))
    assert found.verdict.findings[0].n == N - 5
    assert [found.matching[side]["foreign"] for side in ("challenger", "champion")] == [5, 5]
    assert "5 answers of a.json are to no row and are left out." in found.notes


def test_scores_of_the_other_tool_are_metrics_by_their_name(lm_eval: Write) -> None:
    good, poor = answers(1, 0.9), answers(2, 0.6)
    paths = [
        lm_eval(name, [(*row, float(row[1] == row[2])) for row in rows])
        for name, rows in (("a.jsonl", good), ("b.jsonl", poor))
    ]
    computed = compare_files(*paths, Question(metrics=("exact_match",))).verdict.findings[0]
    brought = compare_files(*paths, Question(metrics=("acc",)))
    assert brought.task == ""
    assert (brought.verdict.findings[0].p, brought.verdict.findings[0].test) == (computed.p, computed.test)
    assert (
        "Both files have scores of their own: acc. --metric compares by one of them."
        in compare_files(*paths, Question()).notes
    )
    with pytest.raises(RatchetError, match=r"Did you mean auc\?"):
        compare_files(*paths, Question(metrics=("aucc",)))


def test_a_score_that_answers_lack_is_refused_above_the_share(table: Write) -> None:
    rows = as_rows(answers(1, 0.9))
    whole = table("a.csv", [{**row, "score_tone": 0.5} for row in rows])
    gaps = table("b.csv", [{**row, "score_tone": "" if n < 10 else 0.4} for n, row in enumerate(rows)])
    with pytest.raises(
        DataError, match=r"b\.csv must have the score 'score_tone' of each answer but 10 of 120 have none"
    ):
        compare_files(whole, gaps, Question(metrics=("score_tone",)))
    found = compare_files(whole, gaps, Question(metrics=("score_tone",), most_missing=0.1))
    assert found.scores[1][0].value == pytest.approx(0.4 * 110 / 120)


def test_labels_are_understood_in_replies_but_not_in_predictions(table: Write) -> None:
    dice = np.random.default_rng(0)
    labels = [("spam", "ham")[n % 2] for n in range(N)]
    said = [label if dice.random() < 0.8 else "ham" for label in labels]
    rows = [{"id": n, "label": label, "prediction": label} for n, label in enumerate(labels)]
    first = table("a.csv", rows)
    replies = [{"id": n, "output": f"Label: {one.upper()}."} for n, one in enumerate(said)]
    found = compare_files(first, table("b.csv", replies), Question())
    assert (found.task, found.guessed) == ("classification", True)
    right = np.mean([one == label for one, label in zip(said, labels, strict=True)])
    assert found.scores[1][0].value == pytest.approx(right)
    predicted = table("c.csv", [{"id": n, "prediction": one.upper()} for n, one in enumerate(said)])
    with pytest.raises(
        DataError, match=r"120 of 120 predictions of .*c\.csv are not one of the labels .* Did you mean"
    ):
        compare_files(first, predicted, Question())
    replies[3]["output"] = "I cannot tell."
    found = compare_files(first, table("d.csv", replies), Question())
    assert "1 of 120 answers of d.csv count as wrong: no label named 1." in found.notes
    mute = [{"id": n, "output": "I cannot tell." if n < 50 else one} for n, one in enumerate(said)]
    with pytest.raises(DataError, match=r"50 of 120 answers of .*e\.csv are not one of the labels .*'I cannot tell\.'"):
        compare_files(first, table("e.csv", mute), Question())


def test_several_answers_are_one_row(inspect: Write) -> None:
    dice = np.random.default_rng(3)
    rows = [(f"question {n}", "AB"[n % 2]) for n in range(N)]
    paths, means = [], []
    for name, share in (("a.eval", 0.85), ("b.eval", 0.55)):
        right = dice.random((N, 5)) < share
        means.append(right.mean())
        said = [["BA"[n % 2] if not one else target for one in right[n]] for n, (_, target) in enumerate(rows)]
        paths.append(inspect(name, [(*row, answers) for row, answers in zip(rows, said, strict=True)]))
    for metric in ("accuracy", "exact_match", "match"):
        found = compare_files(*paths, Question(metrics=(metric,)))
        assert found.verdict.findings[0].n == N
        assert [side[0].value for side in found.scores] == pytest.approx(means)
        assert "a.eval has 5 answers a row: 120 rows, not 600; scores are their means." in found.notes
    with pytest.raises(DataError, match=r"macro_f1 must have one answer a row .* Compare by accuracy"):
        compare_files(*paths, Question(metrics=("macro_f1",)))
    once = inspect("c.eval", [(asked, target, [target]) for asked, target in rows])
    mixed = compare_files(once, paths[1], Question())
    assert (mixed.scores[0][0].value, mixed.scores[1][0].value) == (1.0, pytest.approx(means[1]))


def test_cost_and_latency_may_be_claimed_by_a_factor(table: Write) -> None:
    rows, dice = as_rows(answers(1, 0.9)), np.random.default_rng(0)
    cheap = table("a.csv", [{**row, "latency": 1 + dice.random()} for row in rows])
    dear = table("b.csv", [{**row, "latency": 4 + dice.random()} for row in rows])
    assert compare_files(cheap, dear, Question(metrics=("latency",), times=2)).verdict.outcome == "better"
    assert compare_files(cheap, dear, Question(metrics=("latency",), times=4)).verdict.outcome != "better"
    both = compare_files(cheap, dear, Question(metrics=("exact_match", "latency"), kind="noninferior", margin=0.05))
    assert both.verdict.outcome == "not_worse"
    with pytest.raises(DataError, match="2 times less must be about cost or latency but is about accuracy"):
        Question(metrics=("accuracy",), times=2)
    bare = table("c.csv", rows)
    with pytest.raises(DataError, match=r"c\.csv must have the latency of each row but 120 of 120 have none"):
        compare_files(cheap, bare, Question(metrics=("latency",)))


def test_a_function_of_the_users_own(table: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "def brevity(answers, references):\n    return [-len(answer or '') for answer in answers]\n"
    (tmp_path / "brevity_of_mine.py").write_text(source, encoding="utf-8")
    paths = table("a.csv", as_rows(answers(1, 0.9))), table("b.csv", as_rows(answers(2, 0.2)))
    found = compare_files(*paths, Question(metrics=("brevity_of_mine:brevity",)))
    assert (found.task, found.scores[0][0].metric) == ("generation", "brevity_of_mine:brevity")
    assert found.scores[0][0].value == np.mean([-len(said) for _, _, said in answers(1, 0.9)])


def test_a_metric_of_the_users_own_reads_labels(table: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "def missed(right, given):\n    return ((right == 'a') & (given != 'a')).sum() / (right == 'a').sum()\n"
    (tmp_path / "missed_of_mine.py").write_text(source, encoding="utf-8")
    dice, paths = np.random.default_rng(0), []
    for name, wrong in (("a.csv", 0.1), ("b.csv", 0.5)):
        right = ["ab"[number % 2] for number in range(N)]
        said = [{"a": "b", "b": "a"}[one] if dice.random() < wrong else one for one in right]
        rows = [
            {"id": number, "label": one, "prediction": given}
            for number, (one, given) in enumerate(zip(right, said, strict=True))
        ]
        paths.append(table(name, rows))
    question = Question(metrics=("missed_of_mine:missed:min",), task="classification")
    found = compare_files(*paths, question)
    assert found.verdict.outcome == "better"
    assert found.scores[0][0].shown[0] < 0.25 < found.scores[1][0].shown[0]


def test_regression_and_multilabel_are_seen(table: Write) -> None:
    dice = np.random.default_rng(0)
    values = dice.normal(size=N).round(3)
    paths = [
        table(
            name,
            [{"id": n, "label": v, "prediction": v + e} for n, (v, e) in enumerate(zip(values, error, strict=True))],
        )
        for name, error in (("a.csv", dice.normal(size=N) / 9), ("b.csv", dice.normal(size=N)))
    ]
    found = compare_files(*paths, Question())
    assert (found.task, found.verdict.findings[0].metric, found.verdict.outcome) == ("regression", "rmse", "better")
    sets = [["a", "b"][: 1 + n % 2] for n in range(N)]
    paths = [
        table(name, [{"id": n, "label": json.dumps(s), "prediction": json.dumps(s[:most])} for n, s in enumerate(sets)])
        for name, most in (("a.csv", 2), ("b.csv", 1))
    ]
    found = compare_files(*paths, Question())
    assert (found.task, found.verdict.outcome) == ("multilabel", "better")


def test_nothing_scores_is_said(table: Write) -> None:
    paths = table("a.csv", as_rows(answers(1, 0.0))), table("b.csv", as_rows(answers(2, 0.0)))
    assert (
        compare_files(*paths, Question())
        .notes[-1]
        .startswith("No answer scores by exact_match; other metrics: token_f1")
    )


def test_the_json_is_complete(table: Write) -> None:
    paths = table("a.csv", as_rows(answers(1, 0.9))), table("b.csv", as_rows(answers(2, 0.6))[:-2])
    found = json.loads(json.dumps(compare_files(*paths, Question()).to_dict()))
    assert {"outcome", "findings", "scores", "task", "task_guessed", "matching", "notes"} <= found.keys()
    assert found["matching"]["champion"]["missing"] == 2
    assert found["scores"]["challenger"][0].keys() == {"value", "low", "high", "n", "metric"}
    assert found["findings"][0].keys() >= {"estimate", "low", "high", "p", "n", "rows_needed"}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(24)), other=st.permutations(range(24)), named=st.booleans())
def test_any_permutation_gives_the_same_verdict(
    table: Write, order: Sequence[int], other: Sequence[int], named: bool
) -> None:
    good, poor = as_rows(answers(1, 0.9, n=24)), as_rows(answers(2, 0.4, n=24))
    for rows in (good, poor):
        if named:
            rows[:] = [{"id": f"q{n}", **row} for n, row in enumerate(rows)]
    before = compare_files(table("a.csv", good), table("b.csv", poor), Question())
    moved = table("a.csv", [good[n] for n in order]), table("b.csv", [poor[n] for n in other])
    after = compare_files(*moved, Question())
    assert after.verdict == before.verdict
    assert after.scores == before.scores


def test_what_one_model_said_is_no_content(table: Write) -> None:
    """Titles tell the rows apart although no usual column does; a column that differs between the files does not."""
    rows = [{"title": f"t{n}", "label": "pn"[n % 2], "prediction": "pn"[n % 2], "thought": f"x{n}"} for n in range(40)]
    other = [{**row, "thought": "y"} for row in reversed(rows)]
    found = sides_of(table("a.csv", rows), table("b.csv", other), Question())
    assert found.pair.matching["champion"]["matched_by"] == "content"
    assert found.evidence[1].truth.tolist() == found.evidence[1].predicted.tolist()
    strangers = [{**row, "title": f"u{n}"} for n, row in enumerate(other)]
    with pytest.raises(DataError, match="by content, 40 of 80 rows have no answer"):
        sides_of(table("a.csv", rows), table("c.csv", strangers), Question())


def test_two_parts_of_one_file(table: Write) -> None:
    rows = [
        {"model": name, **row} for name, seed in (("big", 0.9), ("small", 0.5)) for row in as_rows(answers(1, seed))
    ]
    path = table("all.csv", rows)
    found = compare_files(f"{path}#big", f"{path}#small", Question())
    assert found.verdict.line.startswith("all.csv#big against all.csv#small: better")
    assert compare_files(path, path, Question(parts=("small", "big"))).verdict.outcome == "worse"
    with pytest.raises(DataError, match="must have one model but has 2: 'big', 'small'"):
        compare_files(path, f"{path}#small", Question())
