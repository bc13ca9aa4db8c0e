from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tests.augment.conftest import writes
from tests.endpoint.conftest import Server, server

from ratchet.augment import registry
from ratchet.augment.eda import Eda
from ratchet.contenders.augmented import source_of
from ratchet.contenders.base import Contender
from ratchet.contenders.rows import PartedRows
from ratchet.endpoint.key import EndpointError
from ratchet.errors import DataError, ExtraMissing, RatchetError, RecipeError
from ratchet.labels.curve import Draw, blocks, draw, nested, usable
from ratchet.labels.curve_page import lines, render_curve
from ratchet.pipeline import run
from ratchet.recipe.augment import AugmentFilters, EdaSpec
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.stages.curve import SHARES, _settings, learning_curve, procedures, rounded
from ratchet.stages.queue import rows_to_label
from ratchet.stages.rows import job_of, prepared

__all__ = ["server"]

Recipes = Callable[..., Recipe]


def test_curve_is_told_drawn_and_resumed(tmp_path: Path, recipe_in: Recipes) -> None:
    recipe = recipe_in(tmp_path)
    found = learning_curve(recipe, more=(100, 5_000), draws=3, source="rows.csv")
    one = found.measured[0]
    assert one.curve.scores.shape == (3, 10, 5)
    assert one.curve.mean[-1] > one.curve.mean[0]
    assert 0 <= one.curve.mean.min() <= one.curve.mean.max() <= 1
    assert [gain.rows for gain in one.gains] == [100, 5_000]
    assert "beyond 4 times" in one.gains[1].reason
    assert found.told(one.gains[1]).startswith("5,000 more rows: cannot be told: ")
    assert "not of the champion: no run has a champion" in found.notes[0]
    said = "\n".join(lines(found))
    assert "points" in said
    assert max(map(len, (line for line in lines(found) if "#" in line))) <= 80
    page = render_curve(found)
    assert "What would more labels bring?" in page
    assert "<svg" in page
    folders = sorted((tmp_path / "work" / "curves").glob("*-draw-*"))
    assert len(folders) == 15
    times = {path: (path / "point.json").stat().st_mtime_ns for path in folders}
    (folders[0] / "point.json").unlink()
    folders[0].rmdir()
    again = learning_curve(recipe, more=(100, 5_000), draws=3)
    assert np.array_equal(again.measured[0].curve.scores, one.curve.scores)
    assert {path: (path / "point.json").stat().st_mtime_ns for path in folders[1:]} == {
        p: times[p] for p in folders[1:]
    }
    assert not (tmp_path / "work" / "ledger.jsonl").exists()


def test_augmenter_has_a_curve_of_its_own(tmp_path: Path, recipe_in: Recipes) -> None:
    found = learning_curve(recipe_in(tmp_path, count=240), more=(50,), draws=3, augment="eda")
    assert [one.name for one in found.measured] == ["tfidf-lr", "tfidf-lr + eda"]
    assert not np.array_equal(found.measured[0].curve.scores, found.measured[1].curve.scores)


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory, recipe_in: Recipes) -> PartedRows:
    return prepared(job_of(recipe_in(tmp_path_factory.mktemp("parted"))))[1]


def test_draws_never_see_what_judges_them(parted: PartedRows) -> None:
    for one in draw(parted, 2, seed=0):
        everything = one.first(1.0)
        assert not np.isin(one.out, everything).any()
        assert not np.isin(parted.parts.test, everything).any()
        assert not np.isin(parted.parts.test, one.out).any()
        assert set(one.first(0.1).tolist()) <= set(one.first(0.4).tolist()) <= set(everything.tolist())
        shares = [np.bincount(parted.truth[one.first(f)], minlength=3) / len(one.first(f)) for f in (0.2, 1.0)]
        assert np.abs(shares[0] - shares[1]).max() < 0.1
    assert usable(parted, draw(parted, 2, seed=0))[-1] == 1.0


