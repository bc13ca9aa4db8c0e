"""Encoders and embeddings on the road: folds that are bought, folds that die, and what is served."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import generate

from ratchet import pipeline
from ratchet.bundle.bundle import Bundle
from ratchet.contenders import encoder as module
from ratchet.contenders import folded
from ratchet.contenders.registry import kinds
from ratchet.gate.ledger import Ledger
from ratchet.pipeline import run
from ratchet.recipe.recipe import parse_recipe
from ratchet.recipe.sections import Recipe
from ratchet.screen import Screen
from ratchet.workspace.finished import key_of
from ratchet.workspace.workspace import Workspace

ENCODER = "{kind: encoder, name: enc, source: scratch, layers: 1, width: 16, heads: 2, vocabulary: 150, max_tokens: 16,"
ENCODER += " epochs: 2, lr: 1e-2, batch_tokens: 256}"


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Recipe]:
    def make(challengers: str, *overrides: str, rows: int = 400) -> Recipe:
        texts, labels = generate(rows, seed=5)
        dice = np.random.default_rng(0)
        labels = [label if dice.random() < 0.8 else labels[0] for label in labels]
        with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
        text = f"data: {{files: [t.csv]}}\nthreads: 1\nsplit: {{near: false}}\nchallengers: [{challengers}]\n"
        return parse_recipe(text, folder=tmp_path, overrides=overrides)

    return make


def looks(recipe: Recipe) -> list[dict[str, Any]]:
    records = Ledger(Workspace(recipe.workspace).ledger).records()
    return [dict(record.body) for record in records if record.kind == "look"]


def contender(recipe: Recipe, name: str) -> Path:
    ledger = Ledger(Workspace(recipe.workspace).ledger)
    family = next(r.body["family"] for r in ledger.records() if r.kind == "champion-root")
    found = next(c for c in ledger.challenges(family) if c.challenger.name == name)
    return Workspace(recipe.workspace).models / found.challenger.key


def card(recipe: Recipe, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((contender(recipe, name) / "contender.json").read_bytes())
    return read


def test_a_small_table_has_all_folds_at_once(recipe: Callable[..., Recipe]) -> None:
    made = recipe(ENCODER)
    summary = run(made)
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "enc")
    assert verdict["n"] == summary["verdicts"][0]["n"]
    assert card(made, "enc")["facts"]["folds"] == [0, 1, 2, 3, 4]
    assert [look["n"] for look in looks(made)] == [verdict["n"]]
    assert card(made, "enc")["facts"]["seeds"] == 1
    assert not list(Workspace(made.workspace).models.glob("*.fold-*"))


def test_folds_are_bought_until_the_budget_or_the_verdict(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Encoder, "folds_at_first", lambda self, rows: (0,))
    made, said = recipe(ENCODER), io.StringIO()
    interrupted = {"left": 1}
    build = module.Encoder._fold

    def killed(self: module.Encoder, target: Path, **how: Any) -> None:
        if how["fold"] == 2 and interrupted["left"]:
            interrupted["left"] = 0
            raise KeyboardInterrupt
        build(self, target, **how)

    monkeypatch.setattr(module.Encoder, "_fold", killed)
    monkeypatch.setattr("ratchet.stages.buy._wins", lambda *_, **__: True)
    with pytest.raises(KeyboardInterrupt):
        run(made)
    before = looks(made)
    assert [look["decision"] for look in before] == ["buy", "buy"]
    run(made, screen=Screen(said))
    after = looks(made)
    assert after[:2] == before
    assert [look["n"] for look in after] == sorted(look["n"] for look in after)
    assert len(after) == 7  # five numbers of folds, then two more seeds
    assert [look["n"] for look in after[4:]] == [after[4]["n"]] * 3
    assert after[-1]["last"]
    assert sum(look["share"] for look in after) == pytest.approx(1.0)
    assert "one more fold is trained" in said.getvalue()
    assert "after 5 of 5 folds: " in said.getvalue()
    assert "so all folds are trained with another seed" in said.getvalue()
    assert "after 5 of 5 folds and 3 seeds" in said.getvalue()
    assert card(made, "enc")["facts"]["seeds"] == 3
    assert card(made, "enc")["facts"]["folds"] == [0, 1, 2, 3, 4]
    run(made)
    assert looks(made) == after


def test_no_budget_buys_nothing_and_the_first_look_has_the_whole_level(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.Encoder, "folds_at_first", lambda self, rows: (0,))
    made = recipe(ENCODER, "gate.budget=0")
    run(made)
    (look,) = looks(made)
    assert (look["last"], look["share"], look["decision"]) == (True, 1.0, "stop")
    assert card(made, "enc")["facts"]["folds"] == [0]


def test_further_seeds_are_evidence_and_nothing_else(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    build, exported = module.Encoder._fold, list[int]()

    def counted(self: module.Encoder, target: Path, **how: Any) -> None:
        if how["fold"] == 3 and how["seed"] > 2 * folded.SEED_STEP:
            raise RuntimeError("the third seed of one fold dies")
        build(self, target, **how)
        exported.append(how["seed"]) if (target / "model").exists() else None

    monkeypatch.setattr(module.Encoder, "_fold", counted)
    monkeypatch.setattr("ratchet.stages.buy._wins", lambda *_, **__: True)
    made, said = recipe(ENCODER), io.StringIO()
    run(made, screen=Screen(said))
    assert len(exported) == 5
    facts = card(made, "enc")["facts"]
    assert facts["seeds"] == 2
    assert facts["missing_folds"] == {"3 (seed 3)": "the third seed of one fold dies"}
    assert "fold 3 (seed 3) could not be trained and is left out" in said.getvalue()
    folder = contender(made, "enc")
    again, first = np.load(folder / "seeds.npy"), np.load(folder / "probability.npy")
    assert again.shape == (1, *first.shape)
    assert (again[0] != first).any()


def test_metrics_without_seeds_buy_none(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ratchet.stages.buy._wins", lambda *_, **__: True)
    made = recipe(ENCODER, "gate.metrics=[macro_f1]")
    run(made)
    (look,) = looks(made)
    assert look["last"]
    assert card(made, "enc")["facts"]["seeds"] == 1


@pytest.mark.parametrize("dead", [{1}, {0, 3}])
def test_the_folds_that_are_there_count(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch, dead: set[int]
) -> None:
    build = module.Encoder._fold

    def dying(self: module.Encoder, target: Path, **how: Any) -> None:
        if how["fold"] in dead:
            raise RuntimeError("out of memory\nand more")
        build(self, target, **how)

    monkeypatch.setattr(module.Encoder, "_fold", dying)
    made, said = recipe(ENCODER), io.StringIO()
    summary = run(made, screen=Screen(said))
    facts = card(made, "enc")["facts"]
    assert facts["missing_folds"] == {str(fold): "out of memory" for fold in dead}
    assert set(facts["folds"]) == set(range(5)) - dead
    assert f"enc: fold {min(dead)} could not be trained and is left out. out of memory" in said.getvalue()
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "enc")
    assert verdict["n"] < summary["verdicts"][0]["n"]


def test_an_encoder_without_any_fold_is_skipped(recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(self: module.Encoder, target: Path, **how: Any) -> None:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(module.Encoder, "_fold", dying)
    made, said = recipe(ENCODER), io.StringIO()
    summary = run(made, screen=Screen(said))
    assert "enc: skipped. 'enc' could not be trained on any fold: no kernel" in said.getvalue()
    assert "enc" not in [verdict["name"] for verdict in summary["verdicts"]]
    assert summary["champion"]


def test_an_embedding_is_judged_out_of_fold_refitted_and_served(
    recipe: Callable[..., Recipe], checkpoint: Callable[..., Path]
) -> None:
    made = recipe(f"{{kind: embedding, name: emb, source: {checkpoint()}, max_tokens: 16}}, {{kind: eda, name: eda}}")
    summary = run(made)
    assert card(made, "emb")["facts"]["folds"] == [0, 1, 2, 3, 4]
    verdict = next(verdict for verdict in summary["verdicts"] if verdict["name"] == "emb")
    assert verdict["n"] == summary["verdicts"][0]["n"]
    bundle = Bundle.open(summary["bundle"]["path"])
    assert bundle.manifest.model["refit_rows"] == verdict["n"]
    assert bundle.manifest.model["judged"] != bundle.manifest.model["served"]
    assert summary["scores"]["champion"]["n"] == verdict["n"]


def other_weights(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    path = folder / "model.safetensors"
    save_file({name: -values for name, values in load_file(path).items()}, path, metadata={"format": "pt"})


@pytest.mark.parametrize("kind", ["embedding", "encoder"])
def test_other_weights_in_the_same_directory_are_another_contender(checkpoint: Callable[..., Path], kind: str) -> None:
    folder, known = checkpoint(), kinds()[kind]
    spec = known.spec.model_validate({"kind": kind, "source": str(folder)})
    before = key_of(known.named_by(spec))
    assert key_of(known.named_by(spec)) == before
    other_weights(folder)
    assert key_of(known.named_by(spec)) != before


def test_what_was_judged_is_served_where_the_weights_were_replaced_since(
    recipe: Callable[..., Recipe], checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoint()
    blind = ("baseline.C=0.0001", "baseline.features=[{unit: char, low: 8, high: 8}]", "compress.methods=[]")
    said = io.StringIO()
    made = recipe(f"{{kind: embedding, name: emb, source: {source}, max_tokens: 16, C: 100}}", *blind)
    export = pipeline.export

    def later(job: Any, rows: Any) -> Any:
        other_weights(source)
        return export(job, rows)

    monkeypatch.setattr(pipeline, "export", later)
    summary = run(made, screen=Screen(said))
    assert summary["champion"] == "emb"
    facts = Bundle.open(summary["bundle"]["path"]).manifest.model
    assert facts["served"] == facts["judged"]
    assert facts["refit_rows"] is None
    assert "emb, as it was judged. The files that 'emb' begins with are not those" in " ".join(said.getvalue().split())


def test_after_that_nothing_is_made_from_the_champion_and_the_new_weights_are_judged(
    recipe: Callable[..., Recipe], checkpoint: Callable[..., Path]
) -> None:
    source, said = checkpoint(), io.StringIO()
    blind = ("baseline.C=0.0001", "baseline.features=[{unit: char, low: 8, high: 8}]", "compress.methods=[]")
    entry = f"{{kind: embedding, name: emb, source: {source}, max_tokens: 16, C: 100}}"
    before = run(recipe(entry, *blind))
    assert before["champion"] == "emb"
    other_weights(source)
    alone = run(recipe("{kind: eda, name: eda}", *blind), screen=Screen(said))
    assert "eda: skipped. The files that 'emb' begins with are not those" in " ".join(said.getvalue().split())
    assert alone["bundle"]["path"] == before["bundle"]["path"], "it was trained from the files that were judged"
    made = recipe(entry, *blind)
    again = run(made)
    cards = [json.loads(path.read_bytes()) for path in Workspace(made.workspace).models.glob("*/contender.json")]
    judged = [one for one in cards if one["name"] == "emb" and "refit" not in one["facts"]]
    assert len({tuple(one["facts"]["sources"]) for one in judged}) == len(judged) == 2
    assert [one["name"] for one in again["verdicts"]].count("emb") == 2, "each has a verdict of its own"


def test_rows_that_are_judged_never_choose_the_epoch(
    recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folded, "SET_APART", 0.0)  # as where a label has a handful of rows: a tenth of them is none
    kept: list[str] = []
    fit = module.Encoder._fold

    def seen(self: module.Encoder, target: Path, **how: Any) -> None:
        import ratchet.train.encoder as loop

        original = loop.fit_encoder

        def noted(*args: Any, **more: Any) -> Any:
            kept.append(more["spec"].keep)
            return original(*args, **more)

        monkeypatch.setattr(loop, "fit_encoder", noted)
        fit(self, target, **how)
        monkeypatch.setattr(loop, "fit_encoder", original)

    monkeypatch.setattr(module.Encoder, "_fold", seen)
    run(recipe(ENCODER[:-1] + ", keep: accuracy}"))
    assert kept
    assert set(kept) == {"last"}


@pytest.mark.parametrize("kind", ["encoder", "embedding"])
def test_a_challenger_that_cannot_be_trained_is_skipped(
    recipe: Callable[..., Recipe], checkpoint: Callable[..., Path], kind: str
) -> None:
    (checkpoint(name="damaged") / "model.safetensors").write_bytes(b"cut off")
    said = io.StringIO()
    summary = run(recipe(f"{{kind: {kind}, name: broken, source: ./damaged}}"), screen=Screen(said))
    assert "broken: skipped." in said.getvalue()
    assert summary["bundle"]
