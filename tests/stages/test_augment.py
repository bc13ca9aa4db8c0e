"""The recipe's section ``augment``: challengers beside the others; what cannot be made is skipped, and said."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from tests.conftest import generate

from ratchet.augment import registry
from ratchet.augment.augmenter import Making
from ratchet.augment.drafts import Drafts
from ratchet.augment.eda import Eda
from ratchet.augment.source import Source
from ratchet.errors import RecipeError
from ratchet.models.model import Destination
from ratchet.pipeline import run
from ratchet.recipe.augment import EdaSpec
from ratchet.recipe.recipe import dump_recipe, parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen

CALLS = [0]


class Sender(Eda):
    """Easy data augmentation that sends texts away."""

    def sends_to(self, spec: EdaSpec) -> Destination | None:
        return Destination(address="https://example.org/v1", key="MY_KEY")


class Needy(Eda):
    packages: ClassVar[tuple[str, ...]] = ("a_package_that_nobody_has",)  # type: ignore[misc]


class Dying(Eda):
    """The process is killed while rows are made for the third fold."""

    def drafts(self, spec: EdaSpec, source: Source, making: Making) -> Drafts:
        CALLS[0] += 1
        if CALLS[0] == 3:
            raise KeyboardInterrupt
        return super().drafts(spec, source, making)


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    texts, labels = generate(200, seed=5)
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])

    def make(*overrides: str) -> Recipe:
        text = "data: {files: [t.csv]}\nthreads: 1\nsplit: {near: false}\ncompress: {methods: []}\nbaseline: {C: 10}\n"
        return parse_recipe(text, folder=tmp_path, overrides=overrides)

    return make


def story(recipe: Recipe) -> str:
    told = io.StringIO()
    run(recipe, screen=Screen(told), until="train")
    return told.getvalue()


def test_it_stands_beside_the_challengers(recipe: Callable[..., Recipe]) -> None:
    made = recipe("challengers=[]", "augment=[{kind: eda, copies: 2}, {kind: augment, trials: 2, folds: 2}]")
    assert parse_recipe(dump_recipe(made), folder=Path("/")).augment == made.augment
    said = story(made)
    assert "challenge  eda against tfidf-lr: " in said
    assert "challenge  augment against tfidf-lr: " in said
    assert said.count("augment: best of 2 policies: eda (") == 5


def test_what_makes_no_rows_is_refused_there(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(RecipeError, match=r"augment\.0\.kind .* must be one of eda, .*pseudo.* augment.* got"):
        recipe("augment=[{kind: linear}]")
    with pytest.raises(RecipeError, match="must have names of their own"):
        recipe("challengers=[{kind: eda, name: a}]", "augment=[{kind: eda, name: a}]")


def test_where_texts_go_is_said(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AUGMENTERS", (Sender(),))
    said = story(recipe("challengers=[{kind: eda}]"))
    assert "eda: texts of training rows are sent to https://example.org/v1, with the key in MY_KEY" in said


def test_a_package_that_is_missing_is_named(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AUGMENTERS", (Needy(),))
    said = story(recipe("challengers=[{kind: eda}, {kind: augment, trials: 2}]"))
    assert "eda: skipped. The challenger 'eda' needs the package 'a_package_that_nobody_has'" in said
    assert "augment: skipped. The policy 'eda' needs the package 'a_package_that_nobody_has'" in said


def test_a_run_that_was_killed_goes_on_to_the_same_verdict(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "AUGMENTERS", (Dying(),))
    CALLS[0] = 0
    with pytest.raises(KeyboardInterrupt):
        story(recipe("challengers=[{kind: eda}]"))
    after = story(recipe("challengers=[{kind: eda}]"))
    whole = story(recipe("challengers=[{kind: eda}]", "workspace=other"))
    line = next(line for line in whole.splitlines() if "eda against" in line)
    assert line in after


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_search_loses_nothing(recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    made = recipe("challengers=[{kind: augment, trials: 4, folds: 4}]")
    (tmp_path / "r.yaml").write_text(dump_recipe(made), encoding="utf-8")
    command = [sys.executable, "-m", "ratchet", "run", str(tmp_path / "r.yaml"), "--until", "train"]
    begun = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(6_000):
        searches = [*(tmp_path / ".ratchet/models/made").glob("*/*.json")]
        if len(searches) >= 2 or begun.poll() is not None:
            break
        time.sleep(0.01)
    begun.kill()
    assert begun.wait() == -signal.SIGKILL, "it was killed in the middle of the second fold's search"
    before = {path: path.read_bytes() for path in searches}
    after = story(made)
    whole = story(recipe("challengers=[{kind: augment, trials: 4, folds: 4}]", "workspace=other"))
    lines = [line for line in whole.splitlines() if line.startswith(("challenge  augment", "train      augment"))]
    assert len(lines) == 6
    assert all(line in after for line in lines)
    first = json.loads(before[min(before, key=lambda path: -len(before[path]))])
    assert first.items() <= json.loads(max(searches, key=lambda path: len(before[path])).read_text("utf-8")).items()


class Remarking(Eda):
    def remark(self, spec: EdaSpec) -> str:
        return f"mind the {spec.synonyms}"


def test_a_remark_is_said_before_rows_are_made(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AUGMENTERS", (Remarking(),))
    assert "eda: mind the context" in story(recipe("challengers=[{kind: eda}]"))
