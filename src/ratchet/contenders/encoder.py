"""Encoders as contenders: trained out of fold and exported to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.contenders.folded import Folded, One
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.recipe.sections import EncoderSpec
from ratchet.workspace.finished import load_json

WATCHED = 0.1
"""Share of a fold's training rows that chooses the epoch, where ``keep`` is not ``last``: never the rows that are judged."""


class Encoder(Folded[EncoderSpec]):
    """A transformer encoder with a head for the task, trained on each fold's complement and exported to ONNX."""

    name, spec, runtime = "encoder", EncoderSpec, "onnx"
    tasks = ("classification", "multilabel", "regression")
    packages = ("torch", "transformers", "onnx")

    def one(
        self, spec: EncoderSpec, training: Training, *, seen: Ints, out: Ints, seed: int, folder: Path, about: str
    ) -> One:
        """As `Folded.one`."""
        from ratchet.train.encoder import fit_encoder
        from ratchet.train.export import export_onnx
        from ratchet.train.loop import PRECISION, read_history

        rows = training.rows
        material = training.change(seen, held_out=out)
        train, chooser = watched(material.rows, rows, spec=spec, seed=seed)
        if not len(chooser):  # nothing to choose by: the rows that are judged are looked at for the curve alone
            spec = spec.model_copy(update={"keep": "last"})
        looked_at = chooser if len(chooser) else out
        right = rows.targets.take(train)
        fitted = fit_encoder(
            [*rows.texts(train), *material.texts],
            right.followed_by(rows.made(material.labels)) if len(material.labels) else right,
            rows.texts(looked_at),
            rows.targets.take(looked_at),
            spec=spec,
            language=rows.language,
            seed=seed,
            threads=training.threads,
            folder=folder,
            columns=rows.texts_a_row,
            watching=training.watching.named(about),
            progress=lambda p: training.advance(
                p.step, p.steps, f"{about} epoch {p.epoch} loss {p.loss:.3f} {p.tokens_per_second:,.0f} tok/s"
            ),
        )
        history = read_history(folder)
        last = history[-1] if history else None
        measured = load_json(folder / PRECISION)["measured"] if (folder / PRECISION).is_file() else ""
        facts = {
            "source": fitted.source,
            **({"precision_measured": measured} if measured else {}),
            "epochs": [
                {"epoch": e.epoch, "train_loss": e.train_loss, "valid_loss": e.valid_loss, "accuracy": e.valid_accuracy}
                for e in history
            ],
            "tokens_per_second": round(last.tokens_per_second) if last else None,
            "padding": round(last.padding, 4) if last else None,
            **{name: fitted.facts[name] for name in TOLD if name in fitted.facts},
            "said": _said(fitted.facts, max_tokens=fitted.tokens.max_tokens * fitted.tokens.windows),
        }
        save = partial(export_onnx, fitted)
        return One(predict=fitted.predict, save=save, facts=facts, counts=material.counts)


def _said(facts: Mapping[str, Any], *, max_tokens: int) -> list[str]:
    """What a person should know of a training."""
    cut = facts.get("cut_texts", 0)
    texts = (
        [f"{cut:,} training texts are longer than the {max_tokens:,} tokens that are read and were cut"] if cut else []
    )
    return [*facts.get("notes", ()), *texts]


TOLD = ("precision", "kept_epoch", "notes", "cut_texts")
"""What the card says of a training."""


def watched(train: Ints, rows: PartedRows, *, spec: EncoderSpec, seed: int) -> tuple[Ints, Ints]:
    """The training rows, and those that choose the epoch: a share of every label, with whole units; none for ``last``."""
    if spec.keep == "last":
        return train, np.zeros(0, np.int64)
    count = len(rows.dataset)
    group = rows.truth if rows.targets.kind == "classes" else np.zeros(count, np.int64)
    unit = rows.parts.unit if rows.parts.unit is not None else np.arange(count)
    generator, chosen = np.random.default_rng(seed), np.zeros(count, bool)
    for label in range(int(group.max(initial=0)) + 1):
        own = np.unique(train[group[train] == label])
        count = round(WATCHED * len(own))
        if 0 < count < len(own):
            chosen |= np.isin(unit, unit[generator.choice(own, size=count, replace=False)])
    watch = chosen[train]
    if watch.all() or not watch.any():
        return train, np.zeros(0, np.int64)
    return train[~watch], np.unique(train[watch])