def test_blocks_cover_the_judged_rows(parted: PartedRows) -> None:
    block, owner = blocks(parted, seed=0)
    assert len(block) == len(parted.parts.dev)
    assert sorted(set(block.tolist())) == [*range(len(owner))]
    sizes = np.bincount(block)
    assert sizes.max() <= sizes.min() + 12
    assert np.bincount(owner).tolist() == [2] * 5


def test_units_stay_whole_in_every_beginning() -> None:
    unit = np.repeat(np.arange(30), 3)
    order = nested(unit, ["a", "b", "b"] * 30, generator=np.random.default_rng(0))
    assert sorted(order.tolist()) == [*range(90)]
    one = Draw(order=order, unit=unit[order], out=np.zeros(0, np.int64), seed=0)
    for percent in range(4, 101):
        sample = one.first(percent / 100)
        assert (np.bincount(unit[sample], minlength=30) % 3 == 0).all()
        assert abs(len(sample) - 0.9 * percent) <= 1.5


def test_refuses_too_few_rows_and_draws(tmp_path: Path, recipe_in: Recipes) -> None:
    with pytest.raises(RecipeError, match="3 at least"):
        learning_curve(recipe_in(tmp_path), draws=2)
    with pytest.raises(DataError, match="three sizes of 20 rows"):
        learning_curve(recipe_in(tmp_path, count=50), draws=3)


@pytest.mark.parametrize(("value", "expected"), [(0.2, 1), (7, 7), (250.0, 200), (999, 900), (12_345, 10_000)])
def test_rounded_down_to_one_digit(value: float, expected: int) -> None:
    assert rounded(value) == expected


def test_numbers_have_a_curve_of_their_error(tmp_path: Path) -> None:
    dice = random.Random(0)
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(200):
            good = dice.randint(0, 4)
            words = ["good"] * good + ["bad"] * (4 - good) + dice.choices("abcdefghijklmnop", k=6)
            dice.shuffle(words)
            writer.writerow([" ".join(words), f"{good + dice.gauss(0, 0.3):.3f}"])
    recipe = parse_recipe(
        f"task: regression\ndata: {{files: [{tmp_path / 'rows.csv'}]}}\nworkspace: {tmp_path / 'work'}\n",
        folder=tmp_path,
    )
    found = learning_curve(recipe, more=(100,), draws=3)
    assert found.measured[0].curve.mean.max() < 0
    assert found.told(found.measured[0].gains[0]).startswith("100 more rows: ")
    assert not found.shown(float(found.measured[0].curve.mean[0])).startswith("-")


def test_the_champion_has_the_curve_once_there_is_one(tmp_path: Path, recipe_in: Recipes) -> None:
    recipe = recipe_in(tmp_path)
    summary = run(recipe, until="train")
    before = (tmp_path / "work" / "ledger.jsonl").read_bytes()
    found = learning_curve(recipe, draws=3)
    origin = str(summary["champion"]).removesuffix("-int8").removesuffix("-prune")
    assert found.measured[0].name == origin
    assert found.notes[0] == f"This is the curve of {origin!r}, with the settings that it has on all rows."
    assert [gain.rows for gain in found.measured[0].gains] == [rounded(share * found.now) for share in SHARES]
    assert (tmp_path / "work" / "ledger.jsonl").read_bytes() == before


