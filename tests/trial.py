"""A table and whole runs over it, against a server on the loopback address."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.screen import Screen

WORDS = {
    "card": ["card", "delivery", "post"],
    "rate": ["rate", "exchange", "fee"],
    "refund": ["refund", "cancel", "back"],
}
FILLER = ["please", "help", "with", "my", "thing", "now", "today", "order", "account", "question", "hello", "where"]
TASKS = ("classification", "multilabel", "regression", "generation")


@dataclass(frozen=True)
class Row:
    id: str
    text: str
    answer: str


def rows_for(task: str, count: int = 240, *, seed: int = 3) -> list[Row]:
    """Rows whose answer can be read off the text by anybody who knows three words, but hardly by their letters' order."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        labels = sorted(dice.sample(sorted(WORDS), k=2 if task == "multilabel" and dice.random() < 0.5 else 1))
        words = [dice.choice(WORDS[label]) for label in labels] + dice.choices(FILLER, k=8)
        dice.shuffle(words)
        text = " ".join([*words, f"no{number}"])
        answer = {
            "classification": labels[0],
            "multilabel": "; ".join(labels),
            "regression": str(10 * len(labels[0]) + dice.randint(0, 9)),
            "generation": f"It is about the {labels[0]}.",
        }[task]
        made.append(Row(f"r{number}", text, answer))
    return made


@dataclass
class Trial:
    """A table, and runs over it."""

    folder: Path
    task: str
    rows: list[Row]
    said: list[str] = field(default_factory=list)

    def write(self, name: str, rows: Sequence[Mapping[str, object]]) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return path

    def recipe(self, challengers: str, *overrides: str) -> Any:
        text = (
            f"task: {self.task}\ndata: {{files: [t.csv], id: id}}\nthreads: 1\nworkspace: w\n"
            f"split: {{near: false, folds: 3}}\ncompress: {{methods: []}}\nchallengers: [{challengers}]\n"
        )
        blind = () if self.task == "generation" else ("baseline.C=0.0001",)
        return parse_recipe(text, folder=self.folder, overrides=(*blind, *overrides))

    def run(self, challengers: str, *overrides: str, **keys: Any) -> dict[str, Any]:
        stream = io.StringIO()
        try:
            return run(self.recipe(challengers, *overrides), screen=Screen(stream), **keys)
        finally:
            self.said = stream.getvalue().splitlines()

    def lines(self, words: str) -> list[str]:
        return [line for line in self.said if words in line]

    def card(self, name: str) -> dict[str, Any]:
        cards = [json.loads(path.read_bytes()) for path in (self.folder / "w" / "models").glob("*/contender.json")]
        return next(card for card in cards if card["name"] == name)

    def ledger(self) -> str:
        return (self.folder / "w" / "ledger.jsonl").read_text("utf-8")


@pytest.fixture
def trial(tmp_path: Path) -> Callable[..., Trial]:
    def make(task: str = "classification", rows: list[Row] | None = None) -> Trial:
        made = rows if rows is not None else rows_for(task)
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("id", "text", "label"), *((row.id, row.text, row.answer) for row in made)])
        return Trial(tmp_path, task, made)

    return make


def knows(trial: Trial, *, wrong: int = 10**9, more: Callable[[Any, Row], bool] = lambda stage, row: False) -> Any:
    """A server that knows every answer of the table; each ``wrong``-th row gets another row's, and ``more`` may play first."""
    by_number = {row.text.rsplit(" ", 1)[-1]: row for row in trial.rows}

    def play(stage: Any) -> None:
        place = next(word for word in reversed(stage.asked.split()) if word in by_number)
        row = by_number[place]
        if more(stage, row):
            return
        number = trial.rows.index(row)
        stage.answer(trial.rows[number - 1].answer if number % wrong == wrong - 1 else row.answer)

    return play
