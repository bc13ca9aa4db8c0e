"""Generators as contenders: fine-tuned on each fold's complement, judged by the answers that they write to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ratchet.contenders.corpus import read_corpus
from ratchet.contenders.folded import (
    NOTES,
    Folded,
    One,
    chosen,
    curve,
    follow,
    learnt_and_apart,
    linked,
    looked_by,
    own_source,
    require_choosing,
)
from ratchet.contenders.kind import Training
from ratchet.contenders.rows import Ints, PartedRows
from ratchet.contenders.sources import source_files
from ratchet.errors import DataError, no_such_column
from ratchet.generators.chat import CUT_ANSWERS, CUT_PROMPTS
from ratchet.recipe.finetune import DecoderSpec
from ratchet.tables.conversations import answer_in
from ratchet.train.finetune import MODEL, Asked, fit_decoder, require_tunable

TOLD = (
    "tuning",
    "trained_weights",
    "precision",
    "kept_epoch",
    "cut_or_empty",
    "base",
    "lr",
    "batch_tokens",
    "vocabulary",
    "pretraining",
)
"""What the card has of the facts of a training."""


class Decoder(Folded[DecoderSpec]):
    """A generator of the GPT kind, tuned as a whole, in its upper layers or by an adapter, which is merged to be served.

    It is asked as the kind ``prompt`` asks the same source, so that a verdict between the two is about the tuning alone.
    """

    name, spec, runtime = "decoder", DecoderSpec, "decoder"
    tasks = ("classification", "generation")
    packages = ("torch", "transformers", "tokenizers", "peft")
    extra = "finetune"

    def require(self, spec: DecoderSpec, rows: PartedRows) -> None:
        """As `Kind.require`."""
        require_tunable(spec, language=rows.language, choices=rows.task.choices(rows.labels))
        require_choosing(spec.keep, rows)
        if spec.rejected:
            _require_rejected(spec, rows)

    def corpus(self, spec: DecoderSpec) -> tuple[str, ...]:
        """As `Kind.corpus`."""
        return () if spec.pretrain is None else spec.pretrain.corpus

    def chooses(self, spec: DecoderSpec) -> bool:
        """As `Kind.chooses`."""
        return spec.keep != "last"

    def one(
        self, spec: DecoderSpec, training: Training, *, seen: Ints, out: Ints, seed: int, folder: Path, about: str
    ) -> One:
        """As `Folded.one`."""
        rows = training.rows
        if spec.rejected:  # what is said of pairs after an epoch is no metric of answers
            training = replace(training, look=None)
        material, chooser = learnt_and_apart(training, seen, out=out, keep=spec.keep, seed=seed)
        keep = spec.keep
        if not len(chooser):  # nothing to choose by: the rows that are judged are looked at for the curve alone
            spec = spec.model_copy(update={"keep": "last"})
        looked_at = chooser if len(chooser) else out
        asked = _asked(rows, material.rows, spec=spec, texts=material.texts, answers=material.labels)
        model = fit_decoder(
            replace(asked, corpus=read_corpus(self.corpus(spec))),
            replace(
                _asked(rows, looked_at, spec=spec),
                features=rows.beside(looked_at, metrics=(spec.keep, *looked_by(training))),
            ),
            spec=spec,
            choices=rows.task.choices(rows.labels),
            language=rows.language,
            seed=seed,
            threads=training.threads,
            folder=folder,
            metrics=looked_by(training),
            progress=partial(follow, training=training, about=about),
            watching=training.watching.named(about),
        )
        known = model.decoder.facts
        notes = [*known["notes"], *_cut(known["cut_or_empty"], asked=len(asked.texts) * (2 if spec.rejected else 1))]
        facts = {
            "source": model.decoder.source,
            "parameters": model.decoder.parameters,
            **curve(folder),
            **{name: known[name] for name in TOLD if known.get(name) is not None},
            NOTES: notes,
            "said": [
                *_said(model.decoder.source, known, spec=spec),
                *notes,
                *chosen(folder, keep=keep, rows=len(chooser), epoch=known["kept_epoch"]),
            ],
        }
        return One(predict=model.predict, save=partial(linked, folder / MODEL), facts=facts, counts=material.counts)

    def named_by(self, spec: DecoderSpec) -> object:
        """Other files in the same directory, another corpus of the same name, and another metric that chooses the epoch are
        another contender."""
        return spec, self.sources(spec), *own_source(spec.keep)

    def sources(self, spec: DecoderSpec) -> list[str]:
        """As `Kind.sources`."""
        corpus = [text for file in self.corpus(spec) for text in source_files(file)]
        return [*source_files(spec.source), *corpus]


def _said(source: str, facts: Mapping[str, object], *, spec: DecoderSpec) -> list[str]:
    """What a person reads of it: what was trained, and on what before."""
    lines = [f"{source}, {facts['trained_weights']:,} weights trained ({facts['tuning']})"]
    entries, read = facts["vocabulary"], facts["pretraining"]
    if source == "scratch" and entries != spec.vocabulary:
        lines.append(f"its vocabulary has {entries:,} entries, not {spec.vocabulary:,}: these texts give no more")
    if isinstance(read, Mapping):
        last = read["curve"][read["kept_epoch"] - 1]
        held = f"; perplexity of held-out ones {last['valid_perplexity']:,.1f}" if "valid_perplexity" in last else ""
        lines.append(f"pretrained on {read['documents']:,} texts, {read['tokens']:,} tokens each epoch{held}")
        if read.get("keep", spec.keep) != spec.keep:
            lines.append(
                f"the pretraining has no answers: its last epoch was kept, and {spec.keep} chose among later ones"
            )
    return lines


def _cut(counts: Mapping[str, int], *, asked: int) -> list[str]:
    """What was cut or left out of a training, and of how many prompts; an empty answer is not read."""
    read = asked - counts.get("empty answers", 0)

    def told(name: str, count: int) -> str:
        of = (" (all of them)" if count == read else f" of {read:,}") if name in (CUT_PROMPTS, CUT_ANSWERS) else ""
        return f"{count:,} {name}{of}"

    return ["in training: " + ", ".join(told(*one) for one in sorted(counts.items()))] if counts else []


def _asked(
    rows: PartedRows, wanted: Ints, *, spec: DecoderSpec, texts: Sequence[str] = (), answers: Sequence[str] = ()
) -> Asked:
    """Rows as they are learnt, those that were made among them.

    Raises:
        DataError: there is no column of rejected answers, or rows were made, which have none.
    """
    own = [*rows.texts(wanted), *texts], [*rows.names(wanted), *answers]
    if not spec.rejected:
        return Asked(texts=own[0], answers=own[1])
    if len(texts):
        raise DataError(
            "A model that learns preferences must be trained on rows of the table alone but a row change made others.",
            next_step="Leave out the challengers that make rows, or rejected of this one.",
        )
    _require_rejected(spec, rows)
    cells = rows.dataset.table.column(spec.rejected).take(np.asarray(wanted)).to_pylist()
    return Asked(texts=own[0], answers=own[1], rejected=[answer_in(cell) for cell in cells])


def _require_rejected(spec: DecoderSpec, rows: PartedRows) -> None:
    table = rows.dataset.table
    if spec.rejected not in table.column_names:
        raise no_such_column(
            spec.rejected,
            table.column_names,
            table="The table",
            role="rejected answers",
            otherwise="Set rejected of this challenger.",
        )
