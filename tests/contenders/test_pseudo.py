"""Pseudo-labels: by a model that saw no held-out row, sure enough, in proportion, and never of a row that is judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.conftest import generate
from tests.contenders.conftest import COUNT, TEXTS
from tests.contenders.test_labeller import spied

from ratchet.contenders.change import Changing
from ratchet.contenders.material import NothingMade, held
from ratchet.contenders.pseudo import Pseudo
from ratchet.contenders.rows import PartedRows
from ratchet.errors import RecipeError
from ratchet.recipe.augment import PseudoSpec
from ratchet.tables.dataset import Dataset

NEW, NEW_LABELS = generate(120, seed=77)
LOOSE = PseudoSpec(confidence=0.5)


@pytest.fixture
def given(parted: Callable[..., PartedRows], table: Callable[..., Dataset]) -> Callable[..., PartedRows]:
    def make(texts: Sequence[str] = NEW, **more: object) -> PartedRows:
        unlabelled = table({"text": list(texts)})
        return replace(parted(**more), unlabelled=replace(unlabelled, roles=replace(unlabelled.roles, label=None)))

    return make


def test_rows_get_their_labels_from_models_that_saw_no_held_out_row(
    given: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = given()
    seen, out = held(rows, 2)
    trained = spied(monkeypatch)
    made = Pseudo().material(LOOSE, Changing(rows=rows, seed=1, folder=tmp_path / "made"), seen, held_out=out)
    assert trained
    assert not any(one & {*out.tolist(), *rows.parts.test.tolist()} for one in trained)
    right = dict(zip(NEW, NEW_LABELS, strict=True))
    assert np.mean([right[text] == label for text, label in zip(made.texts, made.labels, strict=True)]) > 0.8
    lines = [json.loads(line) for line in (tmp_path / "made" / "fold-2.jsonl").read_text("utf-8").splitlines()]
    assert [line["text"] for line in lines] == list(made.texts)
    for line in lines:
        assert NEW[line["row"] - 1] == line["text"], "the row of the file, the header not counted"
        assert line["file"]
        assert line["confidence"] >= 0.5


def test_the_order_of_the_rows_changes_nothing(given: Callable[..., PartedRows]) -> None:
    rows, turned = given(), given(NEW[::-1])
    seen, out = held(rows, 0)
    first, second = (Pseudo().material(LOOSE, Changing(rows=one, seed=1), seen, held_out=out) for one in (rows, turned))
    assert sorted(first.texts) == sorted(second.texts)


def test_a_copy_of_a_held_out_or_a_test_row_is_left_out(given: Callable[..., PartedRows]) -> None:
    rows = given([*TEXTS, *NEW])
    seen, out = held(rows, 1)
    made = Pseudo().material(LOOSE, Changing(rows=rows, seed=1), seen, held_out=out)
    unseen = {TEXTS[row] for row in (*out.tolist(), *rows.parts.test.tolist())}
    assert not unseen & {*made.texts}
    assert not {TEXTS[row] for row in seen.tolist()} & {*made.texts}
    rejected = made.counts["rejected"]
    assert isinstance(rejected, dict)
    assert rejected["near_protected"] > 0
    assert sum(rejected.values()) + len(made.texts) == COUNT + len(NEW)


def test_a_label_has_no_more_new_rows_than_its_share(given: Callable[..., PartedRows]) -> None:
    rows = given()
    seen, out = held(rows, 0)
    made = Pseudo().material(LOOSE.model_copy(update={"cap": 0.1}), Changing(rows=rows, seed=1), seen, held_out=out)
    train = Counter(rows.names(seen))
    assert all(count <= max(1, int(0.1 * train[label])) for label, count in Counter(made.labels).items())
    assert made.counts["rejected"]["cap"] > 0  # type: ignore[index, operator, call-overload]


def test_nobody_is_sure_enough(given: Callable[..., PartedRows]) -> None:
    rows = given(["🙂", "hello hello hello", "?"])
    seen, out = held(rows, 0)
    with pytest.raises(NothingMade, match=r"all 3 were rejected \(3 confidence\)"):
        Pseudo().material(PseudoSpec(confidence=0.999), Changing(rows=rows, seed=1), seen, held_out=out)


def test_without_rows_it_is_refused(parted: Callable[..., PartedRows]) -> None:
    with pytest.raises(RecipeError, match=r"data\.unlabelled must name files"):
        Pseudo().require(PseudoSpec(), parted())


def test_other_rows_are_another_challenger(given: Callable[..., PartedRows]) -> None:
    depends = [Pseudo().depends_on(LOOSE, given(texts)) for texts in (NEW, NEW, NEW[:-1])]
    assert depends[0] == depends[1] != depends[2]


def test_several_labels(given: Callable[..., PartedRows]) -> None:
    cells = [f"{label}; x" if number % 2 else label for number, label in enumerate(generate(COUNT, seed=11)[1])]
    rows = given(task="multilabel", cells=cells)
    seen, out = held(rows, 0)
    made = Pseudo().material(PseudoSpec(confidence=0.3), Changing(rows=rows, seed=1), seen, held_out=out)
    assert len(made.texts)
    assert all(isinstance(json.loads(label), list) for label in made.labels)
    assert len(rows.made(made.labels)) == len(made.texts)


@pytest.mark.parametrize(
    "key", [{"label": 0.5}, {"meaning": 0.5}, {"longer": 2}, {"language": False}, {"vectors": "encoder"}]
)
def test_filters_that_need_a_parent_are_refused(key: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"filters must have no key but near, .* but has {next(iter(key))}"):
        PseudoSpec.model_validate({"filters": {"near": 0.8, **key}})
    near = PseudoSpec.model_validate({"filters": {"near": 0.8}})
    assert PseudoSpec.model_validate(near.model_dump(mode="json")) == near, "as a card has it"
