"""Doubted labels: confident learning, and the queue for people."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ratchet.checks import Context, Suspect, doubts, run_checks, write_queue
from ratchet.checks.label_noise import better_than_guessing, check, suspects_of
from ratchet.recipe.sections import Recipe
from ratchet.tables.dataset import Dataset
from ratchet.tables.queues import guarded, unguarded


def test_confident_learning_by_hand() -> None:
    # The average probability of its own rows is .667 for class 0 and .75 for class 1: row 2 reaches the other class's, row
    # 3 reaches none.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.45, 0.55], [0.05, 0.95]])
    given = np.array([0, 0, 0, 1, 1])
    found = doubts(probabilities, given)
    assert found.index.tolist() == [2]
    assert found.suggested.tolist() == [1]
    assert (found.given_probability.tolist(), found.suggested_probability.tolist()) == ([0.2], [0.8])


def test_the_most_doubted_comes_first() -> None:
    probabilities = np.array([[0.85, 0.15], [0.9, 0.1], [0.1, 0.9], [0.15, 0.85]] + [[0.9, 0.1], [0.1, 0.9]] * 20)
    given = np.array([1, 1, 0, 0] + [0, 1] * 20)
    assert doubts(probabilities, given).index.tolist() == [1, 2, 0, 3]


def test_a_class_without_rows_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    found = doubts(probabilities, np.array([0, 1, 0, 1]))
    assert 2 not in found.suggested.tolist()


def test_planted_errors_are_found(english: Dataset, table: Any, found: Any) -> None:
    labels = list(english.labels)
    flipped = random.Random(0).sample(range(len(labels)), 6)
    for row in flipped:
        labels[row] = "exchange" if labels[row] != "exchange" else "top_up"
    data = table({"text": english.texts, "label": labels}, files=("train.csv", "more.csv"), per_file=100)
    finding = found(check, data)["labels.noise"]
    assert finding.fix == ""
    assert finding.severity in ("note", "warning")
    rows = {row - 1 for row in finding.row_numbers["train.csv"].tolist()}
    rows |= {row + 99 for row in finding.row_numbers.get("more.csv", np.array([], int)).tolist()}
    assert set(flipped) <= rows
    assert len(rows) <= 10
    assert "looks like" in finding.examples[0].note
    assert len(run_checks(data, only=["noise"]).suspects) == len(rows)
    assert run_checks(data, only=["labels"]).suspects == ()


def test_texts_with_two_labels_are_left_to_the_other_check(chinese: Dataset) -> None:
    context = Context(dataset=chinese, recipe=Recipe(), seed=1)
    conflicting = {chinese.texts[row] for row in (120, 130, 140)}
    assert not conflicting & {suspect.text for suspect in suspects_of(context)}


def test_the_queue_is_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    def suspect(text: str) -> Suspect:
        return Suspect(
            file="a.csv",
            row=7,
            text=text,
            label="x",
            suggested="y",
            probability=0.1,
            suggested_probability=0.9,
            copies=2,
        )

    path = tmp_path / "review.csv"
    write_queue([suspect("=HYPERLINK(1)"), suspect('中文, "quoted"\nline')], path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["'=HYPERLINK(1)", '中文, "quoted"\nline']
    assert (rows[0]["row"], rows[0]["suggested"], rows[0]["copies"], rows[0]["decision"]) == ("7", "y", "2", "")


def test_a_class_with_few_rows_is_not_what_all_others_look_like() -> None:
    probabilities = np.array(
        [[0.6, 0.3, 0.1]] * 4 + [[0.95, 0.05, 0.0]] * 40 + [[0.1, 0.89, 0.01]] * 20 + [[0.95, 0.05, 0.0]]
    )
    given = np.array([0] * 44 + [1] * 20 + [2])
    found = doubts(probabilities, given)
    assert found.index.tolist() == [64]  # the first four reach the average of class 2 alone, which is 0


def test_a_label_that_one_text_has_neither_doubts_nor_is_doubted(english: Dataset, table: Any) -> None:
    texts, labels = [*english.texts, "the weather tomorrow"], [*english.labels, "weather"]
    rare = table({"text": texts, "label": labels})
    found = suspects_of(Context(dataset=rare, recipe=Recipe(), seed=3))
    assert not [suspect for suspect in found if "weather" in (suspect.label, suspect.suggested)]


def test_a_label_in_one_cluster_is_not_doubted(table: Any, found: Any) -> None:
    templates = {
        "a": "房间干净服务热情早餐丰富位置方便价廉物美值得推荐质量很好",
        "b": "物流太慢客服不理包装破损东西很差退货麻烦浪费时间后悔",
    }
    rows = [(base[:i] + "改" + base[i + 1 :], label) for label, base in templates.items() for i in range(24)]
    texts, labels = zip(*rows, strict=True)
    assert found(check, table({"text": texts, "label": labels})) == {}


def test_a_model_at_chance_doubts_nothing() -> None:
    dice = np.random.default_rng(0)
    shown = 0
    for _ in range(400):
        given = (dice.random(200) < 0.1).astype(np.int64)
        shown += better_than_guessing((dice.random(200) < dice.choice([0.05, 0.5, 0.9])).astype(np.int64), given)
    assert shown / 400 < 0.03
    given = dice.integers(0, 2, 200)
    assert better_than_guessing(np.where(dice.random(200) < 0.7, given, 1 - given), given)
    rare = (dice.random(500) < 0.05).astype(np.int64)
    assert better_than_guessing(
        rare & (dice.random(500) < 0.5), rare
    )  # no better than the largest class, and yet no guess
    assert not better_than_guessing(np.zeros(500, np.int64), rare)


@pytest.mark.parametrize("cell", ["-1", "=SUM(A1)", "@home", "+1", "'quoted", "plain", "'", ""])
def test_what_is_guarded_against_spreadsheets_is_read_as_it_was(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@"))
