from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from ratchet.gate.ledger import Ledger
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.stages.job import Job
from ratchet.workspace.workspace import Workspace

GOOD, BAD, ALIKE = "好棒赞喜", "差烂糟坏", "房间服务早餐位置价格书纸印刷物流客服一二三四五六七八九十"


@pytest.fixture(scope="session")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A run that went as far as its verdicts: two challengers and a copy, on 400 reviews of which some labels are wrong."""
    folder, dice = tmp_path_factory.mktemp("stages"), random.Random(1)
    table = folder / "reviews.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(400):
            good = dice.random() < 0.5
            words = dice.choices(GOOD if good != (dice.random() < 0.2) else BAD, k=2) + dice.choices(ALIKE, k=12)
            dice.shuffle(words)
            writer.writerow(["".join(words) + str(row), "好评" if good else "差评"])
    tried = "challengers=[{kind: blend, name: blend}, {kind: eda, name: eda}]"
    text = f"data: {{files: [{table.name}]}}\nworkspace: w\n"
    recipe = parse_recipe(text, folder=folder, overrides=[tried, "gate.metrics=[accuracy]", "task=classification"])
    summary = run(recipe, until="train")
    workspace = Workspace(recipe.workspace)
    return Job(
        recipe=recipe,
        workspace=workspace,
        ledger=Ledger(workspace.ledger),
        run=summary["run"],
        screen=Screen(),
        code="",
    )


WORDS = {
    "card": ["card", "post", "late", "pin"],
    "rate": ["rate", "fee", "price", "currency"],
    "退款": ["退款", "取消", "到账", "慢"],
}


def small_table(path: Path, count: int, *, seed: int = 1, label: bool = True) -> None:
    """Texts whose label is told by their words, some of them in Chinese."""
    dice = random.Random(seed)
    filler = ["please", "help", "with", "my", "the", "问题", "怎么", "请", "now", "today", "again", "why"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"] if label else ["text"])
        for _ in range(count):
            name = dice.choice(sorted(WORDS))
            words = dice.choices(WORDS[name], k=2) + dice.choices(filler, k=dice.randint(3, 12))
            dice.shuffle(words)
            writer.writerow([" ".join(words), name] if label else [" ".join(words)])


def small_recipe(folder: Path, *, count: int = 320, more: str = "") -> Recipe:
    small_table(folder / "rows.csv", count)
    return parse_recipe(
        f"data: {{files: [{folder / 'rows.csv'}]}}\nworkspace: {folder / 'work'}\nchallengers: []\n{more}",
        folder=folder,
    )


@pytest.fixture(scope="session")
def write() -> Callable[..., None]:
    """Write a small table whose labels are told by its words."""
    return small_table


@pytest.fixture(scope="session")
def recipe_in() -> Callable[..., Recipe]:
    """A recipe of such a table, in a folder."""
    return small_recipe
