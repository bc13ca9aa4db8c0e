"""Challengers whose settings cannot be trained with are refused before anything is trained."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import generate

from ratchet.cli.main import main
from ratchet.contenders.embedding import Embedding
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, RecipeError
from ratchet.gate.ledger import Ledger
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe, Section
from ratchet.screen import Screen
from ratchet.stages import challenge
from ratchet.workspace.workspace import Workspace

SMALL = "source: scratch, layers: 1, width: 16, heads: 2, vocabulary: 150"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    """A recipe with these challengers; ``whole`` and ``pickled`` are checkpoints of two layers beside it."""
    monkeypatch.chdir(tmp_path)

    def make(challengers: str, *overrides: str, cells: list[str] | None = None) -> Recipe:
        texts, labels = generate(60, seed=5)
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
            rows = zip(texts, reversed(texts), cells or labels, strict=True)
            csv.writer(file).writerows([("text", "other", "label"), *rows])
        text = f"data: {{files: [t.csv]}}\nthreads: 1\nsplit: {{near: false}}\nchallengers: [{challengers}]\n"
        (tmp_path / "ratchet.yaml").write_text(text, encoding="utf-8")
        return parse_recipe(text, folder=tmp_path, overrides=overrides)

    return make


@pytest.fixture
def checkpoints(checkpoint: Callable[..., Path]) -> None:
    """A whole checkpoint of two layers, and one whose weights are pickled."""
    checkpoint(name="whole")
    pickled = checkpoint(name="pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")


WRONG = {
    "frozen_layers of a checkpoint": (
        "{kind: encoder, name: mine, source: ./whole, frozen_layers: 3}",
        "frozen_layers must be at most 2, the layers of './whole', but got 3. Lower frozen_layers",
    ),
    "frozen_layers from scratch": (
        f"{{kind: encoder, name: mine, {SMALL}, frozen_layers: 2}}",
        "frozen_layers must be at most 1, the layers of 'scratch', but got 2",
    ),
    "frozen_layers in a space": (
        "{kind: tune, name: mine, of: {kind: encoder, source: ./whole}, space: {frozen_layers: {low: 0, high: 9}}}",
        "frozen_layers must be at most 2, the layers of './whole', but got 9",
    ),
    "what is tuned": (
        "{kind: tune, name: mine, of: {kind: encoder, source: ./gone}}",
        "The encoder source './gone' must be a directory but there is none",
    ),
    "no encoder": (
        "{kind: encoder, name: mine, source: ./gone}",
        "The encoder source './gone' must be a directory but there is none. Give a directory",
    ),
    "a pickled encoder": (
        "{kind: encoder, name: mine, source: ./pickled}",
        "must hold model.safetensors but ./pickled has pytorch_model.bin. Pickled weights are not loaded",
    ),
    "a pickled embedding": (
        "{kind: embedding, name: mine, source: ./pickled}",
        "must hold model.safetensors but ./pickled has pytorch_model.bin",
    ),
    "an embedding from scratch": (
        "{kind: embedding, name: mine, source: scratch}",
        "source of an embedding must be a pretrained encoder but got scratch",
    ),
    "no generator to ask": (
        "{kind: prompt, name: mine, source: ./gone}",
        "The generator source './gone' must be a directory but there is none",
    ),
    "an encoder as a generator": (
        "{kind: decoder, name: mine, source: ./whole}",
        "must be a generator of the GPT kind but its model_type is 'bert'",
    ),
    "a goal that is not measured": (
        f"{{kind: encoder, name: mine, {SMALL}, keep: mae}}",
        "keep must be last or one of loss, accuracy, macro_f1, weighted_f1, mcc, auc, log_loss but got 'mae'",
    ),
    "no column of rejected answers": (
        f"{{kind: decoder, name: mine, {SMALL[:-15]} vocabulary: 300, rejected: txt}}",
        "must have the column 'txt' (rejected answers) but has 'text', 'other', 'label'. Did you mean 'text'?",
    ),
    "no file of answers": (
        "{kind: answers, name: mine, file: gone.csv}",
        "./gone.csv must be a file of answers but is not there",
    ),
}


@pytest.mark.usefixtures("checkpoints")
@pytest.mark.parametrize(("challenger", "problem"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    recipe: Callable[..., Recipe], tmp_path: Path, challenger: str, problem: str
) -> None:
    made, said = recipe(challenger), io.StringIO()
    with pytest.raises(RecipeError) as caught:
        run(made, screen=Screen(said))
    assert str(caught.value).startswith("The challenger 'mine': ")
    assert problem in str(caught.value).replace(f"{tmp_path}/", "./")
    assert caught.value.next_step
    kinds = {record.kind for record in Ledger(Workspace(made.workspace).ledger).records()}
    assert "run-failed" in kinds
    assert not kinds & {"champion-root", "round"}
    assert not [*Workspace(made.workspace).models.glob("*/contender.json")]


def test_windows_over_pairs_are_refused(recipe: Callable[..., Recipe]) -> None:
    made = recipe(f"{{kind: encoder, {SMALL}, windows: 3}}", "data.text=[text, other]")
    with pytest.raises(
        RecipeError, match=r"^The challenger 'encoder': windows must be 1 where a row is a pair .* but got 3\. Remove"
    ):
        run(made)


def test_settings_of_labels_are_refused_where_a_value_is_learnt(recipe: Callable[..., Recipe]) -> None:
    cells = [str(number / 7) for number in range(60)]
    made = recipe(f"{{kind: encoder, {SMALL}, label_smoothing: 0.1}}", "task=regression", cells=cells)
    with pytest.raises(RecipeError, match="label_smoothing must be left out where a value is learnt"):
        run(made)


def test_the_usual_encoder_is_asked_too(recipe: Callable[..., Recipe]) -> None:
    made = recipe("", "train.source=./gone").model_copy(update={"challengers": None})
    with pytest.raises(RecipeError, match=r"source '.*/gone' must be a directory"):
        run(made)


def test_a_corpus_is_read_once_for_all_ends_of_a_space(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[tuple[str, ...]]()

    def noted(files: tuple[str, ...], rows: PartedRows, *, choosing: bool) -> None:
        assert choosing, "trials are scored on training rows"
        asked.append(tuple(file.rpartition("/")[2] for file in files))
        raise DataError("seen", next_step="")

    monkeypatch.setattr(challenge, "require_unseen", noted)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Our office is in the old harbour.\n")
    of = "{kind: decoder, source: scratch, pretrain: {corpus: [a.txt]}}"
    one, two = tmp_path / "a.txt", tmp_path / "b.txt"
    space = f"{{lr: {{low: 1.0e-4, high: 1.0e-3}}, pretrain.corpus: [[{one}], [{one}, {two}]]}}"
    with pytest.raises(RecipeError, match="The challenger 'mine': seen"):
        run(recipe(f"{{kind: tune, name: mine, of: {of}, space: {space}}}"))
    assert asked == [("a.txt", "b.txt")]


@pytest.mark.usefixtures("checkpoints")
def test_what_was_trained_before_is_not_refused_for_what_has_gone_since(
    recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Embedding, spec: Section, rows: PartedRows) -> None:
        raise RecipeError("It is gone.")

    made = recipe("{kind: embedding, name: mine, source: ./whole}")
    run(made, until="train")
    monkeypatch.setattr(Embedding, "require", refuse)
    assert run(made, until="train")["champion"]
    with pytest.raises(RecipeError, match="The challenger 'mine': It is gone"):
        run(made.model_copy(update={"seed": 8}), until="train")
    monkeypatch.undo()
    (tmp_path / "whole").rename(
        tmp_path / "elsewhere"
    )  # nobody knows whether it is the same, so it is another challenger
    with pytest.raises(RecipeError, match="The challenger 'mine': The encoder source"):
        run(made, until="train")


@pytest.mark.usefixtures("checkpoints")
def test_it_is_a_mistake_of_the_user(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe("{kind: encoder, name: mine, source: ./pickled}")
    monkeypatch.setattr(sys, "argv", ["ratchet", "run", "ratchet.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: The challenger 'mine': The encoder source ")
