"""Noise in the texts of rows that a linear model had not seen, against the same done by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contenders.conftest import LABELS, TEXTS, parted, training

from ratchet.augment.noise import noisy
from ratchet.contenders.base import CARD, Contender
from ratchet.contenders.kind import Training
from ratchet.contenders.linear import Linear
from ratchet.contenders.material import held
from ratchet.contenders.rows import PartedRows
from ratchet.metrics.proportions import wilson
from ratchet.models.linear import LinearModel
from ratchet.models.model import Answers
from ratchet.recipe.sections import LinearSpec
from ratchet.report import Answered, ReportData, render
from ratchet.report.robustness import ALPHA, ROWS, SEED, Robustness, robustness_of

__all__ = ["parted", "training"]
Make = Callable[..., PartedRows]


@pytest.fixture
def trained(
    parted: Make, training: Callable[..., Training], tmp_path: Path
) -> Callable[..., tuple[PartedRows, Contender]]:
    def make(*task: Any, **more: Any) -> tuple[PartedRows, Contender]:
        rows, folder = parted(*task, **more), tmp_path / "models" / "mine"
        folder.mkdir(parents=True)
        Linear().train(folder, LinearSpec(name="mine"), training(rows))
        return rows, Contender.load(folder)

    return make


def by_hand(rows: PartedRows, best: Contender, operation: str) -> tuple[int, int]:
    """Changed answers and rows that can bear the noise, over all rows."""
    changed = able = 0
    for fold in range(5):
        out = held(rows, fold)[1]
        model, texts = LinearModel.load(best.fold_model(fold)), rows.texts(out)
        for old, new in zip(texts, noisy(texts, operation, alpha=ALPHA, seed=SEED), strict=True):
            if new is not None:
                answers: list[Answers] = [model.predict([text]) for text in (old, new)]
                able, changed = able + 1, changed + int(answers[0].argmax() != answers[1].argmax())
    return changed, able


def test_every_share_is_what_the_folds_own_models_give(trained: Callable[..., Any]) -> None:
    rows, best = trained()
    found = robustness_of(rows, best, metric="accuracy", threads=1)
    assert found is not None
    assert found.rows == 150
    assert {one.operation for one in found.kinds} >= {"keyboard", "scan", "drop", "space"}
    for one in found.kinds:
        changed, able = by_hand(rows, best, one.operation)
        assert (one.changed.value, one.changed.n) == (changed / able, able)
        assert (one.changed.low, one.changed.high) == wilson(changed, able)
        assert (one.example is None) == (changed == 0)
        assert one.before is not None
        assert one.after is not None
        assert abs(one.before.value - one.after.value) <= one.changed.value + 1e-12
    shares = [one.changed.value for one in found.kinds]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0
    example = found.kinds[0].example
    assert example is not None
    assert example.answer != example.changed
    assert example.before in TEXTS
    assert example.before != example.after
    assert example.true in LABELS
    assert f"answers change with {found.kinds[0].about}, the most of" in found.line
    assert robustness_of(rows, best, metric="accuracy", threads=1) == found


def test_few_rows_are_drawn_by_their_texts_and_one_of_a_unit(
    trained: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, best = trained()
    monkeypatch.setitem(ROWS, "linear", 40)
    found = robustness_of(rows, best, metric="macro_f1", threads=1)
    assert found is not None
    assert found.rows == 40
    unit = np.arange(len(rows.dataset)) // 6
    together = replace(rows, parts=replace(rows.parts, unit=unit))
    grouped = robustness_of(together, best, metric="macro_f1", threads=1)
    assert grouped is not None
    assert grouped.rows == len({*unit[rows.parts.dev].tolist()}) == 30


def test_several_labels_change_as_a_whole(trained: Callable[..., Any]) -> None:
    cells = [f'["{label}", "all"]' if row % 2 else f'["{label}"]' for row, label in enumerate(LABELS)]
    rows, best = trained("multilabel", cells)
    found = robustness_of(rows, best, metric="subset_accuracy", threads=1)
    assert found is not None
    assert any(one.changed.value > 0 for one in found.kinds)
    example = next(one.example for one in found.kinds if one.example is not None)
    assert example.answer != example.changed


def test_who_is_never_asked(trained: Callable[..., Any]) -> None:
    rows, best = trained()
    for change in ({"runtime": "endpoint"}, {"runtime": "decoder"}, {"spec": None}):
        card = json.loads((best.folder / CARD).read_bytes()) | change
        assert robustness_of(rows, Contender(folder=best.folder, card=card), metric="accuracy", threads=1) is None


def test_numbers_have_no_answer_that_changes(trained: Callable[..., Any]) -> None:
    rows, best = trained("regression", [str(len(text)) for text in TEXTS])
    assert robustness_of(rows, best, metric="rmse", threads=1) is None


def test_the_page_and_json_have_it_whole(trained: Callable[..., Any]) -> None:
    rows, best = trained()
    found = robustness_of(rows, best, metric="accuracy", threads=1)
    assert found is not None
    report = ReportData(
        name="r", run_id="1", date="2026-11-28T00:00:00Z", answered=Answered(views=(), robustness=found)
    )
    plain = json.loads(json.dumps(report.to_dict()))
    again = ReportData.from_dict(plain)
    assert again.answered is not None
    assert again.answered.robustness == found
    page = render(report)
    assert "With noise in the texts" in page
    assert "Answers that change with noise" in page
    assert page.count("The worst of each") == 1
    assert all(one.about in page for one in found.kinds)
    assert Robustness(**{**asdict(found), "kinds": found.kinds}) == found