def test_a_slow_champion_leaves_the_curve_to_the_baseline(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, rows = prepared(job_of(recipe_in(tmp_path)))
    card = {"name": "encoder", "spec": {"kind": "encoder"}, "seconds": 900.0, "facts": {}}
    monkeypatch.setattr("ratchet.stages.curve.standing", lambda *_: Contender(folder=tmp_path, card=card))
    plans, notes = procedures(job, rows, augment="")
    assert [plan.name for plan in plans] == ["tfidf-lr"]
    reason = "the champion 'encoder' takes minutes for each point"
    assert notes == [f"This is the curve of the baseline 'tfidf-lr', not of the champion: {reason}."]


def test_a_champion_made_by_an_augmenter_has_both_curves(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, rows = prepared(job_of(recipe_in(tmp_path)))
    facts = {"made_by": {"kind": "eda", "copies": 2}, "from": "tfidf-lr"}
    card = {"name": "eda", "spec": {"kind": "linear"}, "seconds": 1.0, "facts": facts}
    monkeypatch.setattr("ratchet.stages.curve.standing", lambda *_: Contender(folder=tmp_path, card=card))
    plans, _ = procedures(job, rows, augment="")
    assert [plan.name for plan in plans] == ["tfidf-lr", "tfidf-lr + eda"]
    assert plans[1].made_by is not None
    assert plans[1].made_by.model_dump()["copies"] == 2


def test_in_time_order_the_valid_part_judges_and_several_labels_have_a_curve(tmp_path: Path) -> None:
    dice = random.Random(0)
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "day"])
        for row in range(300):
            names = [name for name in ("card", "rate") if dice.random() < 0.5]
            words = names * 2 + dice.choices("abcdefghijklmnop", k=8)
            dice.shuffle(words)
            writer.writerow([" ".join(words), json.dumps(names), f"2024-{1 + row // 28:02d}-{1 + row % 28:02d}"])
    written = f"task: multilabel\ndata: {{files: [{tmp_path / 'rows.csv'}], time: day}}\nsplit: {{order: time}}\n"
    recipe = parse_recipe(f"{written}workspace: {tmp_path / 'work'}\n", folder=tmp_path)
    found = learning_curve(recipe, more=(100,), draws=3)
    assert found.measured[0].curve.scores.shape[:2] == (3, 10)
    assert found.measured[0].curve.fold.tolist() == [0] * 10
    (tmp_path / "open.csv").write_text("text\ncard a b c\nrate rate e f g\nx y z\n", encoding="utf-8")
    asked = rows_to_label(tmp_path / "open.csv", recipe, count=2)
    assert len(asked.texts) == 2
    assert all(answer.startswith("[") for answer in asked.answers)


def made_by(monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: object) -> None:
    """Let a champion stand there that a row change made."""
    facts = {"made_by": settings, "from": "tfidf-lr"}
    card = {"name": "made", "spec": {"kind": "linear"}, "seconds": 1.0, "facts": facts}
    monkeypatch.setattr("ratchet.stages.curve.standing", lambda *_: Contender(folder=folder, card=card))


def asking(server: Server, **more: object) -> dict[str, object]:
    """Settings of a row change that asks the server."""
    server.play = writes
    endpoint = {"url": server.url, "model": "m", "concurrency": 1, "timeout": 5, **more}
    return {"kind": "generate", "shots": 2, "at_once": 5, "endpoint": endpoint}


