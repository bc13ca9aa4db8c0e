"""Features that tell the label, and features that do not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ratchet.checks import Finding
from ratchet.checks.feature_leaks import check
from ratchet.tables.dataset import Dataset

ROWS = 400
Cells = list[str | None]


@pytest.fixture
def look(table: Any, found: Any) -> Callable[..., Finding | None]:
    def at(labels: list[str], cells: Cells, kind: str) -> Finding | None:
        rows: Dataset = table({"text": [f"text {i}" for i in range(len(labels))], "label": labels, "f": cells})
        rows = replace(rows, roles=replace(rows.roles, features=(("f", kind),)))
        finding: Finding | None = found(check, rows).get("leaks.feature")
        return finding

    return at


def labels(seed: int = 1, share: float = 0.75) -> list[str]:
    dice = random.Random(seed)
    return ["fine" if dice.random() < share else "risk" for _ in range(ROWS)]


def test_a_code_that_was_written_afterwards_is_an_error(look: Any) -> None:
    dice, answers = random.Random(2), labels()
    finding = look(
        answers, [dice.choice("RS") if label == "risk" else dice.choice("ABC") for label in answers], "category"
    )
    assert finding.severity == "error"
    assert "'f' alone tells the label" in finding.message
    assert "100.0 % are guessed right" in finding.message
    assert (finding.column, finding.rows) == ("f", ROWS)


def test_a_number_with_a_threshold_or_bands_is_an_error(look: Any) -> None:
    dice, answers = random.Random(3), labels()
    limit = [f"{dice.uniform(0, 0.2) if label == 'risk' else dice.uniform(0.21, 1):.4f}" for label in answers]
    assert look(answers, limit, "number").severity == "error"
    bands = [str(dice.choice((1, 3)) if label == "risk" else dice.choice((0, 2, 4))) for label in answers]
    assert look(answers, bands, "number").severity == "error"


def test_a_gap_tells_too(look: Any) -> None:
    answers = labels()
    cells: Cells = [None if label == "risk" else str(i % 7) for i, label in enumerate(answers)]
    assert look(answers, cells, "number").severity == "error"


def test_one_label_that_can_be_seen_is_a_warning(look: Any) -> None:
    dice, answers = random.Random(4), labels()
    cells: Cells = ["R" if label == "risk" and dice.random() < 0.8 else dice.choice("AB") for label in answers]
    finding = look(answers, cells, "category")
    assert finding.severity == "warning"
    assert "'f' alone tells 1 label: 'risk' can be seen in" in finding.message


@pytest.mark.parametrize("kind", ["number", "category"])
@pytest.mark.parametrize("seed", range(5))
def test_what_says_nothing_is_not_found(look: Any, kind: str, seed: int) -> None:
    dice = random.Random(seed)
    for cells in (
        [str(dice.randrange(4)) for _ in range(ROWS)],
        [str(dice.randrange(10**6)) for _ in range(ROWS)],
        [str(i) for i in range(ROWS)],
        ["x"] * ROWS,
        [None] * ROWS,
    ):
        assert look(labels(seed), cells, kind) is None


def test_what_says_something_honestly_is_not_found(look: Any) -> None:
    dice, answers = random.Random(5), labels()
    cells = [f"{dice.gauss(2.0 if label == 'risk' else 0.0, 1):.3f}" for label in answers]
    assert look(answers, cells, "number") is None


def test_a_value_is_told_by_its_ranks(look: Any) -> None:
    dice = random.Random(6)
    values = [dice.uniform(1, 1000) for _ in range(ROWS)]
    answers = [f"{value:.2f}" for value in values]
    finding = look(answers, [f"{value * 1.19 + dice.gauss(0, 2):.2f}" for value in values], "number")
    assert finding.severity == "error"
    assert "alone tells the value" in finding.message
    assert look(answers, [f"{value + dice.gauss(0, 300):.2f}" for value in values], "number") is None


def test_few_rows_or_labels_say_nothing(look: Any) -> None:
    assert look(["a", "b"] * 20, ["x", "y"] * 20, "category") is None
    assert look(["a"] * 100, ["x"] * 100, "category") is None
    assert look([""] * 100, ["x"] * 100, "category") is None
