"""A fine-tuned generator as a contender: out of fold, bought fold by fold, served merged, its adapter beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.contenders.conftest import LABELS, TEXTS

from ratchet.bundle.runtimes import load_model_folder
from ratchet.contenders.base import MODEL, SEED_TEXTS, Contender
from ratchet.contenders.corpus import require_unseen
from ratchet.contenders.decoder import Decoder
from ratchet.contenders.folded import Folded
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import PartedRows
from ratchet.errors import DataError, RatchetError, WorkspaceError
from ratchet.generators.decoder import build_decoder
from ratchet.generators.generated import DecoderModel
from ratchet.generators.generators import Shape
from ratchet.recipe.finetune import DecoderSpec
from ratchet.recipe.pretrain import PretrainSpec
from ratchet.scores.exact import exact_match
from ratchet.train.adapters import load_adapter

REPLIES = [f"see {label}" for label in LABELS]
SPEC = DecoderSpec(
    source="scratch",
    layers=1,
    width=64,
    heads=4,
    vocabulary=400,
    max_tokens=96,
    max_new_tokens=12,
    epochs=20,
    lr=3e-3,
    batch_tokens=512,
)


@pytest.fixture
def source(tmp_path: Path) -> str:
    shape = Shape(layers=1, width=32, heads=2, vocabulary=400)
    made = build_decoder("scratch", texts=[*TEXTS, *REPLIES], max_tokens=96, max_new_tokens=12, shape=shape, seed=2)
    made.save(tmp_path / "generator")
    return str(tmp_path / "generator")


def test_it_answers_rows_that_it_was_not_trained_on(
    parted: Callable[..., PartedRows], training: Callable[..., Training]
) -> None:
    rows = parted("generation", REPLIES)
    made = training(rows, kind="decoder", folds=(0, 1))
    Decoder().train(made.store / "mine", SPEC, made)
    found = Contender.load(made.store / "mine")
    assert set(rows.parts.fold[found.rows].tolist()) == {0, 1}
    assert found.folds == (0, 1)
    right = [REPLIES[TEXTS.index(text)] for text in rows.texts(found.rows)]
    assert exact_match(found.answers[:, 0].tolist(), right).mean() > 0.8
    for fold in (0, 1):
        model = load_model_folder(found.fold_model(fold), "decoder", threads=1)
        own = rows.parts.fold[found.rows] == fold
        assert np.array_equal(model.predict(rows.texts(found.rows[own])), found.answers[own])
    assert found.facts["tuning"] == "full"
    assert found.facts["epochs"][-1]["train_loss"] < 0.3
    assert found.facts["seeds"] == 1
    assert not [*made.store.glob("*.training")]
    assert found.evidence(rows).chance


def test_a_fold_more_trains_no_other_again_and_a_seed_more_is_evidence(
    parted: Callable[..., PartedRows], training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, rows = SPEC.model_copy(update={"epochs": 1}), parted("generation", REPLIES)
    Decoder().train(training(rows).store / "one", quick, training(rows, kind="decoder", folds=(0,)))
    trained: list[str] = []
    one = Decoder.one
    monkeypatch.setattr(
        Decoder, "one", lambda self, *given, **more: trained.append(more["about"]) or one(self, *given, **more)
    )
    both = training(rows, kind="decoder", folds=(0, 1), seeds=2)
    Decoder().train(both.store / "two", quick, both)
    assert trained == ["fold 1", "fold 0", "fold 1"]
    found = Contender.load(both.store / "two")
    evidence = found.evidence(rows, seeds=True)
    assert len(evidence.seeds) == 1
    assert evidence.seeds[0]["exact_match"].shape == (len(found.rows),)
    (found.folder / SEED_TEXTS).write_text('{"answers": [[]]}')
    with pytest.raises(WorkspaceError, match="was changed"):
        Contender.load(both.store / "two").evidence(rows, seeds=True)


def test_labels_are_chosen_and_an_adapter_lies_beside(
    parted: Callable[..., PartedRows], training: Callable[..., Training], source: str
) -> None:
    rows = parted()
    made = training(rows, kind="decoder", folds=(0,))
    spec = SPEC.model_copy(update={"source": source, "tuning": "lora", "epochs": 1, "max_tokens": 200})
    Decoder().train(made.store / "mine", spec, made)
    found = Contender.load(made.store / "mine")
    assert tuple(found.card["labels"]) == rows.labels
    assert np.allclose(found.answers.sum(axis=1), 1)
    base = build_decoder(source, max_tokens=200, max_new_tokens=12)
    load_adapter(base.network, found.folder / MODEL / "adapter")
    asked = DecoderModel(decoder=base, choices=rows.labels)
    assert np.allclose(asked.predict(rows.texts(found.rows)), found.answers, atol=1e-4)


def test_it_is_trained_again_on_all_rows(parted: Callable[..., PartedRows], training: Callable[..., Training]) -> None:
    rows = parted("generation", REPLIES)
    made = training(rows, kind="decoder")
    Decoder().refit(made.store / "again", SPEC.model_copy(update={"epochs": 1}), made)
    found = Contender.load(made.store / "again")
    assert np.array_equal(found.rows, rows.parts.valid)
    model = load_model_folder(found.folder / MODEL, "decoder", threads=1)
    assert np.array_equal(model.predict(rows.texts(found.rows)), found.answers)


def test_rejected_answers_are_a_column_of_the_table(
    parted: Callable[..., PartedRows], training: Callable[..., Training], source: str
) -> None:
    rows = parted("generation", REPLIES)
    spec = SPEC.model_copy(update={"source": source, "epochs": 1, "rejected": "worse"})
    made = training(rows, kind="decoder", folds=(0,))
    with pytest.raises(DataError, match="must have the column 'worse'"):
        Decoder().refit(made.store / "no", spec, made)
    table = rows.dataset.table.append_column("worse", pa.array(["no idea"] * len(rows.dataset)))
    more = replace(rows, dataset=replace(rows.dataset, table=table))
    Decoder().train(made.store / "mine", spec, training(more, kind="decoder", name="pairs", folds=(0,)))
    facts = Contender.load(made.store / "mine").facts
    assert facts["lr"] == 3e-3
    assert facts["epochs"][0]["accuracy"] is not None


def test_a_fold_that_dies_is_left_out_and_all_of_them_are_an_error(
    parted: Callable[..., PartedRows], training: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, quick = parted("generation", REPLIES), SPEC.model_copy(update={"epochs": 1})
    one = Decoder.one

    def dying(self: Decoder, *given: object, **more: object) -> object:
        if more["about"] == "fold 0":
            raise RuntimeError("out of memory\nat great length")
        return one(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "one", dying)
    made = training(rows, kind="decoder", folds=(0, 1))
    Decoder().train(made.store / "mine", quick, made)
    found = Contender.load(made.store / "mine")
    assert found.facts["missing_folds"] == {"0": "out of memory"}
    assert found.folds == (1,)
    with pytest.raises(RatchetError, match="could not be trained on any fold: out of memory"):
        Decoder().train(made.store / "none", quick, training(rows, kind="decoder", name="x", folds=(0,)))


def test_large_tables_begin_with_one_fold(parted: Callable[..., PartedRows], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = parted()
    assert Decoder().folds_at_first(rows) == (0, 1, 2, 3, 4)
    monkeypatch.setattr("ratchet.contenders.folded.SMALL", 10)
    assert Decoder().folds_at_first(rows) == (0,)
    assert issubclass(Decoder, Folded)


def test_a_model_that_read_plain_texts_first_says_so_and_a_corpus_with_judged_rows_is_refused(
    parted: Callable[..., PartedRows], training: Callable[..., Training], tmp_path: Path
) -> None:
    corpus = tmp_path / "notes.txt"
    corpus.write_text("Our office is in the old harbour. It opens at nine.\n" * 20)
    read = PretrainSpec(epochs=2, corpus=(str(corpus),))
    spec, rows = SPEC.model_copy(update={"epochs": 1, "pretrain": read}), parted("generation", REPLIES)
    made = training(rows, kind="decoder", folds=(0,))
    Decoder().train(made.store / "mine", spec, made)
    found = Contender.load(made.store / "mine").facts
    assert found["pretraining"]["documents"] == len(rows.parts.train) + 1
    assert any(
        line.startswith(f"pretrained on {len(rows.parts.train) + 1} texts") and "perplexity" in line
        for line in found["said"]
    )
    assert f"its vocabulary has {found['vocabulary']} entries, not 400: these texts give no more" in found["said"]
    assert not any("the pretraining has no answers" in line for line in found["said"])
    exact = spec.model_copy(update={"keep": "exact_match"})
    Decoder().train(made.store / "exact", exact, training(rows, kind="decoder", folds=(0,), name="exact"))
    lines = [
        line for line in Contender.load(made.store / "exact").facts["said"] if "pretraining has no answers" in line
    ]
    assert lines == ["the pretraining has no answers: its last epoch was kept, and exact_match chose among later ones"]
    assert (Decoder().chooses(spec), Decoder().chooses(exact)) == (False, True)
    before = Decoder().named_by(spec)
    corpus.write_text(f"{TEXTS[1]}\n")
    assert Decoder().named_by(spec) != before
    with pytest.raises(DataError, match=r"must hold no text of a row that is judged .* has that of row 2 of"):
        require_unseen(Decoder().corpus(spec), rows)