def test_a_limit_holds_for_the_whole_curve_and_where_texts_go_is_said(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    made_by(monkeypatch, tmp_path, **asking(server, limit={"requests": 70}))
    told = io.StringIO()
    with pytest.raises(EndpointError, match="limit is reached"):
        learning_curve(recipe_in(tmp_path), draws=3, screen=Screen(told))
    assert len(server.requests) == 70
    assert f"generate: texts of training rows are sent to {server.url}" in told.getvalue()


def test_a_curve_asks_the_same_of_rows_that_are_the_same(parted: PartedRows) -> None:
    one = draw(parted, 0, seed=0)[1]
    group = source_of(parted.apart(np.sort(one.order), one.out), one.first(1.0)).group
    assert np.array_equal(group, parted.parts.fold[one.first(1.0)])
    assert len(set(group.tolist())) == parted.parts.folds - 1


class Needy(Eda):
    packages: ClassVar[tuple[str, ...]] = ("a_package_that_nobody_has",)  # type: ignore[misc]


class Remarking(Eda):
    def remark(self, spec: EdaSpec) -> str:
        return f"mind the {spec.synonyms}"


def test_a_row_change_is_refused_and_remarked_on_as_a_run_does(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = io.StringIO()
    job, rows = prepared(job_of(recipe_in(tmp_path), screen=Screen(told)))
    monkeypatch.setattr(registry, "AUGMENTERS", (Remarking(),))
    procedures(job, rows, augment="eda")
    assert "eda: mind the context" in told.getvalue()
    with pytest.raises(RatchetError, match="unlabelled"):
        procedures(job, rows, augment="pseudo")
    monkeypatch.setattr(registry, "AUGMENTERS", (Needy(),))
    with pytest.raises(ExtraMissing, match="a_package_that_nobody_has"):
        procedures(job, rows, augment="eda")


def points(folder: Path) -> set[str]:
    return {path.name.partition("-draw-")[0] for path in (folder / "work" / "curves").glob("*-draw-*")}


def test_a_curve_is_another_one_where_files_of_the_row_change_or_the_metric_change(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "words.txt"
    known.write_text("please kindly\n", encoding="utf-8")
    made_by(monkeypatch, tmp_path, kind="eda", synonyms=str(known))
    learning_curve(recipe_in(tmp_path), draws=3)
    first = points(tmp_path)
    known.write_text("please kindly\ntoday now\n", encoding="utf-8")
    learning_curve(recipe_in(tmp_path), draws=3)
    second = points(tmp_path)
    assert len(second - first) == 1, "the plain curve is the same, that of the row change another one"
    monkeypatch.setattr("ratchet.stages.curve.known_as", lambda name: f"{name}@edited")
    learning_curve(recipe_in(tmp_path), draws=3)
    assert len(points(tmp_path) - second) == 2


def test_a_limit_that_was_raised_goes_on_with_the_points_that_are_there(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    named = []
    for most in (20, 30):
        made_by(monkeypatch, tmp_path, **asking(server, limit={"requests": most}))
        job, rows = prepared(job_of(recipe_in(tmp_path)))
        named.append(_settings(rows, procedures(job, rows, augment="")[0][1]))
    assert named[0] == named[1]
    assert named[0][2] is not None


def with_open(recipe: Recipe, path: Path) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"unlabelled": (str(path),)})})


def test_a_champion_made_by_pseudo_labels_has_a_curve(
    tmp_path: Path, recipe_in: Recipes, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "open.csv", 60, seed=9, label=False)
    made_by(monkeypatch, tmp_path, kind="pseudo", confidence=0.3)
    found = learning_curve(with_open(recipe_in(tmp_path), tmp_path / "open.csv"), draws=3)
    assert [one.name for one in found.measured] == ["tfidf-lr", "tfidf-lr + pseudo"]


def test_rows_to_be_labelled_are_a_part_of_the_name(
    tmp_path: Path, recipe_in: Recipes, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by(monkeypatch, tmp_path, kind="pseudo")
    named = []
    for count in (40, 60):
        write(tmp_path / "open.csv", count, seed=9, label=False)
        job, rows = prepared(job_of(with_open(recipe_in(tmp_path), tmp_path / "open.csv")))
        named.append(_settings(rows, procedures(job, rows, augment="")[0][1]))
    assert named[0] != named[1]


def test_vectors_of_a_row_change_are_kept_where_contenders_are(
    tmp_path: Path, recipe_in: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = set()

    def alike(filters: AugmentFilters, **given: object) -> Callable[..., np.ndarray]:
        stores.add(given["store"])
        return lambda texts, parents: np.ones(len(texts))

    monkeypatch.setattr("ratchet.contenders.augmented.VectorLikeness", alike)
    monkeypatch.setattr("ratchet.contenders.augmented.require_vectors", lambda *_, **__: None)
    made_by(monkeypatch, tmp_path, kind="eda", filters={"meaning": 0.1, "vectors": "package:any"})
    learning_curve(recipe_in(tmp_path), draws=3)
    assert stores == {tmp_path / "work" / "models"}
