"""Encoders as contenders: trained out of fold and exported to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ratchet.contenders.folded import (
    NOTES,
    Folded,
    One,
    chosen,
    curve,
    follow,
    learnt_and_apart,
    looked_by,
    own_source,
    require_choosing,
)
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import source_files
from ratchet.recipe.sections import EncoderSpec


class Encoder(Folded[EncoderSpec]):
    """A transformer encoder with a head for the task, trained on each fold's complement and exported to ONNX."""

    name, spec, runtime = "encoder", EncoderSpec, "onnx"
    tasks = ("classification", "multilabel", "regression")
    packages = ("torch", "transformers", "onnx")

    def require(self, spec: EncoderSpec, rows: PartedRows) -> None:
        """As `Kind.require`."""
        from ratchet.train.encoder import require_trainable

        require_trainable(spec, kind=rows.targets.kind, language=rows.language, columns=rows.texts_a_row)
        require_choosing(spec.keep, rows)

    def one(
        self, spec: EncoderSpec, training: Training, *, seen: Ints, out: Ints, seed: int, folder: Path, about: str
    ) -> One:
        """As `Folded.one`."""
        from ratchet.train.encoder import fit_encoder
        from ratchet.train.export import export_onnx

        rows = training.rows
        material, chooser = learnt_and_apart(training, seen, out=out, keep=spec.keep, seed=seed)
        keep = spec.keep
        if not len(chooser):  # nothing to choose by: the rows that are judged are looked at for the curve alone
            spec = spec.model_copy(update={"keep": "last"})
        looked_at = chooser if len(chooser) else out
        right = rows.targets.take(material.rows)
        fitted = fit_encoder(
            [*rows.texts(material.rows), *material.texts],
            right.followed_by(rows.made(material.labels)) if len(material.labels) else right,
            rows.texts(looked_at),
            rows.targets.take(looked_at),
            spec=spec,
            language=rows.language,
            seed=seed,
            threads=training.threads,
            folder=folder,
            metrics=looked_by(training),
            columns=rows.texts_a_row,
            features=rows.beside(looked_at, metrics=(spec.keep, *looked_by(training))),
            watching=training.watching.named(about),
            progress=partial(follow, training=training, about=about),
        )
        notes = _notes(fitted.facts, max_tokens=fitted.tokens.max_tokens * fitted.tokens.windows)
        facts = {
            "source": fitted.source,
            **curve(folder),
            **{name: fitted.facts[name] for name in TOLD if name in fitted.facts},
            NOTES: notes,
            "said": [
                *notes,
                *chosen(folder, keep=keep, rows=len(chooser), epoch=fitted.facts["kept_epoch"]),
            ],
        }
        save = partial(export_onnx, fitted)
        return One(predict=fitted.predict, save=save, facts=facts, counts=material.counts)

    def named_by(self, spec: EncoderSpec) -> object:
        """Other files in the same directory, and another metric that chooses the epoch, are another contender."""
        return spec, self.sources(spec), *own_source(spec.keep)

    def sources(self, spec: EncoderSpec) -> list[str]:
        """As `Kind.sources`."""
        return source_files(spec.source)


def _notes(facts: Mapping[str, Any], *, max_tokens: int) -> list[str]:
    """What a person should know of a training."""
    cut = facts.get("cut_texts", 0)
    texts = (
        [f"{cut:,} training texts are longer than the {max_tokens:,} tokens that are read and were cut"] if cut else []
    )
    return [*facts.get("notes", ()), *texts]


TOLD = ("precision", "kept_epoch", "cut_texts")
"""What the card says of a training."""
