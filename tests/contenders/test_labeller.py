"""Who is asked for labels: nobody who saw the parent or a held-out row, at a temperature that is right."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from tests.contenders.conftest import LABELS

from ratchet.contenders.change import Changing
from ratchet.contenders.labeller import Labeller, Learner
from ratchet.contenders.material import Material, held
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.models.linear import LinearModel
from ratchet.tasks.registry import task_of


def spied(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """The rows that each model is trained on, as it is fitted."""
    from ratchet.contenders.linear import Linear

    seen: list[set[int]] = []
    fit = Linear.fit

    def spy(self: Linear, spec: object, material: Material, training: object) -> LinearModel:
        seen.append(set(material.rows.tolist()))
        return fit(self, spec, material, training)  # type: ignore[arg-type]

    monkeypatch.setattr(Linear, "fit", spy)
    return seen


@pytest.mark.parametrize("order", ["random", "time"])
def test_no_model_that_is_asked_saw_the_parent_or_a_held_out_row(
    parted: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    rows = parted(order=order)
    seen, out = held(rows, 0)
    trained = spied(monkeypatch)
    labeller = Labeller(Changing(rows=rows, seed=3), seen)
    assert len(trained) == 3
    assert not any(rows_of & {*out.tolist(), *rows.parts.test.tolist()} for rows_of in trained)
    for number, rows_of in enumerate(trained):
        asked = np.flatnonzero(labeller._fold == number)
        assert len(asked)
        assert not rows_of & {*seen[asked].tolist()}
    parent = np.arange(len(seen))
    answers = labeller.answers(rows.texts(seen), parent)
    assert np.allclose(answers, labeller.known[1]), "a text that is its parent gets the answer out of fold"


def test_copies_of_a_parent_are_left_out_with_it(
    parted: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    rows = parted()
    unit = np.arange(len(rows.dataset)) // 4
    rows = replace(rows, parts=replace(rows.parts, unit=unit))
    seen, _ = held(rows, 0)
    trained = spied(monkeypatch)
    labeller = Labeller(Changing(rows=rows, seed=3), seen)
    for number, rows_of in enumerate(trained):
        own = {*unit[seen[labeller._fold == number]].tolist()}
        assert not own & {*unit[[*rows_of]].tolist()}


def test_a_right_label_is_borne_out_and_a_wrong_one_is_not(parted: Callable[..., PartedRows]) -> None:
    rows = parted()
    seen, _ = held(rows, 0)
    agrees = Labeller(Changing(rows=rows, seed=3), seen).agrees(0.5)
    texts, labels = rows.texts(seen), rows.names(seen)
    wrong = [{"card": "rate", "rate": "card"}.get(label, "card") for label in labels]
    parent = np.arange(len(seen))
    assert agrees(texts, labels, parent).mean() > 0.7
    assert agrees(texts, wrong, parent).mean() < 0.1


def test_a_label_that_the_model_never_saw_is_not_held_against_a_text(parted: Callable[..., PartedRows]) -> None:
    cells = ["lonely" if number == 1 else label for number, label in enumerate(LABELS)]
    rows = parted(cells=cells)
    seen, _ = held(rows, 3)
    place = int(np.flatnonzero(seen == 1)[0])
    agrees = Labeller(Changing(rows=rows, seed=3), seen).agrees(0.9)
    assert agrees(["my card is late"], ["lonely"], np.array([place])).tolist() == [True]
    assert agrees(["my card is late"], ["退款"], np.array([place])).tolist() == [False]


def test_a_rare_one_of_several_labels_is_not_held_against_a_text(parted: Callable[..., PartedRows]) -> None:
    cells = [f"{label}; x" if number % 3 else label for number, label in enumerate(LABELS)]
    rows = parted("multilabel", [f"{cell}; lonely" if number == 1 else cell for number, cell in enumerate(cells)])
    seen, _ = held(rows, 1)
    labeller, place = Labeller(Changing(rows=rows, seed=3), seen), np.array([int(np.flatnonzero(seen == 1)[0])])
    text, own = rows.texts(seen[place]), rows.names(seen[place])
    answers = dict(zip(rows.labels, labeller.answers(text, place)[0].tolist(), strict=True))
    assert answers["lonely"] < 0.05
    sure = [max(share, 1 - share) for name, share in answers.items() if name != "lonely"]
    said = [name for name, share in answers.items() if share > 0.5]
    for least, right in ((min(sure) - 0.01, True), (min(sure) + 0.01, False)):
        cell = [json.dumps(sorted([*said, "lonely"]), ensure_ascii=False)]
        assert labeller.agrees(least)(text, cell, place).tolist() == [right], "the other labels are asked about"
    assert "lonely" in own[0]


def test_several_labels_and_numbers(parted: Callable[..., PartedRows]) -> None:
    rows = parted("multilabel", [f"{label}; x" if number % 3 else label for number, label in enumerate(LABELS)])
    seen, _ = held(rows, 0)
    agrees = Labeller(Changing(rows=rows, seed=3), seen).agrees(0.5)
    texts, parent = rows.texts(seen)[:40], np.arange(40)
    right, none = agrees(texts, rows.names(seen)[:40], parent), agrees(texts, ["[]"] * 40, parent)
    assert right.mean() > none.mean()

    rows = parted("regression", [str(10 * len(label) + number % 3) for number, label in enumerate(LABELS)])
    seen, _ = held(rows, 0)
    labeller = Labeller(Changing(rows=rows, seed=3), seen)
    values = [float(name) for name in rows.names(seen)]
    parent = np.arange(len(seen))
    near = labeller.agrees(0.5)(rows.texts(seen), rows.names(seen), parent)
    assert near.mean() == pytest.approx(0.9, abs=0.02), "90 % of the rows that made the quantile"
    far = labeller.agrees(0.5)(rows.texts(seen), [str(value + 500) for value in values], parent)
    assert not far.any()


def test_texts_have_no_label_to_be_borne_out() -> None:
    none = task_of("generation").targets([], names=("answer",))
    with pytest.raises(RecipeError, match=r"filters\.label must be 0 for generation"):
        task_of("generation").borne_out(
            none, np.zeros((0, 1), object), least=0.5, known=(none, np.zeros((0, 1), object))
        )


def test_without_a_champion_the_baseline_is_asked(parted: Callable[..., PartedRows]) -> None:
    learner = Learner.of(Changing(rows=parted(), seed=1))
    assert (learner.kind.name, learner.own) == ("linear", False)
