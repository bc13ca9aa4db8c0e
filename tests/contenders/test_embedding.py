"""Frozen encoders as contenders: vectors once, a head a fold, and a served graph that answers as it was judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.contenders.conftest import LABELS, TEXTS

from ratchet.compress.compressor import compressors
from ratchet.contenders.base import HEADS, Contender
from ratchet.contenders.embedding import Embedding
from ratchet.contenders.kind import Training
from ratchet.contenders.material import held
from ratchet.contenders.rows import PartedRows
from ratchet.recipe.sections import EmbeddingSpec
from ratchet.train import embedding as module
from ratchet.train.heads import fit_head, load_heads
from ratchet.workspace.finished import finished

Parted, Trained = Callable[..., PartedRows], Callable[..., Training]


@pytest.fixture
def spec(checkpoint: Callable[..., Path]) -> EmbeddingSpec:
    return EmbeddingSpec(source=str(checkpoint()), max_tokens=16)


def test_each_fold_has_a_head_fitted_on_the_others(
    parted: Parted, training: Trained, spec: EmbeddingSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    run = module._run

    def counted(model: object, texts: Sequence[str]) -> np.ndarray:
        computed.extend(texts)
        return run(model, texts)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_run", counted)
    rows = parted()
    made = training(rows, kind="embedding")
    finished(made.store / "mine", partial(Embedding().train, spec=spec, training=made))
    found = Contender.load(made.store / "mine")
    assert sorted(computed) == sorted({*rows.texts(rows.parts.dev)}), "each text once, of all folds together"
    heads = load_heads(found.folder / HEADS)
    assert len(heads) == len(found.folds) == 5
    encoder = Embedding()._encoder(spec, made)
    seen, out = held(rows, 3)
    wanted, _ = fit_head(encoder.vectors(rows.texts(seen)), rows.targets.take(seen), C=spec.C)
    _, answers = found.predictions(rows, out)
    np.testing.assert_allclose(answers, wanted.answers(encoder.vectors(rows.texts(out))), atol=1e-5)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_served_graph_answers_as_it_was_judged(
    parted: Parted, training: Trained, spec: EmbeddingSpec, task: str
) -> None:
    cells = {
        "classification": LABELS,
        "multilabel": [f'["{label}"]' for label in LABELS],
        "regression": [str(1000 + len(text)) for text in TEXTS],
    }[task]
    rows = parted(task, cells)
    made = training(rows, kind="embedding")
    finished(made.store / "mine", partial(Embedding().train, spec=spec, training=made))
    finished(made.store / "whole", partial(Embedding().refit, spec=spec, training=made))
    for name in ("mine", "whole"):
        found = Contender.load(made.store / name)
        _, judged = found.predictions(rows, rows.parts.valid)
        parity = rows.task.parity(judged, found.model(threads=1).predict(rows.texts(rows.parts.valid)))
        assert parity.max_difference < 1e-4
        assert parity.disagreements == 0


def test_a_smaller_graph_keeps_the_heads(parted: Parted, training: Trained, spec: EmbeddingSpec) -> None:
    rows = parted()
    made = training(rows, kind="embedding")
    finished(made.store / "mine", partial(Embedding().train, spec=spec, training=made))
    of = Contender.load(made.store / "mine")
    small_training = training(rows, name="small", kind="int8", facts={"of": "mine", "of_key": "mine"})
    small_form = partial(Embedding().compress, compressor=compressors()["int8"], of=of, training=small_training)
    finished(made.store / "small", small_form)
    small = Contender.load(made.store / "small")
    assert small.ref.bytes < of.ref.bytes
    assert small.rows.tolist() == of.rows.tolist()
    for kept, head in zip(load_heads(small.folder / HEADS), load_heads(of.folder / HEADS), strict=True):
        np.testing.assert_array_equal(kept.weight, head.weight)
    assert (small.answers.argmax(axis=1) == of.answers.argmax(axis=1)).mean() > 0.8
